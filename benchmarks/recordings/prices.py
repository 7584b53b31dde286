"""Every call of ours priced as the collector prices it, so that a public model without a price shows.

A model that has no price must have a reason to have none: nobody publishes one for it, or nothing was used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from otel_llm_cost import attributes
from otel_llm_cost.pricing import Cost, PriceBook
from otel_llm_cost.record import Call
from otel_llm_cost_exporter.costing import NO_BILL, price
from otel_llm_cost_exporter.decode import Arrived

_NS: Final = 10**9

_NOT_PUBLIC: Final = {
    "huggingface": "a router: the price is that of the provider it chose, which the answer does not name",
    "ollama": "its own machine, or a subscription: no price by the token",
    "portkey": "a gateway: the price is that of the vendor behind it, which the answer does not name",
    "snowflake": "sold in credits, whose price is in a contract",
}
"""Provider → why no price of its is public."""
_NO_PRICE_OF_ITS_OWN: Final = {
    ("groq", "groq/compound"): "billed as the models and tools that it called, which the usage adds up",
    ("openai", "muse-spark-1.1"): "no model of OpenAI: a test sent it to OpenAI's host",
}
NOTHING_USED: Final = NO_BILL
"""Reasons to have no cost and to need none."""
_PREPAID: Final = frozenset(("PROVISIONED_THROUGHPUT",))


@dataclass
class Bill:
    """What calls of one model came to."""

    calls: int = 0
    pico: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    """Reasons of what is guessed or missing."""
    not_public: Counter[str] = field(default_factory=Counter)
    """Why calls have no cost although nothing is amiss: no public price, or nothing used."""
    unpriced: Counter[str] = field(default_factory=Counter)
    """Reasons of calls that should have a cost and have none."""


Bills = dict[tuple[str, str], Bill]
"""(provider, model that answered) → its bill."""


def bills(spans: Iterable[Mapping[str, Any]]) -> Bills:
    """The calls among spans (their attributes), at today's prices, by provider and model."""
    book, now = PriceBook.vendored(), int(datetime.now(UTC).timestamp()) * _NS
    found: Bills = {}
    for span in spans:
        call = attributes.decode(span).call
        if call.response.usage is not None and call.request.provider is not None:
            key = (call.request.provider, call.response.model or call.request.model or "?")
            _add(found.setdefault(key, Bill()), call, price(book, _arrived(call, now)))
    return found


def _arrived(call: Call, now: int) -> Arrived:
    return Arrived(
        trace_id=b"", span_id=b"", parent_span_id=b"", start_ns=now, duration_ns=0, received_ns=now, call=call
    )


def _add(bill: Bill, call: Call, cost: Cost) -> None:
    bill.calls += 1
    bill.statuses[cost.status] += 1
    if cost.total is not None:
        bill.pico += cost.total
        if cost.status in ("fallback", "partial"):
            bill.doubts[cost.reason] += 1
    elif why := why_not_public(call, cost):
        bill.not_public[why] += 1
    else:
        bill.unpriced[cost.reason] += 1


def why_not_public(call: Call, cost: Cost) -> str:
    """Why a call without a cost may be without; "" if it may not."""
    provider, model = call.request.provider or "", call.response.model or call.request.model or ""
    if cost.reason in NOTHING_USED:
        return cost.reason
    if "_exceeds_" in cost.reason:
        return "free, and its usage contradicts itself"
    if call.response.service_tier in _PREPAID:
        return "capacity bought beforehand: its price is in a contract"
    if provider == (call.request.server_address or "").lower():
        return "a server of the caller's own: an overlay may price it by its host"
    return _NOT_PUBLIC.get(provider) or _NO_PRICE_OF_ITS_OWN.get((provider, model), "")
