"""A row of `llm_calls` → the call it was made of: `rows` backwards.

A row is read back to be priced again, or to know another telling of its call.  What neither depends on is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm_cost.attributes import decode_asides
from otel_llm_cost.record import Call, Error, Request, Response, Usage

from .decode import Arrived
from .rows import COUNTS_WITH_A_COLUMN

_COLUMNS: Final = (
    *("trace_id", "span_id", "parent_span_id", "scope_name", "service_name", "tenant", "duration_ns"),
    *("operation", "provider", "request_model", "response_model", "response_id", "server_address"),
    *("service_tier", "request_service_tier", "speed", "inference_geo", "batch", "usage_other", "asides"),
    *("usage_estimated", "error_type", "price_reason", "price_model"),
    *COUNTS_WITH_A_COLUMN,
)
SELECT: Final = ", ".join(("toUnixTimestamp64Nano(ts) AS ts_ns", *_COLUMNS))
"""What a query has to select of `llm_calls` for `arrived` to read it."""


def arrived(row: Mapping[str, Any]) -> Arrived:
    """The call of a row, as it is to be priced and known again."""
    parent = row["parent_span_id"]
    return Arrived(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=parent,
        start_ns=row["ts_ns"],
        duration_ns=row["duration_ns"],
        received_ns=row["ts_ns"],
        scope_name=row["scope_name"],
        service_name=row["service_name"],
        tenant=row["tenant"],
        ancestors=(parent,) if any(parent) else (),
        call=_call(row),
        # attributes that were no counts are not in the row; counts that contradict each other are, and found a model
        bad_usage=row["price_reason"] == "bad_usage" and not row["price_model"],
    )


def _call(row: Mapping[str, Any]) -> Call:
    return Call(
        request=Request(
            operation=row["operation"],
            provider=row["provider"],
            model=row["request_model"] or None,
            service_tier=row["request_service_tier"] or None,
            batch=row["batch"],
            server_address=row["server_address"] or None,
        ),
        response=Response(
            id=row["response_id"] or None,
            model=row["response_model"] or None,
            service_tier=row["service_tier"] or None,
            speed=row["speed"] or None,
            inference_geo=row["inference_geo"] or None,
            usage=_usage(row),
            asides=decode_asides(row["asides"]) or None,
        ),
        error=Error(row["error_type"]) if row["error_type"] else None,
    )


def _usage(row: Mapping[str, Any]) -> Usage | None:
    said = {field: row[column] for column, field in COUNTS_WITH_A_COLUMN.items() if row[column] is not None}
    said |= row["usage_other"]
    return Usage(**said, estimated=True if row["usage_estimated"] else None) if said else None
