"""What the receivers have seen since the start."""

from __future__ import annotations

import threading
from collections import Counter
from typing import NamedTuple

from .outcome import Outcome, Status


class Counted(NamedTuple):
    """`requests` that got an answer; `spans` taken; `rejected` spans that are bad for good; `refused` requests by why.

    The reasons are the names of `Status` in lower case: unauthenticated, limited, too_large, …
    """

    requests: int
    spans: int
    rejected: int
    refused: dict[str, int]


class IngestCounters:
    """Counts requests by what became of them.  Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = 0
        self._spans = 0
        self._rejected = 0
        self._refused: Counter[str] = Counter()

    def note(self, outcome: Outcome, spans: int = 0) -> None:
        """One request was answered so; `spans` of it are safe."""
        with self._lock:
            self._requests += 1
            self._spans += spans
            self._rejected += outcome.rejected
            if outcome.status is not Status.STORED:
                self._refused[outcome.status.name.lower()] += 1

    def snapshot(self) -> Counted:
        """All of them at one moment."""
        with self._lock:
            return Counted(self._requests, self._spans, self._rejected, dict(self._refused))
