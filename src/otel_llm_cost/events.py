"""Server-sent events out of bytes, as they pass, with one of them left out where asked.

An event ends at an empty line, and lines end as the sender likes (`\\n`, `\\r\\n` or `\\r`; HTML Standard, section
9.2.6), even differently within one stream.  Each byte is searched once: a large event arrives in many pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

MAX_EVENT: Final = 32 << 20
"""Bytes of one event that are kept to be read; a larger one goes by unread."""
_HOLD: Final = 64 << 10
"""An incomplete event longer than this is handed on: no event that is ever left out is that long."""
_BOUNDARIES: Final = (b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n")


class Events:
    """Calls `keeps` (or, where nothing is ever left out, `sees`) with each event, its boundary stripped.

    `feed` returns the bytes that the reader gets now.  With `keeps`, an incomplete event is held back until it is known
    whether it stays; without, everything passes as it came.
    """

    __slots__ = ("_keeps", "_passed", "_searched", "_sees", "incomplete")

    def __init__(self, keeps: Callable[[bytes], bool] | None, sees: Callable[[bytes], Any]) -> None:
        self._keeps = keeps
        self._sees = sees
        self.incomplete = bytearray()
        """What has come of an event that has not ended; empty between two events."""
        self._searched = 0
        self._passed = 0  # how much of the incomplete event the reader has already

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes."""
        self.incomplete += data
        out = bytearray()
        start = 0
        while (found := self._boundary(start)) is not None:
            end, after = found
            event = bytes(self.incomplete[start:end])
            if self._keep(event):
                out += self.incomplete[start + self._passed : after]
            self._passed, start = 0, after
        del self.incomplete[:start]
        self._searched = max(0, len(self.incomplete) - 3)
        if self._keeps is None:
            self._forget_what_is_too_long()
            return data
        if self._passed or len(self.incomplete) > _HOLD:
            out += self.incomplete[self._passed :]
            self._passed = len(self.incomplete)
        return bytes(out)

    def rest(self) -> bytes:
        """The body has ended: look at a last event without its empty line, and return what the reader still lacks."""
        event, passed = bytes(self.incomplete), self._passed
        self.incomplete.clear()
        kept = self._keep(event.rstrip()) if event.strip() else True
        return event[passed:] if self._keeps is not None and kept else b""

    def _keep(self, event: bytes) -> bool:
        if self._keeps is None:
            self._sees(event)
            return True
        return self._keeps(event) or self._passed > 0

    def _boundary(self, start: int) -> tuple[int, int] | None:
        """Where the event that begins at `start` ends, and where the next one begins."""
        searched = max(start, self._searched)
        kinds = _BOUNDARIES if self.incomplete.find(b"\r", searched) >= 0 else _BOUNDARIES[:1]
        found = [(at, at + len(kind)) for kind in kinds if (at := self.incomplete.find(kind, searched)) >= 0]
        if not found:
            return None
        end, after = min(found, key=lambda ends: (ends[0], -ends[1]))
        return end, after

    def _forget_what_is_too_long(self) -> None:
        if len(self.incomplete) > MAX_EVENT:
            del self.incomplete[: -len(_BOUNDARIES[1])]
            self._searched = 0
