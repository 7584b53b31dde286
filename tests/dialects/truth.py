"""What a stored row has to say of a call, by what the emulator served; and in which facts it says something else.

A count that was served as zero and one that nobody named are the same here: neither costs anything.  A cost is not:
what cannot be known must not be zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.pricing.cost import Context
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.demo import anthropic_models, openai_models
from otel_llm_cost_exporter.demo.ledger import Entry

COUNTS: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_write_input_tokens",
    "cache_write_1h_tokens": "cache_write_1h_input_tokens",
    "reasoning_tokens": "reasoning_output_tokens",
    "audio_input_tokens": "audio_input_tokens",
    "image_input_tokens": "image_input_tokens",
    "web_search_requests": "web_search_requests",
}
"""Column → what the ledger calls it."""
_TEXTS: Final = ("operation", "provider", "request_model", "response_model", "response_id", "service_tier", "finish")
MONEY: Final = frozenset({"cost", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "calls"})
"""Facts without which a bill is not right."""
_PICO: Final = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A case as the program told it: the calls that it made, and what no ledger knows of them."""

    vendor: str
    case: str
    begin: int
    end: int
    serials: list[int]
    finish: str
    tier: str
    error: str


def differences(
    told: Told, served: Iterable[Entry], rows: Iterable[Mapping[str, Any]], book: PriceBook
) -> dict[str, str]:
    """Fact → what was served and what is stored, for each in which these are not the same."""
    calls = [entry for entry in served if entry.operation]
    counted = [row for row in rows if row["counted"]]
    if told.error:
        return {"program": told.error}
    if len(counted) != len(calls):
        return {"calls": f"{len(calls)} served, {len(counted)} counted"}
    return {
        fact: f"{want!r} served, {have!r} stored"
        for entry, row in zip(calls, counted, strict=True)
        for fact, want, have in _facts(told, entry, row, book)
        if want != have
    }


def _facts(told: Told, entry: Entry, row: Mapping[str, Any], book: PriceBook) -> Iterator[tuple[str, Any, Any]]:
    failed = entry.status >= 400
    want = {
        "operation": entry.operation,
        "provider": entry.vendor,
        "request_model": entry.model,
        "response_model": "" if failed else answered(entry),
        "response_id": entry.response_id,
        "service_tier": told.tier,
        "finish": _reason(told.finish),
    }
    have = {**row, "finish": ",".join(map(_reason, row["finish_reasons"]))}
    yield from ((name, want[name], have[name]) for name in _TEXTS)
    yield "stream", entry.stream, row["stream"]
    usage = entry.usage or Usage()
    yield from ((name, getattr(usage, field) or 0, row[name] or 0) for name, field in COUNTS.items())
    yield "cost", cost(entry, told.tier, told.begin, book), row["cost"]
    if failed:
        yield "status_code", entry.status, row["status_code"]
        yield "error_class", _CLASSES[entry.status], row["error_class"]


def _reason(word: str) -> str:
    """The vendors' words and those of the conventions mean the same."""
    return {"end_turn": "stop", "completed": "stop", "tool_call": "tool_calls"}.get(word.lower(), word.lower())


_CLASSES: Final = {429: "rate_limit", 503: "overloaded"}


def answered(entry: Entry) -> str:
    """The model that answers to the name that was asked for."""
    find = {"openai": openai_models.snapshot, "anthropic": anthropic_models.snapshot}.get(entry.vendor)
    return (find and find(entry.model)) or entry.model


def cost(entry: Entry, tier: str, at_ns: int, book: PriceBook) -> Decimal | None:
    """What the call costs by our own price list, in USD; `None` where the caller was not told what it used."""
    if entry.usage is None:
        return None
    at = datetime.fromtimestamp(at_ns // 10**9, UTC)
    priced = book.price(entry.vendor, answered(entry), entry.usage, at, Context(service_tier=tier or None))
    return None if priced.total is None else Decimal(priced.total) / _PICO
