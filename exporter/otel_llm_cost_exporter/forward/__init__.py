"""Enriched spans onward to Jaeger, an OpenTelemetry Collector or any other OTLP endpoint."""

from .batch import Forwardable
from .forwarder import Forwarder
from .tally import ForwardCounts
from .target import BadTarget, Target, refuse_own

__all__ = ["BadTarget", "ForwardCounts", "Forwardable", "Forwarder", "Target", "refuse_own"]
