"""Every call of ours priced, so that a public model without a price shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from otel_llm_cost import attributes
from otel_llm_cost.pricing import Context, PriceBook


def statuses(spans: Iterable[Mapping[str, Any]]) -> tuple[Counter[str], Counter[str]]:
    """How often each price status, and how often each model went unpriced, with the reason."""
    book, today = PriceBook.vendored(), datetime.now(UTC).date()
    status: Counter[str] = Counter()
    unpriced: Counter[str] = Counter()
    for span in spans:
        call = attributes.decode(span).call
        if call.response.usage is None or call.request.provider is None:
            continue
        model = call.response.model or call.request.model or ""
        tier = Context(service_tier=call.response.service_tier)
        cost = book.price(call.request.provider, model, call.response.usage, today, tier)
        status[cost.status] += 1
        if cost.total is None:
            unpriced[f"{call.request.provider} {model}: {cost.reason}"] += 1
    return status, unpriced
