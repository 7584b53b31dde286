"""What the forwarder is handed once a batch is stored, and what it makes of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from otel_llm_cost_exporter.entry import Entry
from otel_llm_cost_exporter.rows import PricedCall


class Forwardable(Protocol):
    """The requests of a stored batch, its calls with their prices, and the keys of calls that had been stored before.

    The latter went onward then, and do not again.  Spans that are neither go onward as they are.
    """

    @property
    def entries(self) -> Sequence[Entry]: ...

    @property
    def calls(self) -> Sequence[PricedCall]: ...

    @property
    def seen(self) -> Collection[bytes]: ...


@dataclass(frozen=True, slots=True)
class Bills:
    """The calls of a batch by `Arrived.key`, and the keys of those that went onward: before it, and from it so far."""

    priced: Mapping[bytes, PricedCall]
    seen: Collection[bytes] = frozenset()
    done: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, batch: Forwardable) -> Self:
        return cls({call.arrived.key: call for call in batch.calls}, batch.seen)
