"""The road of one batch, from a range of the journal to the store, and around what cannot pass.

    read [a, b) of the journal → decode → judge, price → freeze on disk → insert → advance the journal to b

Before the freeze nothing has happened; after it, whoever comes next inserts the same bytes under the same tokens, which
the store keeps once.  What cannot pass is halved until it stands alone, and becomes a dead letter.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, NamedTuple, Protocol

from otel_llm_cost_exporter.commit import Block, Inserts, Part, encoded, halves
from otel_llm_cost_exporter.decode import Arrived
from otel_llm_cost_exporter.entry import Entry
from otel_llm_cost_exporter.journal import Journal, Position
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
_DAY_NS: Final = 86_400 * 10**9
_FIRST_DAY: Final = date(1970, 1, 1)


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
    are not known any more, and both are empty.  `days` are the UTC days of all its calls: also where one had been
    stored before, a rollup may have been reached only now, or never.
    """

    entries: Sequence[Entry]
    days: frozenset[date]
    calls: list[PricedCall] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)


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
        told = Batch(read.entries, _days(sent))
        self._store(sent, Frozen(read.start, read.end, (), dead), told)
        self._tell(told)
        self.state.last_seconds = time.monotonic() - began

    def _take_up(self, batch: Frozen) -> None:
        _log.info("taking up a batch of %d calls that was under way", batch.rows)
        entries: Sequence[Entry] = ()
        if batch.whole:
            entries = self.journal.read(start=batch.start, end=batch.end, most_spans=_ALL).entries
        try:
            for block in batch.blocks:
                self._insert(block)
        except StoreError as error:
            if not error.rows_at_fault:
                raise
            _log.error("the batch that was under way holds what the store refuses; it is made anew: %s", error)
            return
        self.at("inserted")
        self.pipeline.counters.stored += batch.rows
        self._settle(batch)
        self._tell(Batch(entries, _days(self._decode(entries)[0])))

    def _decode(self, entries: Sequence[Entry]) -> tuple[list[Sent], list[DeadLetter]]:
        sent: list[Sent] = []
        dead: list[DeadLetter] = []
        for entry in entries:
            try:
                sent += [Sent(call, entry) for call in self.pipeline.decode(entry)]
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001  # a fault of ours costs no other request anything
                _log.error("a request of %d spans cannot be read, and is a dead letter", entry.spans, exc_info=error)
                dead.append(DeadLetter(entry, f"a fault in otel-llm-cost ({type(error).__name__})"))
        return sent, dead

    def _store(self, sent: Sequence[Sent], rest: Frozen, told: Batch) -> None:
        """Store calls of the range of `rest`, and what is in `rest` with them; `told` gets what is stored."""
        before = len(told.calls)
        try:
            batch = self._inserted(sent, rest, told)
        except Exception as error:
            if not sent or not cannot_pass(error):
                raise
            self.frozen.discard()
            stored = {call.arrived.key for call in told.calls[before:]}
            self._store_around(sent, stored, rest, error, told)
        else:
            self._settle(batch)

    def _store_around(
        self, sent: Sequence[Sent], stored: set[bytes], rest: Frozen, error: Exception, told: Batch
    ) -> None:
        """Something among the calls is bad for good: go on without what is stored, with half of them at a time."""
        left = [one for one in sent if one.call.key not in stored]
        if len(left) > 1:
            _log.error(
                "%d of %d calls are tried in parts, for something among them is refused: %s",
                len(left),
                len(sent),
                _why(error),
            )
        if len(left) < len(sent):
            self._store(left, rest, told)
        elif len(left) == 1:
            self._store((), replace(rest, dead=[*rest.dead, _letter(*left[0], error)]), told)
            self.pipeline.counters.refused += 1
        else:
            first, second = halves(left)
            self._store(first, replace(rest, dead=(), whole=False), told)
            self._store(second, rest, told)

    def _inserted(self, sent: Sequence[Sent], rest: Frozen, told: Batch) -> Frozen:
        """Judge, price, freeze and insert; a block is remembered once it is stored, whatever becomes of the next."""
        priced = self.patience(lambda: self.pipeline.judged([call for call, _ in sent]))
        self.at("judged")
        parts = self.patience(lambda: list(encoded(self.store, priced)))
        unfit = [part for part in parts if part.block is None]
        batch = self._freeze(parts, unfit, sent, rest)
        for part in parts:
            if part.block is not None:
                self._store_part(part, part.block, told)
        self.at("inserted")
        told.seen.update({call.key for call, _ in sent}.difference(call.arrived.key for call in priced))
        self.pipeline.counters.dropped_as_seen += len(sent) - len(priced)
        self.pipeline.counters.refused += len(unfit)
        return batch

    def _store_part(self, part: Part, block: Block, told: Batch) -> None:
        refusal, stored = None, part.calls
        try:
            self._insert(block)
        except StoreError as error:
            refusal, stored = error, self.patience(lambda: self.pipeline.has(part.calls))
        told.calls.extend(stored)
        self.pipeline.remember(stored)
        if refusal is not None:
            raise refusal

    def _freeze(self, parts: Sequence[Part], unfit: Sequence[Part], sent: Sequence[Sent], rest: Frozen) -> Frozen:
        came_in = {call.key: entry for call, entry in sent} if unfit else {}
        dead = [_letter(call := part.calls[0].arrived, came_in[call.key], part.why) for part in unfit]
        batch = replace(rest, blocks=[part.block for part in parts if part.block], dead=[*rest.dead, *dead])
        if batch.blocks or batch.dead:
            self.patience(lambda: self.frozen.write(batch))
        self.at("frozen")
        return batch

    def _settle(self, batch: Frozen) -> None:
        """Once all is inserted: keep the dead letters, let the journal go on."""
        self.patience(lambda: self.dead_letters.add(batch.dead))
        self.at("lettered")
        if batch.whole:
            self.patience(lambda: self._advance(batch.end))
        self.patience(self.frozen.discard)
        self.at("done")
        self.state.batches += 1

    def _advance(self, to: Position) -> None:
        self.journal.advance(min(to, self.journal.tail))  # a disk may have lost the end of what is frozen

    def _insert(self, block: Block) -> None:
        self.patience(lambda: self.store.insert_block(TABLE, block.names, block.content, block.token))

    def _tell(self, batch: Batch) -> None:
        try:
            self.stored(batch)
        except Exception:  # noqa: BLE001  # the calls are stored, whatever becomes of what is told of them
            _log.exception("a batch is stored, but not all parts of the collector could be told")


def _days(sent: Sequence[Sent]) -> frozenset[date]:
    days = {call.start_ns // _DAY_NS for call, _ in sent}
    return frozenset(_FIRST_DAY + timedelta(days=day) for day in days)


def _why(error: Exception | str) -> str:
    return str(error) if isinstance(error, (str, StoreError)) else f"a fault in otel-llm-cost ({type(error).__name__})"


def _letter(call: Arrived, entry: Entry, error: Exception | str) -> DeadLetter:
    told = _why(error)
    ids = f"{call.trace_id.hex()}:{call.span_id.hex()}"
    _log.error("a call cannot be stored and becomes a dead letter, %s: %s", call.ids, told)
    return DeadLetter(only(entry, call.trace_id, call.span_id), told, (ids,))
