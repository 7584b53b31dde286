"""How much of something there is in a journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .record import ENTRY, Head


class Tally(NamedTuple):
    """Of entries: how many, their spans, and their bytes in the journal."""

    entries: int = 0
    spans: int = 0
    bytes: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(self.entries + other.entries, self.spans + other.spans, self.bytes + other.bytes)

    def minus(self, other: Tally) -> Tally:
        return Tally(self.entries - other.entries, self.spans - other.spans, self.bytes - other.bytes)


def tally(heads: Iterable[Head]) -> Tally:
    entries = [head for head in heads if head.kind == ENTRY]
    return Tally(len(entries), sum(head.spans for head in entries), sum(head.length for head in entries))
