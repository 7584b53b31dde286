"""What became of the spans that should go onward, counted and said: not once for each, and never not at all."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_log = logging.getLogger(__name__)

_EVERY: Final = 60.0
"""Seconds between two lines on one matter."""
_WHY: Final[Mapping[str, str]] = {
    "queue_full": "the target takes less than arrives, and the queue is full",
    "refused": "the target refused them for good",
    "gave_up": "the target could not be reached, or had no room, for too long",
    "rejected": "the target took the rest of their requests and rejected these as bad",
    "too_large": "a single span, or its resource, is larger than the target would take",
    "closed": "the collector stopped before the target took them",
    "fault": "a fault in otel-llm-cost",
}


@dataclass(frozen=True, slots=True)
class ForwardCounts:
    """Spans since the start: sent, dropped by reason, left out by reason; and what waits now."""

    sent: int
    dropped: Mapping[str, int]
    left_out: Mapping[str, int]
    """`seen`: went onward when they were stored; `looped`: came back to the collector that had sent them."""
    waiting_spans: int
    waiting_bytes: int


class Tally:
    """Counters that any thread adds to, and the lines about them, which only `say` writes: writing may block."""

    def __init__(self, target: str, now: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._now = now
        self._lock = threading.Lock()
        self._sent = 0
        self._dropped: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()
        self._details: dict[str, str] = {}
        self._said_at: dict[str, float] = {}
        self._away = False

    def send(self, spans: int) -> None:
        """They are there."""
        with self._lock:
            self._sent += spans

    def drop(self, reason: str, spans: int, detail: str = "") -> None:
        """They will not be there, for one of the reasons above."""
        with self._lock:
            self._dropped[reason] += spans
            self._unsaid[reason] += spans
            self._details[reason] = detail

    def leave_out(self, reason: str, spans: int) -> None:
        """They are not to be sent."""
        if spans:
            with self._lock:
                self._left_out[reason] += spans

    def counts(self, waiting_spans: int, waiting_bytes: int) -> ForwardCounts:
        with self._lock:
            return ForwardCounts(self._sent, dict(self._dropped), dict(self._left_out), waiting_spans, waiting_bytes)

    def say(self, *, last: bool = False) -> None:
        """Write what is due; the last time, all of it."""
        for reason, spans, detail in self._due(last):
            why = f"{_WHY[reason]} ({detail})" if detail else _WHY[reason]
            _log.warning(
                "%d spans were not forwarded to %s: %s. They are stored and billed all the same.",
                spans,
                self._target,
                why,
            )

    def _due(self, last: bool) -> list[tuple[str, int, str]]:
        with self._lock:
            due = [reason for reason in self._unsaid if last or self._is_time(reason)]
            return [(reason, self._unsaid.pop(reason), self._details[reason]) for reason in due]

    def _is_time(self, matter: str) -> bool:
        now = self._now()
        if matter in self._said_at and now < self._said_at[matter] + _EVERY:
            return False
        self._said_at[matter] = now
        return True

    def away(self, why: str, delay: float) -> None:
        """The target takes nothing now, and will be asked again."""
        with self._lock:
            self._away = True
            due = self._is_time("away")
        if due:
            _log.warning(
                "forwarding to %s waits: %s; asking again in %.1f s. Storing goes on.", self._target, why, delay
            )

    def back(self) -> None:
        """The target takes what it is sent."""
        if self._away:
            self._away = False
            _log.info("forwarding to %s goes on", self._target)
