"""One call, one bill, whichever process stored which part of it, and when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Call
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.entry import ANONYMOUS, Sender
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.recall import kept
from otel_llm_cost_exporter.store import Store, StoreError

from .otlp import chat, request, span

NOW = int(datetime.now(UTC).timestamp()) * 10**9


class Collectors:
    """Processes that share a store; each call of `export` is taken by one that has seen nothing before."""

    def __init__(self, store: Store, book: PriceBook) -> None:
        self._store, self._book = store, book

    def export(self, *spans: Span, scope: str = "", tenant: str = "") -> None:
        forgetful = Pipeline(self._store, self._book, patience=0.0)
        forgetful.recall(_NothingLately(self._store))
        sender = Sender("key", tenant) if tenant else ANONYMOUS
        forgetful.write(decode(request(*spans, scope=scope), NOW, sender=sender).calls)

    def rows(self) -> list[str]:
        """Why each row is set aside, or empty, by time."""
        rows = self._store.query("SELECT counted_reason FROM llm_calls ORDER BY ts, counted")
        (raw,) = self._store.query(
            "SELECT count() AS calls, sum(ifNull(c.cost, 0)) AS cost FROM llm_calls AS c WHERE counted"
        )
        (rollup,) = self._store.query("SELECT sum(calls) AS calls, sum(cost) AS cost FROM cost_hourly")
        assert raw == rollup
        return [row["counted_reason"] for row in rows]


class _NothingLately:
    """A store that does not tell a starting process what was stored last."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def query(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
        return [] if "ORDER BY received_at DESC" in sql else self._store.query(sql, parameters)  # type: ignore[arg-type]


@pytest.fixture
def collectors(store: Store, book: PriceBook) -> Collectors:
    return Collectors(store, book)


def family() -> tuple[Span, Span]:
    """A framework's span and the provider's below it, both with usage."""
    parent = span(chat(), start_time_unix_nano=NOW - 10**10, end_time_unix_nano=NOW)
    child = span(chat(), start_time_unix_nano=NOW - 9 * 10**9, end_time_unix_nano=NOW - 10**9)
    child.trace_id, child.parent_span_id = parent.trace_id, parent.span_id
    return parent, child


def test_a_span_that_another_process_stored_is_dropped(collectors: Collectors) -> None:
    one, other = span(chat()), span(chat())
    collectors.export(one)
    collectors.export(other, one)
    assert collectors.rows() == ["", ""]


def test_nobody_hides_what_another_tenant_has_stored_behind_the_same_ids(collectors: Collectors) -> None:
    mine = span(chat())
    flood = [span(chat(), span_id=mine.span_id, start_time_unix_nano=NOW - 10**10 + n) for n in range(399)]
    collectors.export(mine, tenant="mine")
    collectors.export(*flood, tenant="theirs")
    collectors.export(mine, tenant="mine")
    assert len(collectors.rows()) == 400


def test_a_parent_that_comes_later_is_set_aside(collectors: Collectors) -> None:
    parent, child = family()
    collectors.export(child)
    collectors.export(parent)
    assert collectors.rows() == ["parent_of_billed", ""]


def test_a_child_that_comes_later_is_set_aside(collectors: Collectors) -> None:
    parent, child = family()
    collectors.export(parent)
    collectors.export(child)
    assert collectors.rows() == ["", "child_of_billed"]


def test_a_child_that_began_when_its_parent_had_ended_is_a_call_of_its_own(collectors: Collectors) -> None:
    parent, child = family()
    child.start_time_unix_nano = child.end_time_unix_nano = NOW + 10**9
    collectors.export(parent)
    collectors.export(child)
    assert collectors.rows() == ["", ""]


def test_a_response_that_is_told_again_elsewhere_is_set_aside(collectors: Collectors) -> None:
    told = chat(**{"gen_ai.response.id": "r1"})
    collectors.export(span(told))
    collectors.export(span(told))
    collectors.export(span(told | {"gen_ai.provider.name": "groq"}))
    assert sorted(collectors.rows()) == ["", "", "duplicate_response"]


def test_ids_that_a_server_uses_again_are_calls_of_their_own(collectors: Collectors) -> None:
    told = chat(**{"gen_ai.response.id": "chatcmpl-1", "gen_ai.provider.name": "ollama"})
    for seconds in (100, 50):
        at = NOW - seconds * 10**9
        collectors.export(span(told, start_time_unix_nano=at, end_time_unix_nano=at + 10**9), scope="otel_llm_cost")
    assert collectors.rows() == ["", ""]


def test_an_agent_with_many_calls_below_it(collectors: Collectors) -> None:
    parent, _ = family()
    children = [
        span(
            chat(),
            trace_id=parent.trace_id,
            parent_span_id=parent.span_id,
            start_time_unix_nano=NOW - 9 * 10**9 + i,
            end_time_unix_nano=NOW,
        )
        for i in range(60)
    ]
    for child in children[:3]:
        collectors.export(child)
    collectors.export(*children[3:])
    collectors.export(parent)
    assert collectors.rows() == ["parent_of_billed", *[""] * 60]


def test_a_store_that_does_not_answer_at_once_is_asked_again(store: Store, book: PriceBook) -> None:
    class Hiccups(_NothingLately):
        left = 1

        def query(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
            if "call_keys" in sql and self.left:
                self.left -= 1
                raise StoreError("away for a moment.")
            return super().query(sql, parameters)

    pipeline = Pipeline(store, book, patience=30.0)
    pipeline.recall(Hiccups(store))
    assert pipeline.write(decode(request(span(chat())), NOW).calls) == 0
    assert store.query("SELECT count() AS calls FROM llm_calls") == [{"calls": 1}]


def test_a_stored_call_is_found_among_more_keys_than_one_question_takes(store: Store, collectors: Collectors) -> None:
    known = span(chat(**{"gen_ai.response.id": "r1"}))
    collectors.export(known)
    (call,) = decode(request(known), NOW).calls
    others = [call._replace(span_id=number.to_bytes(8, "big"), call=Call()) for number in range(1, 25_001)]
    for batch in ([*others, call], [call, *others], [call]):
        (found,) = kept(store, batch)
        assert (found[0].key, found[0].call.response.id) == (call.key, "r1")
    assert kept(store, others) == []
