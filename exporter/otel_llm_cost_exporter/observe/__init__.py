"""What the collector tells of itself: OpenTelemetry metrics, for Prometheus and over OTLP."""

from .alone import stand_alone
from .observer import ENDPOINT_VARIABLE, Observer, push_target
from .readings import (
    Calls,
    Journal,
    Machine,
    Queries,
    Readings,
    Received,
    Rollups,
    Stored,
    free_bytes,
    resident_bytes,
)

__all__ = [
    "ENDPOINT_VARIABLE",
    "Calls",
    "Journal",
    "Machine",
    "Observer",
    "Queries",
    "Readings",
    "Received",
    "Rollups",
    "Stored",
    "free_bytes",
    "push_target",
    "resident_bytes",
    "stand_alone",
]
