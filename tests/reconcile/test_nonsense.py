"""A file may hold anything; it is read or refused with its name, and never a traceback."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_cost_exporter.reconcile import ExportError, merge
from otel_llm_cost_exporter.reconcile.files import read_text

FIELDS = [
    "amount",
    "amount_currency",
    "amount_value",
    "cache_creation",
    "context_window",
    "cost_type",
    "cost_usd",
    "currency",
    "data",
    "end_time",
    "ending_at",
    "input_tokens",
    "line_item",
    "model",
    "n_context_tokens_total",
    "object",
    "output_tokens",
    "quantity",
    "results",
    "server_tool_use",
    "start_time",
    "starting_at",
    "uncached_input_tokens",
    "usage_date_utc",
    "usage_input_tokens_no_cache",
    "value",
]
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["2026-11-02", "2026-11-02T00:00:00Z", 1793577600, "1793577600", "0.25", "usd", "gpt-4o, input", ""]
    )
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=20,
)
RESULT = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)
NEARLY = st.sampled_from(
    [
        {"amount": {"value": "1", "currency": "usd"}, "line_item": "gpt-4o, input"},
        {"amount": "1.5", "currency": "USD", "cost_type": "tokens", "model": "x", "token_type": "output_tokens"},
        {"uncached_input_tokens": 1, "output_tokens": 2, "model": "x"},
        {"object": "organization.usage.completions.result", "input_tokens": 1, "output_tokens": 2},
    ]
)
RESULTS = st.lists(RESULT | st.builds(lambda right, wrong: {**right, **wrong}, NEARLY, RESULT), max_size=3)
TIMES = st.sampled_from([{"start_time": 1793577600}, {"starting_at": "2026-11-02T00:00:00Z"}]) | st.dictionaries(
    st.sampled_from(["start_time", "starting_at", "end_time", "ending_at"]), PLAIN
)
PAGES = st.builds(lambda times, results: {"data": [{**times, "results": results}]}, TIMES, RESULTS)


def accepted(text: str) -> None:
    with contextlib.suppress(ExportError):
        merge(read_text("a file", text))


@settings(max_examples=300)
@given(VALUES | PAGES)
def test_json(value: Any) -> None:
    accepted(json.dumps(value))


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(FIELDS), min_size=1, max_size=8, unique=True),
    st.lists(st.lists(PLAIN.map(str), max_size=9), max_size=3),
)
def test_csv(header: list[str], lines: list[list[str]]) -> None:
    accepted("\n".join(",".join(line) for line in (header, *lines)))


@given(st.text(max_size=60))
def test_text(text: str) -> None:
    accepted(text)
