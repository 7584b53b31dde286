"""One call, one bill; and what happens when the store does not take it."""

from __future__ import annotations

import json
import logging
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from otel_llm_cost.pricing import Cost, PriceBook
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import MOST_SPANS, Arrived, decode
from otel_llm_cost_exporter.dedupe import Window
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.rows import LONGEST_TEXT
from otel_llm_cost_exporter.store import Store, StoreError

from .otlp import chat, request, span

TRACE = b"t" * 16


def calls(*spans: Any) -> list[Arrived]:
    return decode(request(*spans), time.time_ns()).calls


class Troubled:
    """A real store in front of which trouble stands: it may be away, or refuse rows by their span ids."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.down = False
        self.poison: set[bytes] = set()
        self.tokens: list[str] = []

    def encode(self, table: str, columns: Mapping[str, Sequence[Any]]) -> bytes:
        return self.store.encode(table, columns)

    def insert_block(self, table: str, names: Sequence[str], block: bytes, token: str) -> None:
        self.tokens.append(token)
        if self.down:
            raise StoreError("the disk is full")
        if any(span_id in block for span_id in self.poison):
            raise StoreError("a value does not fit", rows_at_fault=True)
        self.store.insert_block(table, names, block, token)


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


def test_a_response_made_in_the_background_is_billed_once_when_it_is_fetched(ingest: Ingest, store: Store) -> None:
    told = {"gen_ai.response.id": "r1"}
    queued = chat(**told, **{"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None})
    fetch = chat(**told, **{"gen_ai.operation.name": "fetch_response"})
    polled = {**queued, "gen_ai.operation.name": "fetch_response"}
    spans = [(queued, b"11111111"), (polled, b"22222222"), (fetch, b"33333333"), (fetch, b"44444444")]
    for attributes, number in spans:
        ingest.accept_request(request(span(attributes, span_id=number), scope="otel_llm_cost"))
    assert judged(store) == [
        ("11111111", ""),
        ("22222222", "fetch_response"),
        ("33333333", ""),
        ("44444444", "duplicate_response"),
    ]


def test_a_background_response_is_billed_by_a_collector_that_stored_its_beginning_long_ago(
    store: Store, book: PriceBook
) -> None:
    told = {"gen_ai.response.id": "r1"}
    queued = chat(**told, **{"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None})
    fetch = chat(**told, **{"gen_ai.operation.name": "fetch_response"})
    for attributes, number in ((queued, b"11111111"), (fetch, b"22222222"), (fetch, b"33333333")):
        later = Pipeline(store, book)
        later.recall(_Forgetful(store))
        sent = request(span(attributes, span_id=number), scope="otel_llm_cost")
        later.write(decode(sent, time.time_ns()).calls)
    assert judged(store) == [("11111111", ""), ("22222222", ""), ("33333333", "duplicate_response")]


def test_calls_of_a_server_that_counts_its_ids_from_nought_are_calls(ingest: Ingest, store: Store) -> None:
    told = chat(**{"gen_ai.response.id": "chatcmpl-7", "gen_ai.provider.name": "ollama"})
    now = time.time_ns()
    for number, started in ((b"11111111", now - 9 * 10**9), (b"22222222", now - 5 * 10**9)):
        times = {"start_time_unix_nano": started, "end_time_unix_nano": started + 10**9}
        ingest.accept_request(request(span(told, span_id=number, **times), scope="otel_llm_cost"))
    overlapping = {"start_time_unix_nano": now - 5 * 10**9, "end_time_unix_nano": now}
    ingest.accept_request(request(span(told, span_id=b"33333333", **overlapping), scope="otel_llm_cost"))
    assert judged(store) == [("11111111", ""), ("22222222", ""), ("33333333", "duplicate_response")]


def test_a_guess_is_priced_as_a_guess(book: PriceBook) -> None:
    guessed = chat(**{"llm_cost.usage.estimated": True})
    cost = price(book, calls(span(guessed))[0])
    assert (cost.status, cost.reason) == ("fallback", "estimated_usage")


def test_results_of_a_batch_are_billed_once_however_late_they_are_read_again(store: Store, book: PriceBook) -> None:
    result = chat(**{"gen_ai.response.id": "r1", "llm_cost.batch": True})
    Pipeline(store, book).write(calls(span(result, span_id=b"11111111")))
    days_later = Pipeline(store, book)
    days_later.recall(_Forgetful(store))
    days_later.write(calls(span(result, span_id=b"22222222"), span(result, span_id=b"33333333")))
    assert judged(store) == [
        ("11111111", ""),
        ("22222222", "duplicate_response"),
        ("33333333", "duplicate_response"),
    ]
    plain = price(book, calls(span(chat()))[0]).total
    assert plain is not None
    assert store.query("SELECT toString(sum(cost_output + cost_input)) AS n FROM llm_calls WHERE counted") == [
        {"n": f"{plain / 2 / 10**12:.12f}".rstrip("0")}
    ]


class _Forgetful:
    """A store whose last hour is empty."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return [] if "INTERVAL 1 HOUR" in sql else self.store.query(sql, parameters)


