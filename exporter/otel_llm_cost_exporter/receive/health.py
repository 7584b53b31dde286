"""Whether the collector can do its work, asked of the parts that do it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from otel_llm_cost_exporter.pipeline import Counters
from otel_llm_cost_exporter.store import Store, StoreError
from otel_llm_cost_exporter.writer import Writer

_FORGET_AFTER: Final = 30.0
"""Seconds.  A collector that failed a write and is therefore sent nothing could never prove itself again; so after this
long a store that answers is believed, until the next write says otherwise."""


@dataclass(frozen=True, slots=True)
class Health:
    """Ready, or the reasons why not; `counters` since the start."""

    reasons: list[str]
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        return {"status": "ready" if self.ready else "not ready", "reasons": self.reasons, "counters": self.counters}


def check(store: Store, writer: Writer, counters: Counters) -> Health:
    """Ask the store by a query, and look at the writer."""
    reasons: list[str] = []
    try:
        store.ping()
    except StoreError as error:
        reasons.append(str(error))
    if not writer.alive:
        reasons.append("the writer thread has ended: restart the collector")
    elif writer.full:
        reasons.append("the queue is full or closing: senders are told to come back")
    failure = writer.failure
    if failure is not None and (failure[0] < _FORGET_AFTER or reasons):
        reasons.append(f"the last write failed {failure[0]:.0f} s ago: {failure[1]}")
    return Health(reasons, asdict(counters))
