"""What the collector knows of itself at one moment, as plain numbers.

Totals are since the start of the process, times in seconds, sizes in bytes.  None is what is not known, or not there:
no metric of it is shown, for unknown is not zero.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from otel_llm_cost_exporter.forward import ForwardCounts

_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came in at the OTLP ports."""

    requests: int | None = None
    spans: int | None = None
    rejected: int | None = None
    """Spans that are bad for good, of requests that were taken."""
    refused: Mapping[str, int] | None = None
    """Requests by reason."""
    duplicates: int | None = None
    """Requests that were known by their digest, and answered without being written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is acknowledged and on the disk."""

    spans: int | None = None
    written_bytes: int | None = None
    syncs: int | None = None
    waiting_spans: int | None = None
    waiting_bytes: int | None = None
    capacity_bytes: int | None = None
    damaged_bytes: int | None = None
    """What could not be read, and lies set aside."""
    lag: float | None = None
    """Age of the oldest request that is not in the store; 0 where all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What went from the journal to the store."""

    spans: int | None = None
    batches: int | None = None
    retries: int | None = None
    last_flush: float | None = None
    """How long the last batch took."""
    away: float | None = None
    """For how long the store has taken nothing that was tried; 0 where it takes what it is given."""
    dead_letters: int | None = None
    dead_letters_waiting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What was found of the calls."""

    seen: int | None = None
    """Spans that had been stored before, and were dropped."""
    set_aside: Mapping[str, int] | None = None
    """Calls that are stored and not counted, by reason."""
    unpriced: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollups:
    """How the rollups compare with the calls that they sum up."""

    drift: Mapping[str, int] | None = None
    """Pico-dollars by rollup: what it says less what the calls say, when they were compared last."""
    checked: float | None = None
    """How long ago that was."""
    mended: int | None = None
    """Days of rollups."""
    copies: int | None = None
    """Calls that are counted more than once, of the days that were looked at last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """What was asked of the query endpoint."""

    answered: int | None = None
    refused: Mapping[str, int] | None = None
    """By reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the process and its disk have left."""

    memory_bytes: int | None = None
    disk_free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All of it."""

    received: Received = field(default_factory=Received)
    journal: Journal = field(default_factory=Journal)
    stored: Stored = field(default_factory=Stored)
    calls: Calls = field(default_factory=Calls)
    forward: ForwardCounts | None = None
    rollups: Rollups = field(default_factory=Rollups)
    queries: Queries = field(default_factory=Queries)
    machine: Machine = field(default_factory=Machine)


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM; None where the system does not say."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def free_bytes(folder: Path) -> int | None:
    """What is left on the disk of a folder for us; None where it cannot be said."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
