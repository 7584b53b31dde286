"""Spans of one call, in one insert and in several: one of them is counted, in the table and in the rollup."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.prices.table import load
from otel_llm_cost_exporter.settle import settle
from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import chat, request, span

from . import upstream
from .conftest import FILLED

COST = Decimal("0.0035")
"""1000 × 2.50 + 100 × 10 USD per million."""


def _loaded(store: Store, book: PriceBook) -> None:
    """The prices of the one model that is used here."""
    if store.query("SELECT 1 FROM llm_price_loads"):
        return
    upstream.export(store, request(span(chat())))
    load(store, book, listed=False)
    for table in FILLED:
        store.query(f"TRUNCATE TABLE {table}")


def _family(**above: Any) -> tuple[Span, Span]:
    """A framework's span with usage, and the provider's below it."""
    trace, parent = os.urandom(16), os.urandom(8)
    return (
        span(chat(**above), trace_id=trace, span_id=parent),
        span(chat(), trace_id=trace, parent_span_id=parent),
    )


def _reasons(store: Store) -> list[str]:
    return sorted(row["counted_reason"] for row in store.query("SELECT counted_reason FROM llm_calls"))


def _costs(store: Store) -> tuple[Decimal, Decimal, int]:
    """By the table, by the rollup, and the rollup's number of calls."""
    raw = store.query("SELECT sum(cost) AS cost FROM llm_calls WHERE counted")[0]
    rolled = store.query("SELECT sum(cost) AS cost, sum(calls) AS calls FROM cost_hourly")[0]
    return raw["cost"], rolled["cost"], rolled["calls"]


def test_a_parent_and_its_child_in_one_insert(store: Store, book: PriceBook) -> None:
    _loaded(store, book)
    upstream.export(store, request(*_family()))
    assert _reasons(store) == ["", "parent_of_billed"]
    assert _costs(store) == (COST, COST, 1)


def test_a_child_without_usage_belongs_to_its_parent(store: Store, book: PriceBook) -> None:
    _loaded(store, book)
    parent, child = _family()
    del child.attributes[-2:]
    upstream.export(store, request(parent, child))
    assert _reasons(store) == ["", "child_of_billed"]


def test_one_response_id_twice_in_one_insert_and_ours_is_billed(store: Store, book: PriceBook) -> None:
    _loaded(store, book)
    told = chat(**{"gen_ai.response.id": "r-1"})
    upstream.export(store, request(span(told), scope="theirs"), request(span(told), scope="otel_llm_cost"))
    rows = store.query("SELECT scope_name, counted_reason FROM llm_calls ORDER BY scope_name")
    assert [(r["scope_name"], r["counted_reason"]) for r in rows] == [
        ("otel_llm_cost", ""),
        ("theirs", "duplicate_response"),
    ]


def test_what_is_free_is_not_counted(store: Store, book: PriceBook) -> None:
    _loaded(store, book)
    upstream.export(store, request(span(chat(**{"gen_ai.operation.name": "count_tokens"}))))
    assert _reasons(store) == ["not_billed"]


@pytest.mark.integration
def test_spans_of_one_call_in_several_inserts_are_settled(store: Store, book: PriceBook) -> None:
    """A child, a span that is no call above it, a parent above that; a repeated span; a response told twice."""
    _loaded(store, book)
    trace, top, middle = os.urandom(16), os.urandom(8), os.urandom(8)
    child = request(span(chat(), trace_id=trace, parent_span_id=middle))
    between = request(span({"http.method": "POST"}, trace_id=trace, span_id=middle, parent_span_id=top))
    parent = request(span(chat(), trace_id=trace, span_id=top))
    again = request(span(chat(**{"gen_ai.response.id": "r-2"})), scope="theirs")
    ours = request(span(chat(**{"gen_ai.response.id": "r-2"})), scope="otel_llm_cost")
    for batch in (child, between, parent, again, ours):
        upstream.export(store, batch)
    store.query("INSERT INTO llm_otel_spans SELECT * FROM otel_traces WHERE ScopeName = 'otel_llm_cost'")
    assert _costs(store) == (5 * COST, 5 * COST, 5)
    for _ in range(2):
        settle(store)
        assert _reasons(store) == ["", "", "duplicate_response", "parent_of_billed", "seen_before"]
        assert _costs(store) == (2 * COST, 2 * COST, 2)
