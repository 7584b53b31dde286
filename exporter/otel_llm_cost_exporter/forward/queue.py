"""Enriched requests that wait to be sent: bounded in bytes, first in, first out.

When there is no more room the newest is refused, as the queues of other collectors do it: what waits is nearest to
being sent, and to refuse is a comparison.
"""

from __future__ import annotations

import threading
from collections import deque

from .split import Part


class Queue:
    """One side puts, the other takes; `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: deque[Part] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.size = 0
        """Bytes."""
        self.spans = 0

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more would be taken."""
        return self.size + size <= self._most

    def put(self, part: Part) -> bool:
        """False where there is no room for it."""
        with self._changed:
            if self._closed or not self.has_room(len(part.body)):
                return False
            self._parts.append(part)
            self.size += len(part.body)
            self.spans += part.spans
            self._changed.notify()
            return True

    def take(self, most: int) -> list[Part]:
        """Wait for some, and take about `most` bytes of them.  Nothing: it is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._parts or self._closed)
            taken: list[Part] = []
            size = 0
            while self._parts and (not taken or size + len(self._parts[0].body) <= most):
                taken.append(self._parts.popleft())
                size += len(taken[-1].body)
            return taken

    def settle(self, spans: int = 0, size: int = 0) -> None:
        """What was taken is counted, and keeps its room, until its fate is known."""
        with self._changed:
            self.size -= size
            self.spans -= spans

    def close(self) -> None:
        """No more is put; what waits can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
