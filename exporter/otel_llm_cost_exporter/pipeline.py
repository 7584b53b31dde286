"""The road from an arrived call to its row: judge, price, store.

`Pipeline.write` is all of it, for one batch at a time.  The collector puts a writer thread in front of it; the
in-process exporter calls it directly.  Both so do the same to the same spans.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from otel_llm_cost.pricing import Context, Cost, PriceBook
from otel_llm_cost.pricing.cost import unknown
from otel_llm_cost.record import Call, Usage

from .commit import Inserts, commit
from .decode import MOST_SPANS, Arrived
from .dedupe import BILLED, RECALL, Window, billed_long_ago
from .rows import LONGEST_TEXT, MOST_MONEY, PricedCall

_log = logging.getLogger(__name__)

_NOTHING_USED: Final = (Usage(), Usage(estimated=True), Usage(estimated=False))
_MOST_WARNINGS: Final = 1_000
_SMALLEST_WINDOW: Final = 2 * MOST_SPANS
"""Calls.  The largest request must be remembered whole, and another with it, or sent again it is billed again."""
_BEDROCK: Final = "aws.bedrock"
_MOST_IDS: Final = 2_000
"""Response ids of one question to the store."""
_OTHER_RATES: Final = frozenset({"flex", "priority"})
"""Tiers that can be asked for, are not always served, and have a rate of their own."""


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


class Asks(Protocol):
    """What is needed of a store to recall what is in it."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


class Pipeline:
    """Judge, price and store.  Safe to call from several threads; one batch is written at a time.

    `patience` is how long in seconds a store is waited for that does not take a batch; `window` how many calls are
    remembered, ValueError if that is not twice the largest request.
    """

    def __init__(
        self, store: Inserts, book: PriceBook, *, patience: float = 5.0, window: int = _SMALLEST_WINDOW
    ) -> None:
        if window < _SMALLEST_WINDOW:
            raise ValueError(f"a window of {window} calls is too small: {_SMALLEST_WINDOW} or more are needed")
        self.counters = Counters()
        self._store = store
        self._book = book
        self._patience = patience
        self._window = Window(window)
        self._warned: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()
        self._asks: Asks | None = None

    def recall(self, store: Asks) -> None:
        """Remember what the store took last, so that what is sent again after a restart is not billed again.

        The store is also asked later, about calls that may have been billed days ago.
        """
        with self._lock:
            self._asks = store
            self._window.recall(store.query(RECALL, {"size": self._window.size}))

    def write(self, calls: Sequence[Arrived]) -> int:
        """Store the calls and return how many can never be stored; StoreError if the store does not take them now."""
        return len(self.write_batch(calls))

    def write_batch(self, calls: Sequence[Arrived]) -> set[bytes]:
        """As `write`, but the keys of the refused spans."""
        refused: set[bytes] = set()
        with self._lock:
            self._ask_about(billed_long_ago(calls))
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

    def _ask_about(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids) if self._asks else 0, _MOST_IDS):
            part = ids[start : start + _MOST_IDS]
            self._window.remember_billed(self._asks.query(BILLED, {"ids": part}) if self._asks else ())

    def _price(self, call: Arrived) -> Cost:
        try:
            cost = price(self._book, call)
        except Exception:  # noqa: BLE001  # a fault of ours costs one call its price, not the batch its rows
            _log.exception("a call is stored without a cost for a fault in otel-llm-cost, %s", call.ids)
            return unknown("pricing_fault", self._book.version)
        if cost.total is None and cost.reason not in _NO_BILL:
            self._note_unknown(call.call, cost.reason)
        return cost

    def _note_unknown(self, call: Call, reason: str) -> None:
        self.counters.unknown_price += 1
        key = (_name(call.request.provider), _name(call.response.model or call.request.model), reason)
        if key not in self._warned and len(self._warned) < _MOST_WARNINGS:
            self._warned.add(key)
            _log.warning(
                "calls of model %r of provider %r are stored without a cost: %s. "
                "`otel-llm-cost prices show` lists what is known.",
                key[1],
                key[0],
                reason,
            )


_NO_BILL: Final = frozenset({"failed", "no_usage", "bad_usage"})


def price(book: PriceBook, arrived: Arrived) -> Cost:
    """The cost of one call, or unknown with the reason.  The model that answered is priced, else the one asked for."""
    call, usage = arrived.call, arrived.call.response.usage
    if arrived.bad_usage:
        return unknown("bad_usage", book.version)
    if usage is None or (usage.input_tokens is usage.output_tokens is None and usage in _NOTHING_USED):
        return unknown("failed" if call.error else "no_usage", book.version)
    provider, at, context = _key(call.request.provider) or "", _moment(arrived.start_ns), _context(call)
    answered, asked = _key(call.response.model or call.request.model) or "", _key(call.request.model) or ""
    if provider == _BEDROCK and asked:  # its answers do not say by which profile they came, which sets the price
        answered, asked = asked, answered
    cost = book.price(provider, answered, usage, at, context)
    if cost.total is None and asked and asked != answered:
        other = book.price(provider, asked, usage, at, context)
        if other.total is not None:
            cost = other._replace(status="fallback", reason="request_model") if other.status != "partial" else other
    if cost.reason == "no_usage" and call.error:  # some instrumentations write zeros where a call failed
        return unknown("failed", book.version)
    if cost.total is not None and abs(cost.total) >= MOST_MONEY:
        return unknown("out_of_range", book.version)
    if call.response.asides and cost.total is not None:
        cost = _with_asides(book, call, cost, at, context)
    if cost.total is not None and usage.estimated:
        cost = _doubted(cost, "estimated_usage")
    return _doubted(cost, "served_tier_not_known") if cost.total is not None and _tier_not_known(call) else cost


def _with_asides(book: PriceBook, call: Call, cost: Cost, at: datetime, context: Context) -> Cost:
    """What other models did for the answer is part of its bill, at their own price: as the tool that they are to it."""
    provider = _key(call.request.provider) or ""
    for model, usage in call.response.asides or ():
        aside = book.price(provider, _key(model) or "", usage, at, context)
        if aside.total is None or cost.total is None:
            reasons = (cost.reason, f"aside_{aside.reason}")
            cost = cost._replace(status="partial", reason=",".join(filter(None, reasons)))
        else:
            cost = cost._replace(
                total=cost.total + aside.total,
                tools=(cost.tools or 0) + aside.total,
                other_models=(cost.other_models or 0) + aside.total,
            )
    return cost


def _context(call: Call) -> Context:
    return Context(
        service_tier=_key(call.response.service_tier),
        batch=bool(call.request.batch),
        speed=_key(call.response.speed),
        region=_key(call.response.inference_geo),
    )


def _tier_not_known(call: Call) -> bool:
    """Whether a tier with another rate was asked for and nobody says that it was served."""
    return call.response.service_tier is None and (call.request.service_tier or "").lower() in _OTHER_RATES


def _doubted(cost: Cost, why: str) -> Cost:
    """A guess, named as one; an override or a part keeps its status."""
    status = "fallback" if cost.status in ("exact", "alias") else cost.status
    return cost._replace(status=status, reason=",".join(filter(None, (cost.reason, why))))


def _key(text: str | None) -> str | None:
    """The price book remembers what it is asked by, and that must not be a text of any length."""
    return text[:LONGEST_TEXT] if text else text


def _moment(start_ns: int) -> datetime:
    """Some prices change with the hour of the day, so the moment counts and not the day alone."""
    return datetime.fromtimestamp(start_ns // 10**9, UTC)


def _name(text: str | None) -> str:
    return (text or "")[:200]