def test_of_ours_and_an_sdks_own_span_of_one_call_ours_is_billed(ingest: Ingest, store: Store) -> None:
    told = chat(**{"gen_ai.response.id": "msg_1", "gen_ai.provider.name": "anthropic"})
    ours = span(told, trace_id=TRACE, span_id=b"11111111")
    the_sdks = span(told, trace_id=TRACE, span_id=b"22222222", parent_span_id=b"11111111")
    both = request(ours, scope="otel_llm_cost")
    both.resource_spans.extend(request(the_sdks, scope="com.anthropic.sdk.python").resource_spans)
    ingest.accept_request(both)
    assert judged(store) == [("11111111", ""), ("22222222", "duplicate_response")]


def test_what_another_model_did_for_an_answer_is_billed_at_its_own_price(book: PriceBook) -> None:
    told = {"gen_ai.provider.name": "anthropic", "gen_ai.response.model": "claude-sonnet-4-5"}
    aside = {"model": "claude-opus-4-8", "gen_ai.usage.input_tokens": 2518, "gen_ai.usage.output_tokens": 22}
    with_aside = chat(**told, **{"llm_cost.asides": [json.dumps(aside)]})
    other = chat(**told | {"gen_ai.response.model": "claude-opus-4-8"}) | {k: v for k, v in aside.items() if "." in k}
    both, plain, alone = (price(book, calls(span(a))[0]) for a in (with_aside, chat(**told), other))
    assert both.total is not None
    assert plain.total is not None
    assert alone.total is not None
    assert both.total == plain.total + alone.total
    assert both.tools == alone.total
    unknown = chat(**told, **{"llm_cost.asides": [json.dumps(aside | {"model": "nobody-knows"})]})
    partly = price(book, calls(span(unknown))[0])
    assert (partly.status, partly.total) == ("partial", plain.total)
    bad = price(book, calls(span(chat(**told, **{"llm_cost.asides": ["{"]})))[0])
    assert (bad.total, bad.reason) == (None, "bad_usage")


def test_counting_tokens_is_not_billed(ingest: Ingest, store: Store) -> None:
    counted = chat(**{"gen_ai.operation.name": "count_tokens", "gen_ai.usage.output_tokens": None})
    ingest.accept_request(request(span(counted, span_id=b"11111111")))
    assert judged(store) == [("11111111", "not_billed")]


def test_zeros_on_a_failed_call_are_a_failure_and_not_a_usage(ingest: Ingest, store: Store) -> None:
    zeros = {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0, "error.type": "timeout"}
    ingest.accept_request(request(span(chat(**zeros))))
    assert store.query("SELECT cost, price_reason FROM llm_calls") == [{"cost": None, "price_reason": "failed"}]


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


def counted(store: Store) -> dict[str, str]:
    return dict(judged(store))


def test_a_child_with_bad_usage_leaves_the_bill_to_its_parent(ingest: Ingest, store: Store) -> None:
    top = span(chat(), trace_id=TRACE, span_id=b"11111111")
    bad = chat(**{"gen_ai.usage.input_tokens": -5})
    ingest.accept_request(request(top, span(bad, trace_id=TRACE, span_id=b"22222222", parent_span_id=b"11111111")))
    assert counted(store)["11111111"] == ""
    assert store.query("SELECT sum(cost) > 0 AS billed FROM llm_calls WHERE counted") == [{"billed": 1}]


