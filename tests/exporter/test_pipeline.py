"""One call, one bill; and what happens when the store does not take it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.decode import Arrived, decode
from otel_llm_cost_exporter.dedupe import Window
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.store import Store, StoreError
from otel_llm_cost_exporter.writer import Overloaded, Writer

from .otlp import chat, request, span

TRACE = b"t" * 16


def calls(*spans: Any) -> list[Arrived]:
    return decode(request(*spans), time.time_ns()).calls


class Troubled:
    """A real store in front of which trouble stands: `trouble` may raise for the columns of an insert."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.down = False
        self.poison: set[bytes] = set()
        self.tokens: list[str] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        self.tokens.append(token)
        self.entered.set()
        self.gate.wait()
        if self.down:
            raise StoreError("the disk is full")
        if self.poison.intersection(columns["span_id"]):
            raise StoreError("a value does not fit", rows_at_fault=True)
        self.store.insert(table, columns, token)


@pytest.fixture
def troubled(store: Store) -> Troubled:
    return Troubled(store)


def judged(store: Store) -> list[tuple[str, str]]:
    rows = store.query("SELECT toString(span_id) AS id, counted_reason AS why FROM llm_calls ORDER BY id")
    return [(row["id"], row["why"]) for row in rows]


def test_the_same_span_again_is_dropped_in_one_request_and_over_two(ingest: Ingest, store: Store) -> None:
    once = span(chat(), span_id=b"11111111")
    ingest.accept_request(request(once, once))
    ingest.accept_request(request(once))
    assert judged(store) == [("11111111", "")]


def test_one_response_is_billed_once_across_spans_and_requests(ingest: Ingest, store: Store) -> None:
    told = chat(**{"gen_ai.response.id": "r1"})
    ingest.accept_request(request(span(told, span_id=b"11111111"), span(told, span_id=b"22222222")))
    ingest.accept_request(request(span(told, span_id=b"33333333")))
    ingest.accept_request(request(span(told | {"gen_ai.provider.name": "groq"}, span_id=b"44444444")))
    assert judged(store) == [
        ("11111111", ""),
        ("22222222", "duplicate_response"),
        ("33333333", "duplicate_response"),
        ("44444444", ""),
    ]


def test_the_deepest_span_is_billed_whichever_comes_first(ingest: Ingest, store: Store) -> None:
    top = span(chat(), trace_id=TRACE, span_id=b"11111111")
    middle = span(chat(), trace_id=TRACE, span_id=b"22222222", parent_span_id=b"11111111")
    low = span(chat(), trace_id=TRACE, span_id=b"33333333", parent_span_id=b"22222222")
    other_trace = span(chat(), span_id=b"44444444")
    ingest.accept_request(request(middle, low, other_trace))
    ingest.accept_request(request(top))
    assert judged(store) == [
        ("11111111", "parent_of_billed"),
        ("22222222", "parent_of_billed"),
        ("33333333", ""),
        ("44444444", ""),
    ]


def test_reading_a_stored_response_again_costs_nothing(ingest: Ingest, store: Store) -> None:
    told = {"gen_ai.response.id": "r1"}
    fetch = chat(**told, **{"gen_ai.operation.name": "fetch_response"})
    ingest.accept_request(request(span(fetch, span_id=b"11111111"), span(chat(**told), span_id=b"22222222")))
    assert judged(store) == [("11111111", "fetch_response"), ("22222222", "")]
    assert store.query("SELECT sum(calls) AS n FROM cost_hourly") == [{"n": 1}]


def test_the_window_forgets_the_oldest() -> None:
    window = Window(size=2)
    first, second, third = (calls(span(chat())) for _ in range(3))
    for call in (first, second, third):
        window.remember((of, "") for of in call)
    assert [len(window.judge(of).kept) for of in (first, second, third)] == [1, 0, 0]


