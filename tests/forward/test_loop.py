"""Ours sends to another Collector, and that one to ours again: it ends, and each call is billed once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from otel_llm_cost_exporter.entry import Entry
from otel_llm_cost_exporter.forward import Forwarder, Target
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import chat, request, span
from tests.forward.batches import Stored, entry
from tests.forward.receivers import Receiver, grpc_receiver, http_receiver


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("chdb://memory") as opened:
        yield opened


def take(pipeline: Pipeline, forwarder: Forwarder, arrived: Entry) -> None:
    """What the collector does with a request, without its journal."""
    calls = pipeline.decode(arrived)
    priced = pipeline.judged(calls)
    assert pipeline.write(calls) == 0
    seen = {call.key for call in calls} - {call.arrived.key for call in priced}
    forwarder.offer(Stored([arrived], priced, frozenset(seen)))


def back_again(receiver: Receiver) -> Entry:
    return entry(receiver.next().request)


@pytest.mark.parametrize("kind", [http_receiver, grpc_receiver])
def test_a_circle_ends_and_bills_once(kind: type, store: Store) -> None:
    pipeline = Pipeline(store, load_book())
    trace = request(span({"http.route": "/chat"}), span(chat()), span(chat()))
    with kind() as upstream, Forwarder(Target.parse(upstream.address, environ={})) as forwarder:
        take(pipeline, forwarder, entry(trace))
        returned = back_again(upstream)
        assert returned.spans == 3
        take(pipeline, forwarder, returned)
        deadline = time.monotonic() + 5
        while forwarder.counts().left_out != {"looped": 3}:
            assert time.monotonic() < deadline, forwarder.counts()
            time.sleep(0.005)
        assert upstream.got.empty()
    assert pipeline.counters.stored == 2
    assert store.query("SELECT count() AS rows, countIf(counted) AS billed FROM llm_calls") == [
        {"rows": 2, "billed": 2}
    ]


def test_after_a_restart_what_comes_back_is_a_duplicate_and_no_bill(store: Store) -> None:
    """The mark of a process dies with it; calls that are known to be stored are not sent a second time either."""
    with http_receiver() as upstream:
        target = Target.parse(upstream.address, environ={})
        with Forwarder(target) as before:
            take(Pipeline(store, load_book()), before, entry(request(span(chat()))))
            returned = back_again(upstream)
        pipeline = Pipeline(store, load_book())
        pipeline.recall(store)
        with Forwarder(target) as after:
            take(pipeline, after, returned)
            after.close()
            assert after.counts().left_out == {"seen": 1}
        assert upstream.got.empty()
    assert pipeline.counters.dropped_as_seen >= 1
    assert store.query("SELECT count() AS rows FROM llm_calls") == [{"rows": 1}]
