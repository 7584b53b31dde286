"""Priced calls into the store, exactly once and without losing the good for the bad.

What is inserted is a block: rows, encoded once, under a token made of the very bytes.  However often it is tried the
store keeps it once, and no other rows can ever come under its token.  What may pass is tried again with growing,
jittered pauses.  Where the rows themselves are at fault they are halved until the faulty ones stand alone; those are
refused, the others are stored.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from .rows import TABLE, PricedCall, to_columns
from .store import StoreError

_log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_ROWS: Final = 20_000
"""Rows of one insert: what is larger is cut, each part with a token of its own."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class Inserts(Protocol):
    """What is needed of a store here."""

    def encode(self, table: str, columns: Mapping[str, Sequence[Any]]) -> bytes: ...
    def insert_block(self, table: str, names: Sequence[str], block: bytes, token: str) -> None: ...


class Block(NamedTuple):
    """Rows of `llm_calls` as they are inserted: the columns' names, their values, and how many rows these are."""

    names: tuple[str, ...]
    content: bytes
    rows: int

    @property
    def token(self) -> str:
        """What the block is known by to the store: the same token is the same rows, by construction."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Part:
    """Calls that go one way together: as a block, or (None) nowhere, for they can never be stored, and why."""

    calls: Sequence[PricedCall]
    block: Block | None
    why: str = ""


def encoded(store: Inserts, calls: Sequence[PricedCall]) -> Iterator[Part]:
    """The calls as blocks; those that fit no column stand alone, without one."""
    for start in range(0, len(calls), MOST_ROWS):
        yield from _encoded(store, calls[start : start + MOST_ROWS])


def _encoded(store: Inserts, calls: Sequence[PricedCall]) -> Iterator[Part]:
    try:
        columns = to_columns(calls)
        block = Block(tuple(columns), store.encode(TABLE, columns), len(calls))
    except Exception as error:  # whatever it is, it must not take the good rows with it
        if not rows_at_fault(error):
            raise
        if len(calls) > 1:
            for half in halves(calls):
                yield from _encoded(store, half)
        else:
            yield refused(calls[0], error)
        return
    yield Part(calls, block)


Has = Callable[[Sequence[PricedCall]], Sequence[PricedCall]]
"""Which of these calls the store has, though it refused them: rows are stored before the views that may fail."""


def commit(store: Inserts, calls: Sequence[PricedCall], patience: float, has: Has) -> Iterator[Part]:
    """Store the calls; each part is yielded as soon as it is stored, or found to be impossible to store.

    Tries for about `patience` seconds in all, then raises StoreError; what was yielded before stays stored.
    """
    give_up = time.monotonic() + patience
    for part in encoded(store, calls):
        yield from _committed(store, part, give_up, has)


def _committed(store: Inserts, part: Part, give_up: float, has: Has) -> Iterator[Part]:
    if part.block is None:
        yield part
        return
    try:
        _insert(store, part.block, give_up)
    except StoreError as error:
        if not error.rows_at_fault:
            raise
        stored = patiently(lambda: has(part.calls), give_up)
        if stored:
            yield Part(stored, part.block)
        for left in _smaller(without(part.calls, stored)):
            if len(part.calls) == 1:
                yield refused(left[0], error)
                continue
            for smaller in _encoded(store, left):
                yield from _committed(store, smaller, give_up, has)
        return
    yield part


def without(calls: Sequence[PricedCall], others: Sequence[PricedCall]) -> list[PricedCall]:
    """The calls that are not among the others."""
    keys = {call.arrived.key for call in others}
    return [call for call in calls if call.arrived.key not in keys]


def _smaller(calls: Sequence[PricedCall]) -> Iterator[Sequence[PricedCall]]:
    return filter(None, halves(calls))


def _insert(store: Inserts, block: Block, give_up: float) -> None:
    patiently(lambda: store.insert_block(TABLE, block.names, block.content, block.token), give_up)


def halves(calls: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Two parts of what is known to hold something bad."""
    middle = len(calls) // 2
    return calls[:middle], calls[middle:]


def rows_at_fault(error: Exception) -> bool:
    """What is no StoreError is a fault of ours that some row brings out."""
    return error.rows_at_fault if isinstance(error, StoreError) else not isinstance(error, MemoryError)


def refused(call: PricedCall, error: Exception) -> Part:
    """A call that can never be stored, said in the log by its ids."""
    told = str(error) if isinstance(error, StoreError) else f"a fault in otel-llm-cost ({type(error).__name__})"
    trace = None if isinstance(error, StoreError) else error
    _log.error("a call is refused for good, %s: %s", call.arrived.ids, told, exc_info=trace)
    return Part([call], None, told)


def patiently(do: Callable[[], T], give_up: float) -> T:
    """Have a store do something, again while that may help and it is not later than `give_up` (monotonic seconds)."""
    wait = _FIRST_PAUSE
    while True:
        try:
            return do()
        except StoreError as error:
            jittered = wait * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, not a secret
            if error.rows_at_fault or time.monotonic() + jittered > give_up:
                raise
            _log.warning("%s Trying again in %.1f s.", error, jittered)
        time.sleep(jittered)
        wait = min(2 * wait, _LONGEST_PAUSE)
