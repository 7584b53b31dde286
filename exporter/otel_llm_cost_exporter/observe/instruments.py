"""Every metric of the collector, once: its name, kind, unit and meaning, and where its value is read.

All are observed when somebody asks, so that nothing is counted twice and the road to the store does not know of them.
Totals are counters; what goes up and down and can be added up over collectors is an up-down counter; a time that cannot
is a gauge.  https://opentelemetry.io/docs/specs/semconv/general/metrics/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Final, Literal, NamedTuple

from .readings import Readings

Kind = Literal["counter", "up-down counter", "gauge"]
Reading = int | float | Mapping[str, int] | None


class Instrument(NamedTuple):
    """One metric.  Where `read` gives several values by name, `label` is the attribute that the names belong to."""

    name: str
    kind: Kind
    unit: str
    description: str
    read: Callable[[Readings], Reading]
    label: str = ""


PREFIX: Final = "llm_cost.collector."


def _total(name: str, unit: str, description: str, read: Callable[[Readings], Reading], label: str = "") -> Instrument:
    return Instrument(PREFIX + name, "counter", unit, description, read, label)


def _amount(name: str, unit: str, description: str, read: Callable[[Readings], Reading]) -> Instrument:
    return Instrument(PREFIX + name, "up-down counter", unit, description, read)


def _gauge(name: str, unit: str, description: str, read: Callable[[Readings], Reading], label: str = "") -> Instrument:
    return Instrument(PREFIX + name, "gauge", unit, description, read, label)


def _of_forward(field: str) -> Callable[[Readings], Reading]:
    """Nothing, where nothing is to go onward."""
    read = attrgetter(field)
    return lambda readings: None if readings.forward is None else read(readings.forward)


_RECEIVED: Final = (
    _total("received.requests", "{request}", "Export requests that were received", lambda r: r.received.requests),
    _total("received.spans", "{span}", "Spans in the requests that were received", lambda r: r.received.spans),
    _total(
        "rejected.spans",
        "{span}",
        "Spans without usable ids, in requests that were taken",
        lambda r: r.received.rejected,
    ),
    _total("refused.requests", "{request}", "Requests that were refused", lambda r: r.received.refused, "reason"),
    _total(
        "duplicate.requests",
        "{request}",
        "Requests that had been taken before, and were answered without being written again",
        lambda r: r.received.duplicates,
    ),
)
_JOURNAL: Final = (
    _total("journal.spans", "{span}", "Spans that were written to the journal", lambda r: r.journal.spans),
    _total("journal.written", "By", "What was written to the journal", lambda r: r.journal.written_bytes),
    _total("journal.syncs", "{sync}", "Times that the journal was forced to disk", lambda r: r.journal.syncs),
    _amount(
        "journal.waiting.spans",
        "{span}",
        "Spans that are acknowledged and not in the store yet",
        lambda r: r.journal.waiting_spans,
    ),
    _amount("journal.waiting.size", "By", "What waits in the journal", lambda r: r.journal.waiting_bytes),
    _amount("journal.capacity", "By", "What may wait in the journal at most", lambda r: r.journal.capacity_bytes),
    _amount(
        "journal.damaged",
        "By",
        "What could not be read of the journal, and lies set aside",
        lambda r: r.journal.damaged_bytes,
    ),
    _gauge("journal.lag", "s", "Age of the oldest request that is not in the store yet", lambda r: r.journal.lag),
)
_STORED: Final = (
    _total("stored.spans", "{span}", "Calls that were stored", lambda r: r.stored.spans),
    _total("stored.batches", "{batch}", "Batches that were stored", lambda r: r.stored.batches),
    _total(
        "stored.retries", "{retry}", "Times that a batch was offered to the store again", lambda r: r.stored.retries
    ),
    _gauge("flush.duration", "s", "How long the last batch took to its end", lambda r: r.stored.last_flush),
    _gauge("store.away", "s", "For how long the store has taken nothing", lambda r: r.stored.away),
    _total(
        "dead_letters.written",
        "{letter}",
        "Dead letters that were written: what the store will never take",
        lambda r: r.stored.dead_letters,
    ),
    _amount(
        "dead_letters.waiting",
        "{letter}",
        "Dead letters that wait for somebody to look at them",
        lambda r: r.stored.dead_letters_waiting,
    ),
)
_CALLS: Final = (
    _total("seen.spans", "{span}", "Spans that had been stored before, and were dropped", lambda r: r.calls.seen),
    _total(
        "set_aside.calls",
        "{call}",
        "Calls that are stored and not counted, because another span bears their bill",
        lambda r: r.calls.set_aside,
        "reason",
    ),
    _total("unpriced.calls", "{call}", "Calls that are stored without a cost", lambda r: r.calls.unpriced),
)
_FORWARD: Final = (
    _total("forwarded.spans", "{span}", "Spans that went onward", _of_forward("sent")),
    _total(
        "forward.dropped.spans",
        "{span}",
        "Spans that did not go onward; they are stored all the same",
        _of_forward("dropped"),
        "reason",
    ),
    _total(
        "forward.left_out.spans",
        "{span}",
        "Spans that were not to go onward: they had been there before",
        _of_forward("left_out"),
        "reason",
    ),
    _amount(
        "forward.waiting.spans",
        "{span}",
        "Spans that wait to go onward",
        _of_forward("waiting_spans"),
    ),
    _amount(
        "forward.waiting.size",
        "By",
        "Requests that wait to go onward",
        _of_forward("waiting_bytes"),
    ),
)
_REST: Final = (
    _gauge(
        "rollup.drift",
        "{pico-dollar}",
        "What a rollup says less what its calls say, in 1e-12 US dollars, at the last comparison",
        lambda r: r.rollups.drift,
        "rollup",
    ),
    _gauge("rollup.checked", "s", "How long ago rollups were last compared with calls", lambda r: r.rollups.checked),
    _total("rollup.mended", "{day}", "Days of rollups that were made right", lambda r: r.rollups.mended),
    _amount(
        "rollup.copies",
        "{call}",
        "Calls that are counted more than once, of the days that were compared last",
        lambda r: r.rollups.copies,
    ),
    _total("query.requests", "{request}", "Queries that were answered", lambda r: r.queries.answered),
    _total("query.refused.requests", "{request}", "Queries that were refused", lambda r: r.queries.refused, "reason"),
    _amount("memory.usage", "By", "Memory of the process that is in RAM", lambda r: r.machine.memory_bytes),
    _gauge("disk.free", "By", "What is left on the disk of journal and store", lambda r: r.machine.disk_free_bytes),
)
INSTRUMENTS: Final[tuple[Instrument, ...]] = (*_RECEIVED, *_JOURNAL, *_STORED, *_CALLS, *_FORWARD, *_REST)
