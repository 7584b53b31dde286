"""What was counted twice, because nobody could know, is counted once afterwards: in rows and rollup."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from typer.testing import CliRunner

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.cli import app
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.settle import settle
from otel_llm_cost_exporter.store import Store

from .otlp import chat, request, span

NOW = time.time_ns()


def alone(store: Store, book: PriceBook, spans: list[Span], *, scope: str = "", later: int = 0) -> None:
    """A collector that knows nothing of what others store, some milliseconds later."""
    Pipeline(store, book, patience=0.0).write(decode(request(*spans, scope=scope), NOW + later * 10**6).calls)


def family(**below: Any) -> tuple[Span, Span]:
    parent = span(chat(**below), start_time_unix_nano=NOW - 10**10, end_time_unix_nano=NOW)
    child = span(chat(), start_time_unix_nano=NOW - 9 * 10**9, end_time_unix_nano=NOW - 10**9)
    child.trace_id, child.parent_span_id = parent.trace_id, parent.span_id
    return parent, child


def counted(store: Store) -> list[str]:
    """Reasons of all rows; the sums of rows and rollup agree."""
    (raw,) = store.query(
        "SELECT count() AS calls, sum(cost) AS cost, sum(input_tokens) AS tokens FROM llm_calls WHERE counted"
    )
    (rollup,) = store.query(
        "SELECT sum(calls) AS calls, sum(cost) AS cost, sum(input_tokens) AS tokens FROM cost_hourly"
    )
    assert raw == rollup
    return sorted(row["counted_reason"] for row in store.query("SELECT counted_reason FROM llm_calls"))


def test_two_collectors_that_did_not_see_each_other(store: Store, book: PriceBook) -> None:
    parent, child = family()
    copy, told = span(chat()), chat(**{"gen_ai.response.id": "r1"})
    alone(store, book, [parent, copy, span(told)], scope="theirs")
    alone(store, book, [child, copy, span(told)], scope="otel_llm_cost", later=5)
    assert counted(store) == [""] * 6
    done = settle(store)
    assert done.set_aside == {"parent_of_billed": 1, "seen_before": 1, "duplicate_response": 1}
    assert done.drift == []
    assert counted(store) == ["", "", "", "duplicate_response", "parent_of_billed", "seen_before"]
    kept = store.query("SELECT scope_name FROM llm_calls WHERE counted AND response_id = 'r1'")
    assert [row["scope_name"] for row in kept] == ["otel_llm_cost"]


def test_a_parent_without_usage_that_came_before_its_child(store: Store, book: PriceBook) -> None:
    parent, child = family(**{"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None})
    alone(store, book, [parent])
    alone(store, book, [child], later=5)
    assert settle(store).set_aside == {"parent_of_billed": 1}
    assert counted(store) == ["", "parent_of_billed"]


def test_again_it_changes_nothing(store: Store, book: PriceBook) -> None:
    parent, child = family()
    alone(store, book, [parent])
    alone(store, book, [child], later=5)
    settle(store)
    assert settle(store).set_aside == {}
    assert counted(store) == ["", "parent_of_billed"]


def test_a_run_that_broke_off_before_the_rows_were_marked(store: Store, book: PriceBook) -> None:
    parent, child = family()
    alone(store, book, [parent])
    alone(store, book, [child], later=5)

    class Gone(Exception):
        """The process ends here."""

    class Dies:
        query, stream, insert = store.query, store.stream, store.insert

        def command(self, sql: str, parameters: object = None) -> None:
            raise Gone

    with pytest.raises(Gone):
        settle(Dies())
    settle(store)
    assert counted(store) == ["", "parent_of_billed"]


def test_a_parent_and_a_child_of_one_response_leave_one(store: Store, book: PriceBook) -> None:
    parent, child = family(**{"gen_ai.response.id": "r9"})
    child = span(
        chat(**{"gen_ai.response.id": "r9"}),
        trace_id=child.trace_id,
        span_id=child.span_id,
        parent_span_id=child.parent_span_id,
    )
    alone(store, book, [parent])
    alone(store, book, [child], later=5)
    assert settle(store).set_aside == {"parent_of_billed": 1}
    assert counted(store) == ["", "parent_of_billed"]


def test_children_of_a_sum_stay_covered_by_it(store: Store, book: PriceBook) -> None:
    parent, first = family(**{"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 200})
    second = span(chat(), trace_id=parent.trace_id, parent_span_id=parent.span_id, start_time_unix_nano=NOW - 8 * 10**9)
    knowing = Pipeline(store, book, patience=0.0)
    knowing.write(decode(request(parent), NOW).calls)
    knowing.write(decode(request(first), NOW + 10**6).calls)
    alone(store, book, [second], later=5)
    assert settle(store).set_aside == {"child_of_billed": 1}
    assert counted(store) == ["", "child_of_billed", "child_of_billed"]


def test_spans_that_name_each_other_as_parents_are_left(store: Store, book: PriceBook) -> None:
    one, other = family()
    one.parent_span_id = other.span_id
    itself = span(chat())
    itself.parent_span_id = itself.span_id
    for n, told in enumerate((one, other, itself)):
        alone(store, book, [told], later=n)
    assert settle(store).set_aside == {}


def test_calls_that_only_look_alike_are_left(store: Store, book: PriceBook) -> None:
    told = chat(**{"gen_ai.response.id": "chatcmpl-1", "gen_ai.provider.name": "ollama"})
    alone(store, book, [span(told)], scope="otel_llm_cost")
    alone(store, book, [span(told)], scope="otel_llm_cost", later=5)
    alone(store, book, [span(chat())], later=9)
    assert settle(store).set_aside == {}


def test_the_command(book: PriceBook, tmp_path_factory: pytest.TempPathFactory) -> None:
    dsn = f"chdb://{tmp_path_factory.mktemp('settle')}/db"
    parent, child = family()
    with Store.open(dsn) as store:
        alone(store, book, [parent])
        alone(store, book, [child], later=5)
    said = CliRunner().invoke(app, ["settle", "--store", dsn, "--json"])
    assert json.loads(said.stdout)["set_aside"] == {"parent_of_billed": 1}
    assert "once" in CliRunner().invoke(app, ["settle", "--store", dsn]).stdout
