"""The road from an arrived call to its row: judge, price, store.

`Pipeline.write` is all of it, for one batch at a time.  The collector puts a writer thread in front of it; the
in-process exporter calls it directly.  Both so do the same to the same spans.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from otel_llm_cost.pricing import Context, Cost, PriceBook
from otel_llm_cost.pricing.cost import unknown
from otel_llm_cost.record import Call, Usage

from .commit import Inserts, commit
from .decode import Arrived
from .dedupe import Window
from .rows import MOST_MONEY, PricedCall

_log = logging.getLogger(__name__)

_NOTHING_USED: Final = (Usage(), Usage(estimated=True), Usage(estimated=False))
_MOST_WARNINGS: Final = 1_000


class Sink(Protocol):
    """Where decoded calls go.  `write` returns when they are stored, with the number that can never be."""

    def write(self, calls: Sequence[Arrived]) -> int: ...


@dataclass(slots=True)
class Counters:
    """What happened since the start; the health endpoint shows it."""

    stored: int = 0
    dropped_as_seen: int = 0
    refused: int = 0
    unknown_price: int = 0


class Pipeline:
    """Judge, price and store.  Safe to call from several threads; one batch is written at a time."""

    def __init__(self, store: Inserts, book: PriceBook, *, patience: float = 5.0, window: int = 100_000) -> None:
        self.counters = Counters()
        self._store = store
        self._book = book
        self._patience = patience
        self._window = Window(window)
        self._warned: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def write(self, calls: Sequence[Arrived]) -> int:
        """Store the calls and return how many can never be stored; StoreError if the store does not take them now."""
        return len(self.write_batch(calls))

    def write_batch(self, calls: Sequence[Arrived]) -> set[bytes]:
        """As `write`, but the keys of the refused spans."""
        refused: set[bytes] = set()
        with self._lock:
            judged = self._window.judge(calls)
            self.counters.dropped_as_seen += judged.dropped
            priced = [PricedCall(call, self._price(call), reason) for call, reason in judged.kept]
            for part in commit(self._store, priced, self._patience):
                if part.stored:
                    self._window.remember((call.arrived, call.set_aside) for call in part.calls)
                    self.counters.stored += len(part.calls)
                else:
                    refused.update(call.arrived.key for call in part.calls)
            self.counters.refused += len(refused)
        return refused

    def _price(self, call: Arrived) -> Cost:
        cost = price(self._book, call)
        if cost.total is None and cost.reason not in _NO_BILL:
            self._note_unknown(call.call)
        return cost

    def _note_unknown(self, call: Call) -> None:
        self.counters.unknown_price += 1
        key = (_name(call.request.provider), _name(call.response.model or call.request.model))
        if key not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(key)
            _log.warning(
                "no price is known for model %r of provider %r: its calls are stored without a cost. "
                "`otel-llm-cost prices show` lists what is known.",
                key[1],
                key[0],
            )


_NO_BILL: Final = frozenset({"failed", "no_usage", "bad_usage"})


def price(book: PriceBook, arrived: Arrived) -> Cost:
    """The cost of one call, or unknown with the reason.  The model that answered is priced, else the one asked for."""
    call, usage = arrived.call, arrived.call.response.usage
    if arrived.bad_usage:
        return unknown("bad_usage", book.version)
    if usage is None or (usage.input_tokens is usage.output_tokens is None and usage in _NOTHING_USED):
        return unknown("failed" if call.error else "no_usage", book.version)
    provider, at, context = call.request.provider or "", _moment(arrived.start_ns), _context(call)
    answered, asked = call.response.model or call.request.model or "", call.request.model or ""
    cost = book.price(provider, answered, usage, at, context)
    if cost.total is None and asked and asked != answered:
        other = book.price(provider, asked, usage, at, context)
        if other.total is not None:
            cost = replace(other, status="fallback", reason="request_model") if other.status != "partial" else other
    if cost.total is not None and abs(cost.total) >= MOST_MONEY:
        return unknown("out_of_range", book.version)
    return cost


def _context(call: Call) -> Context:
    return Context(
        service_tier=call.response.service_tier,
        batch=bool(call.request.batch),
        speed=call.response.speed,
        region=call.response.inference_geo,
    )


def _moment(start_ns: int) -> datetime:
    """Some prices change with the hour of the day, so the moment counts and not the day alone."""
    return datetime.fromtimestamp(start_ns // 10**9, UTC)


def _name(text: str | None) -> str:
    return (text or "")[:200]