@pytest.mark.parametrize("together", [True, False])
def test_a_bad_twin_that_comes_first_does_not_take_the_bill(together: bool, ingest: Ingest, store: Store) -> None:
    told = {"gen_ai.response.id": "r1"}
    bad = span(chat(**told, **{"gen_ai.usage.input_tokens": -5}), span_id=b"11111111")
    good = span(chat(**told), span_id=b"22222222")
    for sent in [request(bad, good)] if together else [request(bad), request(good)]:
        ingest.accept_request(sent)
    assert counted(store)["22222222"] == ""


@pytest.mark.parametrize("between", [{"http.method": "POST"}, {"gen_ai.operation.name": "execute_tool"}])
def test_every_span_above_a_billed_one_is_set_aside(between: dict[str, str], ingest: Ingest, store: Store) -> None:
    agent = chat(**{"gen_ai.operation.name": "invoke_agent"})
    top = span(agent, trace_id=TRACE, span_id=b"11111111")
    middle = span(between, trace_id=TRACE, span_id=b"22222222", parent_span_id=b"11111111")
    low = span(chat(), trace_id=TRACE, span_id=b"33333333", parent_span_id=b"22222222")
    ingest.accept_request(request(low, middle, top))
    assert counted(store) == {"11111111": "parent_of_billed", "33333333": ""}


def test_a_span_that_comes_after_those_below_it_is_set_aside(ingest: Ingest, store: Store) -> None:
    middle = span({"http.method": "POST"}, trace_id=TRACE, span_id=b"22222222", parent_span_id=b"11111111")
    low = span(chat(), trace_id=TRACE, span_id=b"33333333", parent_span_id=b"22222222")
    ingest.accept_request(request(low, middle))
    ingest.accept_request(request(span(chat(), trace_id=TRACE, span_id=b"11111111")))
    assert counted(store) == {"11111111": "parent_of_billed", "33333333": ""}


def test_a_span_that_stands_above_itself_is_billed(ingest: Ingest, store: Store) -> None:
    ingest.accept_request(request(span(chat(), trace_id=TRACE, span_id=b"11111111", parent_span_id=b"11111111")))
    assert counted(store) == {"11111111": ""}


def test_a_window_that_cannot_hold_the_largest_request_twice_is_refused(store: Store, book: PriceBook) -> None:
    with pytest.raises(ValueError, match="100000"):
        Pipeline(store, book, window=2 * MOST_SPANS - 1)


def test_the_largest_request_sent_again_adds_nothing(troubled: Troubled, book: PriceBook) -> None:
    pipeline = Pipeline(troubled, book)
    (one,) = calls(span(chat()))
    batch = [one._replace(span_id=number.to_bytes(8, "big")) for number in range(1, MOST_SPANS + 1)]
    pipeline.write(batch)
    pipeline.write(calls(span(chat())))
    inserts = len(troubled.tokens)
    pipeline.write(batch)
    assert len(troubled.tokens) == inserts


def test_what_was_stored_before_a_restart_is_remembered(store: Store, book: PriceBook) -> None:
    told = chat(**{"gen_ai.response.id": "r1"})
    bad = chat(**{"gen_ai.response.id": "r2", "gen_ai.usage.input_tokens": -5})
    batch = calls(
        span(told, trace_id=TRACE, span_id=b"22222222", parent_span_id=b"11111111"),
        span(chat(), span_id=b"33333333"),
        span(bad, span_id=b"44444444"),
    )
    Pipeline(store, book).write(batch)
    again = Pipeline(store, book)
    again.recall(store)
    again.write(batch[1:])
    again.write(batch[:1])
    assert again.counters.dropped_as_seen == 3
    top = span(chat(), trace_id=TRACE, span_id=b"11111111")
    good = span(chat(**{"gen_ai.response.id": "r2"}), span_id=b"66666666")
    again.write(calls(top, span(told, span_id=b"55555555"), good))
    assert counted(store) == {
        "11111111": "parent_of_billed",
        "22222222": "",
        "33333333": "",
        "44444444": "",
        "55555555": "duplicate_response",
        "66666666": "",
    }


