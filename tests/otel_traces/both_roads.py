"""The same spans on both roads, and what differs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.prices.table import load
from otel_llm_cost_exporter.rows import COLUMNS, PricedCall, to_columns
from otel_llm_cost_exporter.store import Store

from .upstream import export

MONEY: Final = ("cost", "cost_input", "cost_cache_read", "cost_cache_write", "cost_output", "cost_tools", "stated_cost")
PRICE: Final = ("quantities", "rates", "price_status", "price_reason", "price_model", "price_version")
_APART: Final = frozenset(("ts", "trace_id", "span_id", "parent_span_id", "received_at", "repriced_at", "problems"))
SPAN: Final = tuple({*COLUMNS} - {*MONEY, *PRICE, *_APART, "counted", "counted_reason"})


def by_python(book: PriceBook, requests: Sequence[ExportTraceServiceRequest]) -> dict[bytes, dict[str, Any]]:
    """Span id → row, as the collector would write it, leaving out which calls are set aside."""
    calls = [call for request in requests for call in decode(request, time.time_ns()).calls]
    columns = to_columns([PricedCall(call, price(book, call)) for call in calls])
    return {call.span_id: {name: column[i] for name, column in columns.items()} for i, call in enumerate(calls)}


def by_sql(store: Store, book: PriceBook, requests: Sequence[ExportTraceServiceRequest]) -> dict[bytes, dict[str, Any]]:
    """Span id → row, after the names were loaded, as a loader that runs beside would have done before."""
    export(store, *requests)
    load(store, book, listed=False)
    store.query("TRUNCATE TABLE llm_calls")
    store.query("INSERT INTO llm_otel_spans SELECT * FROM otel_traces")
    return {row["span_id"]: row for row in store.query("SELECT * FROM llm_calls")}


def differences(python: dict[str, Any], sql: dict[str, Any], names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Column → what each road has, where that is not the same."""
    return {
        name: pair for name in names if (pair := (_plain(name, python[name]), _plain(name, sql[name])))[0] != pair[1]
    }


def _plain(name: str, value: Any) -> Any:
    if name in MONEY and value is not None:
        return value if isinstance(value, int) else int(value.scaleb(12))
    return list(value) if isinstance(value, tuple) else value
