"""The road from an arrived call to its row: judge, price, store.

In the collector the flusher goes it by steps, with the frozen batch on disk between them; the in-process exporter goes
it at once (`take`, `write`).  Both so do the same to the same spans.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_llm_cost.pricing import Cost, PriceBook
from otel_llm_cost.pricing.cost import unknown
from otel_llm_cost.record import Call

from .commit import Inserts, commit, patiently
from .costing import NO_BILL, price
from .decode import MOST_SPANS, Arrived, decode_body
from .dedupe import Window, billed_long_ago
from .entry import Entry
from .recall import Asks, begun, billed, kept, latest
from .rows import PricedCall

_log = logging.getLogger(__name__)

_MOST_WARNINGS: Final = 1_000
_KEYS_LAST_NS: Final = 86_400 * 10**9
"""Of what was received so long ago the store may have no keys any more: it keeps them by the day."""
_SMALLEST_WINDOW: Final = 2 * MOST_SPANS
"""Calls.  The largest request must be remembered whole, and another with it, or sent again it is billed again."""


@dataclass(slots=True)
class Counters:
    """Calls since the start."""

    stored: int = 0
    dropped_as_seen: int = 0
    set_aside: Counter[str] = field(default_factory=Counter)
    """By reason."""
    refused: int = 0
    unknown_price: int = 0


class Pipeline:
    """Judge, price and store.  `write` is safe to call from several threads; one batch is written at a time.

    `patience` is how long in seconds a store is waited for that does not take a batch; `window` how many calls are
    remembered, ValueError if that is not twice the largest request; `hosts` who is behind a host that nobody knows, as
    `otel_llm_cost.hosts.named` reads it.
    """

    def __init__(
        self,
        store: Inserts,
        book: PriceBook,
        *,
        patience: float = 5.0,
        window: int = _SMALLEST_WINDOW,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        if window < _SMALLEST_WINDOW:
            raise ValueError(f"a window of {window} calls is too small: {_SMALLEST_WINDOW} or more are needed")
        self.counters = Counters()
        self._store = store
        self._book = book
        self._patience = patience
        self._window = Window(window)
        self._hosts = hosts or {}
        self._warned: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()
        self._asks: Asks | None = None
        self._began_ns = 0

    def recall(self, store: Asks) -> None:
        """Remember what the store took last, so that what is sent again after a restart is not billed again.

        From then on the store is also asked about every batch: another process may have stored a part of it.
        """
        self._asks = store
        self._began_ns = time.time_ns()
        self._window.remember(latest(store, self._window.size))

    def take(self, entry: Entry) -> int:
        """Store the calls of a request and return how many can never be stored; see `entry.Sink`."""
        return self.write(self.decode(entry))

    def decode(self, entry: Entry) -> list[Arrived]:
        """The calls of a request."""
        return decode_body(entry.body, entry.received_ns, self._hosts, entry.sender).calls

    def write(self, calls: Sequence[Arrived]) -> int:
        """Store the calls and return how many can never be stored; StoreError if the store does not take them now."""
        refused = 0
        if not calls:
            return 0
        with self._lock:
            priced = patiently(lambda: self.judged(calls), time.monotonic() + self._patience)
            for part in commit(self._store, priced, self._patience, self.has):
                if part.block is not None:
                    self.remember(part.calls)
                else:
                    refused += len(part.calls)
            self.counters.refused += refused
            self.counters.dropped_as_seen += len(calls) - len(priced)
        return refused

    def judged(self, calls: Sequence[Arrived]) -> list[PricedCall]:
        """The calls that are to be stored, each judged and priced.  StoreError if the store cannot be asked now.

        For one thread at a time, as `remember`, which is to be called before the next batch is judged.  Counts nothing,
        for calls may be judged again before they are stored.
        """
        self._ask_about(calls)
        judged = self._window.judge(calls)
        return [PricedCall(call, self._price(call), reason) for call, reason in judged.kept]

    def remember(self, stored: Sequence[PricedCall]) -> None:
        """Take note of calls that are stored now."""
        self._window.remember([(call.arrived, call.set_aside) for call in stored])
        self.counters.stored += len(stored)
        self.counters.set_aside.update(call.set_aside for call in stored if call.set_aside)
        self.counters.unknown_price += sum(map(_lacks_a_price, stored))

    def has(self, refused: Sequence[PricedCall]) -> list[PricedCall]:
        """Those that the store has although it refused them: a view failed.  StoreError if it cannot be asked now."""
        if self._asks is None:
            return []
        stored = {call.key for call, _ in begun(self._asks, [call.arrived for call in refused])}
        return [call for call in refused if call.arrived.key in stored]

    def _ask_about(self, calls: Sequence[Arrived]) -> None:
        if self._asks is not None:
            strangers = self._window.strangers(calls)
            self._window.remember(begun(self._asks, self._of_before(strangers)))
            self._window.remember(kept(self._asks, strangers))
            self._window.remember(billed(self._asks, billed_long_ago(strangers)))

    def _of_before(self, calls: Sequence[Arrived]) -> list[Arrived]:
        """Those that the store may have without their keys.

        Keys are kept for days only, counted from the receipt, and an earlier process may have died at an insert that
        did not reach them.
        """
        before = max(self._began_ns, time.time_ns() - _KEYS_LAST_NS)
        return [call for call in calls if call.received_ns < before]

    def _price(self, call: Arrived) -> Cost:
        try:
            cost = price(self._book, call)
        except MemoryError:
            raise  # it may pass, and the call then has its price
        except Exception:  # noqa: BLE001  # a fault of ours costs one call its price, not the batch its rows
            _log.exception("a call is stored without a cost for a fault in otel-llm-cost, %s", call.ids)
            return unknown("pricing_fault", self._book.version)
        if _is_unknown(cost):
            self._warn_of_unknown(call.call, cost.reason)
        return cost

    def _warn_of_unknown(self, call: Call, reason: str) -> None:
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


def _is_unknown(cost: Cost) -> bool:
    return cost.total is None and cost.reason not in NO_BILL


def _lacks_a_price(call: PricedCall) -> bool:
    return _is_unknown(call.cost)


def _name(text: str | None) -> str:
    return (text or "")[:200]
