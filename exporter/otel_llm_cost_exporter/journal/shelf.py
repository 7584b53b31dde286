"""The segments of an open journal, and reading them from any border on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from otel_llm_cost_exporter.entry import Entry

from .damage import Damage
from .record import ENTRY, GAP, Head, entry_of
from .segment import FIRST, Found, Position, Segment
from .tally import Tally, tally


class Read(NamedTuple):
    """Whole entries and their spans; the next reading begins at `end`."""

    entries: list[Entry]
    spans: int
    start: Position
    end: Position


class Shelf:
    """Segments by number, each as far as it is durable: nothing beyond that is ever read."""

    def __init__(self, segments: Sequence[Segment], damage: Damage) -> None:
        self._segments = {segment.number: segment for segment in segments}
        self._damage = damage
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def tail(self) -> Position:
        with self._guard:
            return max((Position(one.number, one.end) for one in self._segments.values()), default=Position(0, 0))

    def put(self, segment: Segment, end: int) -> None:
        """A segment is durable as far as `end` now."""
        with self._guard:
            segment.end = end
            self._segments[segment.number] = segment

    def remove(self, segment: Segment) -> None:
        with self._guard:
            del self._segments[segment.number]

    def before(self, head: Position) -> list[Segment]:
        """The segments that hold nothing after the head, in their order."""
        with self._guard:
            return sorted(
                (one for one in self._segments.values() if Position(one.number, one.end) <= head),
                key=lambda one: one.number,
            )

    def read(self, start: Position, end: Position | None, most_spans: int, most_bytes: int) -> Read:
        """As `Journal.read`."""
        entries: list[Entry] = []
        spans = size = 0
        reached = start
        for reaching, found in self._after(start, whole=True):
            if end is not None and reaching > end:
                break
            reached = reaching
            if found.head.kind != ENTRY:
                continue
            entries.append(entry_of(found.head, found.payload))
            spans += found.head.spans
            size += found.head.length
            if end is None and (spans >= most_spans or size >= most_bytes):
                break
        return Read(entries, spans, start, reached)

    def passed(self, start: Position, to: Position) -> tuple[Position, Tally]:
        """The entries between two borders; and `to`, or the end of the gap that it was lost in."""
        heads: list[Head] = []
        for reaching, found in self._after(start, whole=False):
            if Position(reaching.segment, found.start) >= to:
                break
            if reaching > to and found.head.kind != GAP:
                raise ValueError(f"{to} is inside an entry")
            to = max(reaching, to)
            heads.append(found.head)
        return to, tally(heads)

    def left(self, start: Position) -> Tally:
        """The entries from a border on."""
        return tally(found.head for _, found in self._after(start, whole=False))

    def first(self, start: Position) -> Head | None:
        """The next entry."""
        entries = (found.head for _, found in self._after(start, whole=False) if found.head.kind == ENTRY)
        try:
            return next(entries, None)
        except OSError:  # retired by another thread meanwhile; to read it says the rest
            return None

    def _after(self, start: Position, *, whole: bool) -> Iterator[tuple[Position, Found]]:
        """Durable records from a border on, gaps among them, each with its end."""
        with self._guard:
            ends = [(number, one, one.end) for number, one in self._segments.items() if number >= start.segment]
        for number, segment, end in sorted(ends, key=lambda one: one[0]):
            first = max(start.offset, FIRST) if number == start.segment else FIRST
            if first < end:
                for found in self._damage.sound(segment, first, end, whole=whole):
                    yield Position(number, found.end), found
