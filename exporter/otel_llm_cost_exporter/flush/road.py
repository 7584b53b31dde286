"""The road of one batch, from a range of the journal to the store, and around what cannot pass.

    read [a, b) of the journal → decode → judge, price → freeze on disk → insert → advance the journal to b

Before the freeze nothing has happened; after it, whoever comes next inserts the same bytes under the same tokens, which
the store keeps once.  What cannot pass is halved until it stands alone, and becomes a dead letter.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from otel_llm_cost_exporter.commit import Block, Inserts, encoded, halves
from otel_llm_cost_exporter.decode import Arrived
from otel_llm_cost_exporter.entry import Entry
from otel_llm_cost_exporter.journal import Journal
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.recall import Asks
from otel_llm_cost_exporter.rows import TABLE, PricedCall
from otel_llm_cost_exporter.store import StoreError

from .dead_letters import DeadLetter, DeadLetters, only
from .frozen import Frozen, FrozenFile
from .patience import FlushState, Patience, cannot_pass

_log = logging.getLogger(__name__)

PHASES: Final = ("read", "judged", "frozen", "inserted", "lettered", "done")
"""The points of the road at which `at` is called, in order."""
_ALL: Final = 1 << 62


class Stores(Inserts, Asks, Protocol):
    """What is needed of a store here."""


class Sent(NamedTuple):
    """A call and the request that it came in."""

    call: Arrived
    entry: Entry


@dataclass(frozen=True, slots=True)
class Batch:
    """What was stored at once: requests as they came and their calls with their prices.

    `seen` are the keys of those that had been stored before.  After a restart the calls of the batch that was under way
    are not known any more, and both are empty.
    """

    entries: Sequence[Entry]
    calls: Sequence[PricedCall]
    seen: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Road:
    """What a batch meets on its way; `stored` is told of each that is through, `at` is called at each of PHASES."""

    journal: Journal
    store: Stores
    pipeline: Pipeline
    frozen: FrozenFile
    dead_letters: DeadLetters
    patience: Patience
    state: FlushState
    stored: Callable[[Batch], None]
    at: Callable[[str], None]

    def take_up(self) -> None:
        """Finish what an earlier process had under way."""
        batch = self.frozen.read()
        if batch is not None and batch.end > self.journal.head:
            self._take_up(batch)
        self.frozen.discard()

    def flush(self, most_spans: int) -> None:
        """Store the next batch, of about so many spans at most."""
        began = time.monotonic()
        read = self.journal.read(most_spans=most_spans)
        self.at("read")
        sent, dead = self._decode(read.entries)
        self._store(sent, Frozen(read.start, read.end, (), dead), read.entries)
        self.state.last_seconds = time.monotonic() - began

    def _take_up(self, batch: Frozen) -> None:
        _log.info("taking up a batch of %d calls that was under way", batch.rows)
        entries: Sequence[Entry] = ()
        if batch.whole:
            entries = self.journal.read(start=batch.start, end=batch.end, most_spans=_ALL).entries
        try:
            self._finish(batch, Batch(entries, ()))
        except StoreError as error:
            if not error.rows_at_fault:
                raise
            _log.error("the batch that was under way holds what the store refuses; it is made anew: %s", error)

    def _decode(self, entries: Sequence[Entry]) -> tuple[list[Sent], list[DeadLetter]]:
        sent: list[Sent] = []
        dead: list[DeadLetter] = []
        for entry in entries:
            try:
                sent += [Sent(call, entry) for call in self.pipeline.decode(entry)]
            except Exception as error:  # noqa: BLE001  # a fault of ours costs no other request anything
                _log.error("a request of %d spans cannot be read, and is a dead letter", entry.spans, exc_info=error)
                dead.append(DeadLetter(entry, f"a fault in otel-llm-cost ({type(error).__name__})"))
        return sent, dead

    def _store(self, sent: Sequence[Sent], rest: Frozen, entries: Sequence[Entry]) -> None:
        """Store calls of the range of `rest`, and what is in `rest` with them; `entries` are told of as stored."""
        try:
            priced = self.pipeline.judged([call for call, _ in sent])
            self.at("judged")
            seen = frozenset(call.key for call, _ in sent).difference(call.arrived.key for call in priced)
            self._finish(self._freeze(priced, sent, rest), Batch(entries, priced, seen))
        except Exception as error:
            if not sent or not cannot_pass(error):
                raise
            self.frozen.discard()
            self._halve(sent, rest, error, entries)
            return
        self.pipeline.remember(priced)

    def _halve(self, sent: Sequence[Sent], rest: Frozen, error: Exception, entries: Sequence[Entry]) -> None:
        """Something among the calls is bad for good: go on with half of them, then the other half."""
        if len(sent) == 1:
            letter = _letter(*sent[0], error)
            self.pipeline.counters.refused += 1
            self._store((), replace(rest, dead=[*rest.dead, letter]), entries)
            return
        first, second = halves(sent)
        self._store(first, replace(rest, dead=(), whole=False), ())
        self._store(second, rest, entries)

    def _freeze(self, priced: Sequence[PricedCall], sent: Sequence[Sent], rest: Frozen) -> Frozen:
        parts = list(encoded(self.store, priced))
        came_in = {call.key: entry for call, entry in sent}
        unfit = [(part.calls[0].arrived, part.why) for part in parts if part.block is None]
        self.pipeline.counters.refused += len(unfit)
        dead = [_letter(call, came_in[call.key], why) for call, why in unfit]
        batch = replace(rest, blocks=[part.block for part in parts if part.block], dead=[*rest.dead, *dead])
        if batch.blocks or batch.dead:
            self.frozen.write(batch)
        self.at("frozen")
        return batch

    def _finish(self, batch: Frozen, told: Batch) -> None:
        """Insert, keep the dead letters, let the journal go on.  Bears being done again from the beginning."""
        for block in batch.blocks:
            self._insert(block)
        self.at("inserted")
        self.patience(lambda: self.dead_letters.add(batch.dead))
        self.at("lettered")
        if batch.whole:
            self.patience(lambda: self.journal.advance(batch.end))
        self.patience(self.frozen.discard)
        self.at("done")
        self.state.batches += 1
        self._tell(told)

    def _insert(self, block: Block) -> None:
        self.patience(lambda: self.store.insert_block(TABLE, block.names, block.content, block.token))

    def _tell(self, batch: Batch) -> None:
        try:
            self.stored(batch)
        except Exception:  # noqa: BLE001  # the calls are stored, whatever becomes of what is told of them
            _log.exception("a batch is stored, but not all parts of the collector could be told")


def _letter(call: Arrived, entry: Entry, error: Exception | str) -> DeadLetter:
    told = error if isinstance(error, (str, StoreError)) else f"a fault in otel-llm-cost ({type(error).__name__})"
    ids = f"{call.trace_id.hex()}:{call.span_id.hex()}"
    _log.error("a call cannot be stored and becomes a dead letter, %s: %s", call.ids, told)
    return DeadLetter(only(entry, call.trace_id, call.span_id), str(told), (ids,))