def test_what_could_not_be_stored_is_no_duplicate_when_it_comes_again(troubled: Troubled, book: PriceBook) -> None:
    pipeline, batch = Pipeline(troubled, book, patience=0.0), calls(span(chat(**{"gen_ai.response.id": "r"})))
    troubled.down = True
    with pytest.raises(StoreError):
        pipeline.write(batch)
    troubled.down = False
    assert pipeline.write(batch) == 0
    assert troubled.store.query("SELECT count() AS n, sum(counted) AS c FROM llm_calls") == [{"n": 1, "c": 1}]
    assert len(set(troubled.tokens)) == 1


def test_trouble_that_passes_is_waited_out(
    troubled: Troubled, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled.down = True

    def recover(seconds: float) -> None:
        assert 0 < seconds < 1
        troubled.down = False

    monkeypatch.setattr("otel_llm_cost_exporter.commit.time.sleep", recover)
    assert Pipeline(troubled, book, patience=5.0).write(calls(span(chat()))) == 0
    assert len(troubled.tokens) == 2
    assert len(set(troubled.tokens)) == 1


def test_a_row_that_cannot_be_stored_does_not_take_others_with_it(
    troubled: Troubled, book: PriceBook, caplog: pytest.LogCaptureFixture
) -> None:
    batch = calls(*(span(chat()) for _ in range(20)))
    troubled.poison = {batch[7].span_id, batch[13].span_id}
    pipeline = Pipeline(troubled, book, patience=0.0)
    assert pipeline.write(batch) == 2
    assert (pipeline.counters.stored, pipeline.counters.refused) == (18, 2)
    assert troubled.store.query("SELECT count() AS n FROM llm_calls") == [{"n": 18}]
    assert batch[7].span_id.hex() in caplog.text
    assert batch[8].span_id.hex() not in caplog.text


def test_an_unknown_model_is_warned_of_once(store: Store, book: PriceBook, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Pipeline(store, book)
    told = chat(**{"gen_ai.request.model": "nobody-1", "gen_ai.response.model": None})
    with caplog.at_level(logging.WARNING):
        pipeline.write(calls(span(told), span(told)))
        pipeline.write(calls(span(told)))
    assert caplog.text.count("nobody-1") == 1
    assert pipeline.counters.unknown_price == 3


def test_requests_that_meet_are_one_insert(troubled: Troubled, book: PriceBook) -> None:
    writer = Writer(Pipeline(troubled, book), most_wait=60, most_rows=3)
    senders = [threading.Thread(target=writer.write, args=(calls(span(chat())),)) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    writer.close()
    assert len(troubled.tokens) == 1
    assert troubled.store.query("SELECT count() AS n FROM llm_calls") == [{"n": 3}]


def test_a_full_queue_refuses_at_once_and_closing_drains_it(troubled: Troubled, book: PriceBook) -> None:
    writer = Writer(Pipeline(troubled, book), most_wait=0, queue_rows=1)
    troubled.gate.clear()
    sender = threading.Thread(target=writer.write, args=(calls(span(chat())),))
    sender.start()
    troubled.entered.wait()
    with pytest.raises(Overloaded, match="waiting to be stored"):
        writer.write(calls(span(chat())))
    troubled.gate.set()
    writer.close()
    sender.join()
    assert not writer.alive
    assert troubled.store.query("SELECT count() AS n FROM llm_calls") == [{"n": 1}]
    with pytest.raises(Overloaded, match="shutting down"):
        writer.write(calls(span(chat())))


def test_a_fault_of_ours_is_told_to_the_sender_and_the_writer_lives(
    troubled: Troubled, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(troubled, book)
    writer = Writer(pipeline, most_wait=0)
    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "write_batch", lambda batch: 1 / 0)
        with pytest.raises(StoreError, match="internal error"):
            writer.write(calls(span(chat())))
    assert writer.failure is not None
    assert writer.write(calls(span(chat(), span_id=os.urandom(8)))) == 0
    assert writer.failure is None
    writer.close()
