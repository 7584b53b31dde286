"""Rows into the store, exactly once and without losing the good for the bad.

A batch is frozen: its rows and the token made from them never change, so however often it is tried the store keeps
it once.  What may pass is tried again with growing, jittered pauses for a bounded time.  Where the rows themselves
are at fault the batch is halved until the faulty ones stand alone; those are refused, the others are stored.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

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

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Calls that went one way together: stored, or refused for good."""

    calls: Sequence[PricedCall]
    stored: bool


def commit(store: Inserts, calls: Sequence[PricedCall], patience: float) -> Iterator[Part]:
    """Store the calls; each part is yielded as soon as it is stored, or found to be impossible to store.

    Tries for about `patience` seconds in all, then raises StoreError; what was yielded before stays stored.
    """
    give_up = time.monotonic() + patience
    for start in range(0, len(calls), MOST_ROWS):
        yield from _halving(store, calls[start : start + MOST_ROWS], give_up)


def _halving(store: Inserts, calls: Sequence[PricedCall], give_up: float) -> Iterator[Part]:
    try:
        _persist(store, calls, give_up)
    except Exception as error:  # whatever it is, it must not take the good rows with it
        if not _rows_at_fault(error):
            raise
        if len(calls) > 1:
            middle = len(calls) // 2
            yield from _halving(store, calls[:middle], give_up)
            yield from _halving(store, calls[middle:], give_up)
            return
        _refuse(calls[0], error)
        yield Part(calls, stored=False)
        return
    yield Part(calls, stored=True)


def _rows_at_fault(error: Exception) -> bool:
    """What is no StoreError is a fault of ours that some row brings out."""
    return error.rows_at_fault if isinstance(error, StoreError) else not isinstance(error, MemoryError)


def _refuse(call: PricedCall, error: Exception) -> None:
    told = error if isinstance(error, StoreError) else f"a fault in otel-llm-cost ({type(error).__name__})"
    trace = None if isinstance(error, StoreError) else error
    _log.error("a call is refused for good, %s: %s", call.arrived.ids, told, exc_info=trace)


def _persist(store: Inserts, calls: Sequence[PricedCall], give_up: float) -> None:
    columns, token = to_columns(calls), token_of(calls)
    patiently(lambda: store.insert(TABLE, columns, token), give_up)


def patiently(do: Callable[[], T], give_up: float) -> T:
    """Have a store do something, again while that may help and it is not later than `give_up` (monotonic seconds)."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return do()
        except StoreError as error:
            wait = pause * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, not a secret
            if error.rows_at_fault or time.monotonic() + wait > give_up:
                raise
            _log.warning("%s Trying again in %.1f s.", error, wait)
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE)


def token_of(calls: Sequence[PricedCall]) -> str:
    """What this batch is known by: its spans in order, what was judged of them and the prices they got."""
    digest = hashlib.sha256()
    for call in calls:
        digest.update(call.arrived.key)
        digest.update(f"{call.set_aside} {call.cost.version}\n".encode())
    return digest.hexdigest()
