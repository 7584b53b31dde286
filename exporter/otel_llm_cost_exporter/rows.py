"""A priced call → a row of `llm_calls`.

`COLUMNS` is the one place where the columns are named in code, in the order of the table's DDL.  Unknown numbers are
None, unknown texts are empty.  Money is an integer of pico-dollars (10^-12 USD), which is the column's own unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any, Final

from otel_llm_cost.attributes import encode_asides
from otel_llm_cost.pricing import Cost
from otel_llm_cost.pricing.buckets import BUCKETS
from otel_llm_cost.pricing.cost import OTHER_MODELS
from otel_llm_cost.record import Error, Usage

from .decode import Arrived

TABLE: Final = "llm_calls"
LONGEST_TEXT: Final = 1024
"""Characters kept of any name or id; nothing real is longer, and one column must not hold a whole prompt."""
MOST_TAGS: Final = 64
MOST_LINES: Final = 64
"""Problems and finish reasons kept of one call."""
_PICO: Final = 10**12
MOST_MONEY: Final = 10**18
"""Decimal(18, 12) holds less than this many pico-dollars: a million dollars."""
_NO_USAGE: Final = Usage()
_NO_ERROR: Final = Error(type="", error_class="unknown")


@dataclass(frozen=True, slots=True)
class PricedCall:
    """A call with its price, and why it is set aside (empty: it is counted)."""

    arrived: Arrived
    cost: Cost
    set_aside: str = ""

    @property
    def usage(self) -> Usage:
        return self.arrived.call.response.usage or _NO_USAGE

    @property
    def error(self) -> Error:
        return self.arrived.call.error or _NO_ERROR


def _text(value: str | None) -> str:
    return value[:LONGEST_TEXT] if value else ""


def _first_chunk_ns(seconds: float | None) -> int | None:
    return round(seconds * 1e9) if seconds is not None and 0 <= seconds < 1e6 else None


def _http_status(code: int | None) -> int | None:
    return code if code is not None and 100 <= code <= 599 else None


def _stated(amount: str | None) -> int | None:
    """A provider's own figure in USD; None where it is no sum of money."""
    if not amount or len(amount) > 64:
        return None
    try:
        dollars = Decimal(amount)
    except InvalidOperation:
        return None
    if not dollars.is_finite() or not 0 <= dollars < MOST_MONEY // _PICO:
        return None
    pico = int(round(dollars, 12).scaleb(12))
    return pico if pico < MOST_MONEY else None


def _tags(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in pairs[:MOST_TAGS]}


COUNTS_WITH_A_COLUMN: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_write_input_tokens",
    "cache_write_1h_tokens": "cache_write_1h_input_tokens",
    "reasoning_tokens": "reasoning_output_tokens",
    "tool_use_tokens": "tool_use_input_tokens",
    "audio_input_tokens": "audio_input_tokens",
    "audio_output_tokens": "audio_output_tokens",
    "image_input_tokens": "image_input_tokens",
    "image_output_tokens": "image_output_tokens",
    "web_search_requests": "web_search_requests",
}
"""Column → field of `Usage`; the counts of the other fields are in the column `usage_other`."""
_NOT_COUNTS: Final = frozenset({"estimated", "estimated_counts"})
OTHER_COUNTS: Final = tuple(
    name for name in Usage._fields if name not in {*COUNTS_WITH_A_COLUMN.values(), *_NOT_COUNTS}
)
_other_counts = attrgetter(*OTHER_COUNTS)
_NO_OTHER: Final = (None,) * len(OTHER_COUNTS)


def _count(field: str) -> Callable[[PricedCall], int | None]:
    read = attrgetter(field)
    return lambda p: read(p.usage)


def _usage_other(usage: Usage) -> dict[str, int]:
    said = _other_counts(usage)
    return {} if said == _NO_OTHER else {n: v for n, v in zip(OTHER_COUNTS, said, strict=True) if v is not None}


def _quantities(cost: Cost) -> dict[str, int]:
    billed = {BUCKETS[index]: quantity for index, quantity in cost.billed}
    return billed if cost.other_models is None else {**billed, OTHER_MODELS: 1}


def _rates(cost: Cost) -> dict[str, int]:
    row = cost.row
    rates = {BUCKETS[index]: rate for index, _ in cost.billed if row and (rate := row[index]) is not None}
    return rates if cost.other_models is None else {**rates, OTHER_MODELS: cost.other_models}


