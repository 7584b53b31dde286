"""What one arrived call cost: which model is priced, in which context, and what is doubtful about the figure.

The price book knows models and usage; this knows calls: the model that answered goes before the one that was asked
for, other models' work for an answer is part of its bill, and an estimate is named as one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from otel_llm_cost.pricing import Context, Cost, PriceBook
from otel_llm_cost.pricing.cost import unknown
from otel_llm_cost.pricing.names import region_of
from otel_llm_cost.record import Call, Usage

from .decode import Arrived
from .rows import LONGEST_TEXT, MOST_MONEY

_OTHER_RATES: Final = frozenset({"flex", "priority", "fast"})
"""Tiers that can be asked for, are not always served, and have a rate of their own."""
_BEDROCK: Final = "aws.bedrock"
_NOTHING_USED: Final = (Usage(), Usage(estimated=True), Usage(estimated=False))
NO_BILL: Final = frozenset({"failed", "no_usage", "bad_usage"})
"""Reasons for which a call has no cost and needs none, or none can be found: nobody said what it used."""


def price(book: PriceBook, arrived: Arrived) -> Cost:
    """The cost of one call, or unknown with the reason.  The model that answered is priced, else the one asked for."""
    call, usage = arrived.call, arrived.call.response.usage
    if arrived.bad_usage:
        return unknown("bad_usage", book.version)
    if usage is None or (usage.input_tokens is usage.output_tokens is None and usage in _NOTHING_USED):
        return unknown("failed" if call.error else "no_usage", book.version)
    provider, at, context = _seller(call), _moment(arrived.start_ns // 60_000_000_000), _context(call)
    answered, asked = _key(call.response.model or call.request.model) or "", _key(call.request.model) or ""
    if provider == _BEDROCK and asked:  # its answers do not say by which profile they came, which sets the price
        answered, asked = asked, answered
    cost = book.price(provider, answered, usage, at, context)
    if cost.total is None and asked and asked != answered:
        other = book.price(provider, asked, usage, at, context)
        if other.total is not None:
            cost = _doubted(other, "request_model")
    if cost.reason == "no_usage" and call.error:  # some instrumentations write zeros where a call failed
        return unknown("failed", book.version)
    if call.response.asides and cost.total is not None:
        cost = _with_asides(book, call, cost, at, context)
    if cost.total is not None and cost.total >= MOST_MONEY:
        return unknown("out_of_range", book.version)
    if cost.total is not None and usage.estimated:
        cost = _doubted(cost, "estimated_usage")
    return _doubted(cost, "served_tier_not_known") if cost.total is not None and _tier_not_known(call) else cost


def _with_asides(book: PriceBook, call: Call, cost: Cost, at: datetime, context: Context) -> Cost:
    """What other models did for the answer is part of its bill, at their own price: as the tool that they are to it."""
    provider = _seller(call)
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


def _seller(call: Call) -> str:
    """Whose prices these are.  OpenAI's decisions have a price list of their own, which the data has as a provider."""
    provider = _key(call.request.provider) or ""
    return "openai-decisions" if (provider, call.request.operation) == ("openai", "decision") else provider


def _context(call: Call) -> Context:
    request, response = call.request, call.response
    geo, host = _key(response.inference_geo), _key(request.server_address)
    return _same_context(_key(response.service_tier), bool(request.batch), _key(response.speed), geo, host)


@lru_cache(1024)
def _same_context(tier: str | None, batch: bool, speed: str | None, geo: str | None, host: str | None) -> Context:
    return Context(service_tier=tier, batch=batch, speed=speed, region=geo or region_of(host))


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


@lru_cache(1024)
def _moment(minute: int) -> datetime:
    """A minute since 1970: some prices change with the hour of the day, so the moment counts and not the day alone."""
    return datetime.fromtimestamp(minute * 60, UTC)
