"""How a journal stands, told to health checks and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from .tally import Tally


@dataclass(frozen=True, slots=True)
class JournalState:
    """For health and metrics; `appended`, `duplicates` (requests set aside) and `syncs` count since it was opened.

    `full`: why nothing is taken, and what to do about it; empty where it is.  `waiting` is not stored yet, and its
    oldest was received at `oldest_ns` (since 1970); `queued_bytes` are not on the disk yet.  `damaged` ranges with so
    many bytes lie set aside in the folder.  `error`: the last failure, `error_age` seconds ago, of
    something that has not succeeded since.
    """

    full: str
    waiting: Tally
    oldest_ns: int | None
    queued_bytes: int
    most_bytes: int
    free_bytes: int
    appended: Tally
    duplicates: int
    syncs: int
    segments: int
    digests: int
    damaged: int
    damaged_bytes: int
    error: str
    error_age: float | None