_BILL: Final[dict[str, Callable[[PricedCall], Any]]] = {
    "cost": lambda p: p.cost.total,
    "cost_input": lambda p: p.cost.input,
    "cost_cache_read": lambda p: p.cost.cache_read,
    "cost_cache_write": lambda p: p.cost.cache_write,
    "cost_output": lambda p: p.cost.output,
    "cost_tools": lambda p: p.cost.tools,
    "quantities": lambda p: _quantities(p.cost),
    "rates": lambda p: _rates(p.cost),
}
_PRICE: Final[dict[str, Callable[[PricedCall], Any]]] = {
    "price_status": lambda p: p.cost.status,
    "price_reason": lambda p: p.cost.reason,
    "price_model": lambda p: _text(p.cost.model),
    "price_version": lambda p: p.cost.version,
}
PRICED: Final = _BILL | _PRICE
"""The columns that prices decide, and nothing else does."""

COLUMNS: Final[dict[str, Callable[[PricedCall], Any]]] = {
    "project": lambda p: _text(p.arrived.call.tags.project),
    "feature": lambda p: _text(p.arrived.call.tags.feature),
    "environment": lambda p: _text(p.arrived.environment),
    "service_name": lambda p: _text(p.arrived.service_name),
    "tenant": lambda p: p.arrived.tenant,
    "ts": lambda p: p.arrived.start_ns,
    "duration_ns": lambda p: p.arrived.duration_ns,
    "time_to_first_chunk_ns": lambda p: _first_chunk_ns(p.arrived.call.time_to_first_chunk),
    "trace_id": lambda p: p.arrived.trace_id,
    "span_id": lambda p: p.arrived.span_id,
    "parent_span_id": lambda p: p.arrived.parent_span_id,
    "scope_name": lambda p: _text(p.arrived.scope_name),
    "operation": lambda p: _text(p.arrived.call.request.operation),
    "provider": lambda p: _text(p.arrived.call.request.provider),
    "request_model": lambda p: _text(p.arrived.call.request.model),
    "response_model": lambda p: _text(p.arrived.call.response.model),
    "response_id": lambda p: _text(p.arrived.call.response.id),
    "server_address": lambda p: _text(p.arrived.call.request.server_address),
    "service_tier": lambda p: _text(p.arrived.call.response.service_tier),
    "request_service_tier": lambda p: _text(p.arrived.call.request.service_tier),
    "speed": lambda p: _text(p.arrived.call.response.speed),
    "inference_geo": lambda p: _text(p.arrived.call.response.inference_geo),
    "stream": lambda p: bool(p.arrived.call.request.stream),
    "batch": lambda p: bool(p.arrived.call.request.batch),
    "finish_reasons": lambda p: [
        _text(reason) for _, reason in (p.arrived.call.response.finish_reasons or ())[:MOST_LINES]
    ],
    "user_id": lambda p: _text(p.arrived.call.tags.user),
    "session_id": lambda p: _text(p.arrived.call.tags.session),
    "conversation_id": lambda p: _text(p.arrived.call.request.conversation_id),
    "prompt_name": lambda p: _text(p.arrived.call.request.prompt_name),
    "prompt_version": lambda p: _text(p.arrived.call.request.prompt_version),
    "prompt_fingerprint": lambda p: _text(p.arrived.call.request.prompt_fingerprint),
    "tags": lambda p: _tags(p.arrived.call.tags.extra),
    **{column: _count(field) for column, field in COUNTS_WITH_A_COLUMN.items()},
    "usage_other": lambda p: _usage_other(p.usage),
    "asides": lambda p: encode_asides(p.arrived.call.response.asides or ()),
    "usage_estimated": lambda p: bool(p.usage.estimated),
    "estimated_counts": lambda p: [_text(name) for name in (p.usage.estimated_counts or ())[:MOST_LINES]],
    **_BILL,
    "stated_cost": lambda p: _stated(p.arrived.call.response.stated_cost),
    **_PRICE,
    "repriced_at": lambda _: None,
    "counted": lambda p: not p.set_aside,
    "counted_reason": lambda p: p.set_aside,
    "resend_count": lambda p: p.arrived.call.resend_count,
    "outcome": lambda p: p.arrived.call.outcome or "",
    "error_type": lambda p: _text(p.error.type),
    "error_class": lambda p: p.error.error_class if p.arrived.call.error else "",
    "status_code": lambda p: _http_status(p.error.status_code),
    "problems": lambda p: [_text(line) for line in p.arrived.problems[:MOST_LINES]],
    "received_at": lambda p: p.arrived.received_ns // 1_000_000,
}
"""Column → what a priced call has for it."""


def to_columns(calls: Sequence[PricedCall]) -> dict[str, list[Any]]:
    """The calls as columns, in the order of the table."""
    return {name: [read(call) for call in calls] for name, read in COLUMNS.items()}
