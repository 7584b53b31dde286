"""What one query may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one query may take, and how many run at once; 0 rows or bytes of a result are no limit.

    `patience`: seconds that a query waits for another to end; `body`: bytes of a request.
    """

    seconds: float = 30.0
    memory: int = 1 << 30
    rows: int = 0
    result_bytes: int = 0
    threads: int = 2
    at_once: int = 4
    patience: float = 2.0
    body: int = 1 << 20