def test_names_of_any_length_are_not_kept(store: Store) -> None:
    book = load_book()
    pipeline = Pipeline(store, book)
    tracemalloc.start()
    for number in range(20):
        endless = "x" * 500_000 + str(number)
        texts = ("request.model", "response.model", "response.id")
        pipeline.write(calls(span(chat(**{f"gen_ai.{name}": endless for name in texts}))))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 5_000_000
    assert store.query("SELECT max(length(response_id)) AS n FROM llm_calls") == [{"n": LONGEST_TEXT}]


def test_a_row_that_breaks_our_code_does_not_take_others_with_it(
    store: Store, book: PriceBook, caplog: pytest.LogCaptureFixture
) -> None:
    batch = calls(*(span(chat()) for _ in range(20)))
    batch[7] = batch[7]._replace(problems=7)  # type: ignore[arg-type]  # the mistake
    pipeline = Pipeline(store, book, patience=0.0)
    assert pipeline.write(batch) == 1
    assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 19}]
    assert f"trace id {batch[7].trace_id.hex()}, span id {batch[7].span_id.hex()}" in caplog.text


def test_a_call_that_breaks_pricing_is_stored_without_a_cost(
    store: Store, book: PriceBook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = calls(span(chat()), span(chat(**{"gen_ai.request.model": "poison"})))

    def broken(by: PriceBook, call: Arrived) -> Cost:
        return price(by, call) if call.call.request.model != "poison" else 1 / 0  # type: ignore[return-value]

    monkeypatch.setattr("otel_llm_cost_exporter.pipeline.price", broken)
    assert Pipeline(store, book).write(batch) == 0
    rows = store.query("SELECT cost > 0 AS priced, price_reason FROM llm_calls ORDER BY priced NULLS LAST")
    assert [tuple(row.values()) for row in rows] == [(1, ""), (None, "pricing_fault")]
    assert batch[1].span_id.hex() in caplog.text


def test_the_warning_says_why_a_known_model_has_no_price(
    store: Store, book: PriceBook, caplog: pytest.LogCaptureFixture
) -> None:
    much = chat(**{"gen_ai.usage.output_tokens": 1_000_000_000, "gen_ai.request.model": "o1-pro"})
    audio = chat(**{"gen_ai.usage.audio.input_tokens": 1000, "gen_ai.usage.output_tokens": None})
    batch = calls(span(much), span(audio))
    with caplog.at_level(logging.WARNING):
        Pipeline(store, book).write(batch)
    reasons = [cost.reason for call in batch if (cost := price(book, call)).total is None]
    assert reasons
    assert all(reason in caplog.text for reason in reasons)
    assert "no price is known" not in caplog.text


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_a_tier_that_was_asked_for_and_not_confirmed_is_a_guess(tier: str, book: PriceBook) -> None:
    told = {"gen_ai.request.model": "gpt-5.4", "gen_ai.response.model": "gpt-5.4"}
    plain, asked, served = calls(
        span(chat(**told)),
        span(chat(**told, **{"openai.request.service_tier": tier})),
        span(chat(**told, **{"openai.request.service_tier": tier, "openai.response.service_tier": "default"})),
    )
    standard, guess = price(book, plain), price(book, asked)
    assert (standard.status, price(book, served).status) == ("exact", "exact")
    assert (guess.total, guess.status, guess.reason) == (standard.total, "fallback", "served_tier_not_known")


def test_a_refused_call_that_a_peer_tells_above_the_sdks_own_span_is_one_row(ingest: Ingest, store: Store) -> None:
    refused = chat(
        **{
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": None,
            "gen_ai.usage.output_tokens": None,
            "gen_ai.response.model": None,
            "error.type": "rate_limit_error",
        }
    )
    parent, child = span(refused), span(refused)
    child.trace_id, child.parent_span_id = parent.trace_id, parent.span_id
    told = request(parent, scope="some.framework")
    told.resource_spans.extend(request(child, scope="com.anthropic.sdk.python").resource_spans)
    ingest.accept_request(told)
    rows = store.query("SELECT scope_name, counted_reason FROM llm_calls ORDER BY scope_name")
    assert [(row["scope_name"], row["counted_reason"]) for row in rows] == [
        ("com.anthropic.sdk.python", ""),
        ("some.framework", "parent_of_ours"),
    ]
