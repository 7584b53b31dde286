"""A priced call → a row of `llm_calls`.

`COLUMNS` is the one place where the columns are named in code, in the order of the table's DDL.  Unknown numbers are
None, unknown texts are empty.  Money is an integer of pico-dollars (10^-12 USD), which is the column's own unit.

A column is a field of one record and how it is written.  So a batch is made column by column: the field of all calls,
and of what is the same in many of them only one is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any, Final, NamedTuple, cast

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
_NO_ERROR: Final = Error(type="", error_class=cast(Any, ""))


class PricedCall(NamedTuple):
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


class Column(NamedTuple):
    """A column of the table: which record of a call has it, under what name, and how a value of it is written."""

    of: str
    field: str
    """A field of the record; where it is empty the record itself is the value."""
    written: Callable[[Any], Any] | None = None

    def __call__(self, call: PricedCall) -> Any:
        """What one call has for it."""
        (value,) = self.whole([_RECORDS[self.of](call)])
        return value

    def whole(self, records: Sequence[Any]) -> list[Any]:
        """What many calls have for it, of each its record."""
        if not self.field:
            return [self.written(record) if self.written else record for record in records]
        values = list(map(attrgetter(self.field), records))
        return values if self.written is None else _each(self.written, values)


def _each(written: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    """Every value as it is written; values that are the same may share what is written of them."""
    if values.count(values[0]) == len(values):
        return [written(values[0])] * len(values)
    distinct = set(values)
    if 2 * len(distinct) > len(values):
        return list(map(written, values))
    made = {value: written(value) for value in distinct}
    if all(value is written for value, written in made.items()):
        return values
    return list(map(made.__getitem__, values))


def _text(value: str | None) -> str:
    return value[:LONGEST_TEXT] if value else ""


def _flag(value: bool | None) -> bool:
    return bool(value)


def _or_empty(value: str | None) -> str:
    return value or ""


def _texts(values: tuple[str, ...] | None) -> list[str]:
    return [_text(value) for value in (values or ())[:MOST_LINES]]


def _reasons(reasons: tuple[tuple[int, str], ...] | None) -> list[str]:
    return [_text(reason) for _, reason in (reasons or ())[:MOST_LINES]]


def _milliseconds(ns: int) -> int:
    return ns // 1_000_000


def _never(_: object) -> None:
    return None


def _counted(set_aside: str) -> bool:
    return not set_aside


def _asides(asides: tuple[tuple[str, Usage], ...] | None) -> list[str]:
    return encode_asides(asides or ())


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


_RECORDS: Final[dict[str, Callable[[PricedCall], Any]]] = {
    "priced": lambda p: p,
    "arrived": attrgetter("arrived"),
    "call": attrgetter("arrived.call"),
    "request": attrgetter("arrived.call.request"),
    "response": attrgetter("arrived.call.response"),
    "tags": attrgetter("arrived.call.tags"),
    "usage": attrgetter("usage"),
    "error": attrgetter("error"),
    "cost": attrgetter("cost"),
}
"""The records of a call that columns are fields of."""

_BILL: Final = {
    "cost": Column("cost", "total"),
    "cost_input": Column("cost", "input"),
    "cost_cache_read": Column("cost", "cache_read"),
    "cost_cache_write": Column("cost", "cache_write"),
    "cost_output": Column("cost", "output"),
    "cost_tools": Column("cost", "tools"),
    "quantities": Column("cost", "", _quantities),
    "rates": Column("cost", "", _rates),
}
_PRICE: Final = {
    "price_status": Column("cost", "status"),
    "price_reason": Column("cost", "reason"),
    "price_model": Column("cost", "model", _text),
    "price_version": Column("cost", "version"),
}
PRICED: Final = _BILL | _PRICE
"""The columns that prices decide, and nothing else does."""

COLUMNS: Final[dict[str, Column]] = {
    "project": Column("tags", "project", _text),
    "feature": Column("tags", "feature", _text),
    "environment": Column("arrived", "environment", _text),
    "service_name": Column("arrived", "service_name", _text),
    "tenant": Column("arrived", "tenant"),
    "ts": Column("arrived", "start_ns"),
    "duration_ns": Column("arrived", "duration_ns"),
    "time_to_first_chunk_ns": Column("call", "time_to_first_chunk", _first_chunk_ns),
    "trace_id": Column("arrived", "trace_id"),
    "span_id": Column("arrived", "span_id"),
    "parent_span_id": Column("arrived", "parent_span_id"),
    "scope_name": Column("arrived", "scope_name", _text),
    "operation": Column("request", "operation", _text),
    "provider": Column("request", "provider", _text),
    "request_model": Column("request", "model", _text),
    "response_model": Column("response", "model", _text),
    "response_id": Column("response", "id", _text),
    "server_address": Column("request", "server_address", _text),
    "service_tier": Column("response", "service_tier", _text),
    "request_service_tier": Column("request", "service_tier", _text),
    "speed": Column("response", "speed", _text),
    "inference_geo": Column("response", "inference_geo", _text),
    "stream": Column("request", "stream", _flag),
    "batch": Column("request", "batch", _flag),
    "finish_reasons": Column("response", "finish_reasons", _reasons),
    "user_id": Column("tags", "user", _text),
    "session_id": Column("tags", "session", _text),
    "conversation_id": Column("request", "conversation_id", _text),
    "prompt_name": Column("request", "prompt_name", _text),
    "prompt_version": Column("request", "prompt_version", _text),
    "prompt_fingerprint": Column("request", "prompt_fingerprint", _text),
    "tags": Column("tags", "extra", _tags),
    **{column: Column("usage", field) for column, field in COUNTS_WITH_A_COLUMN.items()},
    "usage_other": Column("usage", "", _usage_other),
    "asides": Column("response", "asides", _asides),
    "usage_estimated": Column("usage", "estimated", _flag),
    "estimated_counts": Column("usage", "estimated_counts", _texts),
    **_BILL,
    "stated_cost": Column("response", "stated_cost", _stated),
    **_PRICE,
    "repriced_at": Column("priced", "set_aside", _never),
    "counted": Column("priced", "set_aside", _counted),
    "counted_reason": Column("priced", "set_aside"),
    "resend_count": Column("call", "resend_count"),
    "outcome": Column("call", "outcome", _or_empty),
    "error_type": Column("error", "type", _text),
    "error_class": Column("error", "error_class"),
    "status_code": Column("error", "status_code", _http_status),
    "problems": Column("arrived", "problems", _texts),
    "received_at": Column("arrived", "received_ns", _milliseconds),
}
"""Column → where a priced call has it."""


def to_columns(calls: Sequence[PricedCall]) -> dict[str, list[Any]]:
    """The calls (one at least) as columns, in the order of the table."""
    records = {name: list(map(record, calls)) for name, record in _RECORDS.items()}
    return {name: column.whole(records[column.of]) for name, column in COLUMNS.items()}
