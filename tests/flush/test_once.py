"""What went half-way is neither stored twice nor lost, and is counted once."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost_exporter import commit, costing, pipeline
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.dedupe import Window
from otel_llm_cost_exporter.entry import Entry
from otel_llm_cost_exporter.flush.frozen import FrozenFile
from tests.exporter.otlp import chat, request, span

from .house import BOOK, House, refuse_to_encode, until

pytestmark = pytest.mark.integration

LONG_AGO = timedelta(days=10)


def old_call() -> Span:
    began = time.time_ns() - int(LONG_AGO.total_seconds()) * 10**9
    return span(chat(), start_time_unix_nano=began, end_time_unix_nano=began + 10**9)


def interrupt(house: House, *spans: Span) -> None:
    """A batch is frozen and its rows are stored; the answer is lost, and then the process dies."""
    house.troubled.deaf.set()
    house.send(*spans)
    assert house.troubled.refused.wait(10)
    assert not house.down(patience=0.0)
    house.troubled.deaf.clear()


def fail_once(do: Any, error: BaseException) -> Any:
    errors = iter([error])

    def failing(*given: Any) -> Any:
        for one in errors:
            raise one
        return do(*given)

    return failing


def test_a_replayed_letter_that_fails_again_is_a_letter_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = span(chat())
    refuse_to_encode(house, {bad.span_id}, monkeypatch)
    house.send(bad, span(chat()))
    house.settle()
    ((name, _),) = house.flusher.dead_letters.read()
    house.flusher.dead_letters.mark(name)
    until(lambda: house.flusher.state.batches == 2)
    assert [name for name, _ in house.flusher.dead_letters.read()] == [name]
    monkeypatch.undo()
    house.flusher.dead_letters.mark(name)
    until(lambda: house.pipeline.counters.stored == 2)
    assert house.rows() == 2


def test_a_block_that_is_stored_is_not_stored_again_when_the_next_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the requests waited: of what was received days ago the store's keys are gone."""
    monkeypatch.setattr(commit, "MOST_ROWS", 2)
    calls = [old_call() for _ in range(6)]
    house.troubled.poison = {calls[5].span_id}
    received_ns = time.time_ns() - int(LONG_AGO.total_seconds()) * 10**9
    house.journal.take(Entry(request(*calls).SerializeToString(), received_ns, len(calls)))
    house.settle()
    assert (house.rows(), house.rollup(), len(house.flusher.dead_letters)) == (5, 5, 1)
    assert [len(batch.calls) for batch in house.told] == [5]


@pytest.fixture
def picky(house: House) -> House:
    """A view of the store's owner refuses a call whose feature is no number; its row is stored all the same."""
    store = house.troubled.store
    store.command("CREATE TABLE theirs (feature UInt8) ENGINE = MergeTree ORDER BY feature")
    store.command("CREATE MATERIALIZED VIEW theirs_mv TO theirs AS SELECT toUInt8(feature) AS feature FROM llm_calls")
    return house


def numbered(*features: str) -> list[Span]:
    return [span(chat(**{"llm_cost.feature": feature})) for feature in features]


def test_what_a_view_refuses_is_stored_once(picky: House) -> None:
    picky.send(*numbered("1", "2", "three", "4", "5"))
    picky.settle()
    assert picky.rows() == 5
    assert picky.pipeline.counters.stored == 5


def test_what_a_view_refused_before_a_restart_is_stored_once(picky: House) -> None:
    interrupt(picky, *numbered("1", "2"))
    (picky.folder / "frozen").unlink()
    picky.troubled.store.command("TRUNCATE TABLE call_keys")
    picky.up()
    picky.settle()
    assert (picky.rows(), picky.pipeline.counters.dropped_as_seen) == (2, 2)


def test_in_process_what_a_view_refuses_is_stored_once(picky: House) -> None:
    exporter = pipeline.Pipeline(picky.troubled, BOOK, patience=0.0)
    exporter.recall(picky.troubled)
    calls = decode(request(*numbered("1", "2", "three", "4", "5")), time.time_ns()).calls
    assert exporter.write(calls) == 0
    assert (picky.rows(), exporter.counters.stored) == (5, 5)


def test_what_waited_for_days_is_still_known_again(house: House) -> None:
    """The store keeps the keys of what was received in the last days only."""
    received_ns = time.time_ns() - int(LONG_AGO.total_seconds()) * 10**9
    calls = [old_call() for _ in range(3)]
    for some in (calls[:2], calls[1:]):
        house.journal.take(Entry(request(*some).SerializeToString(), received_ns, 2))
        house.settle()
        house.pipeline._window = Window(100_000)
    assert (house.rows(), house.rollup()) == (3, 3)


@pytest.mark.parametrize("lost", ["the end", "all"])
def test_a_frozen_batch_outlives_its_journal(house: House, lost: str) -> None:
    house.send(span(chat()))
    house.settle()
    interrupt(house, span(chat()))
    (segment,) = house.folder.glob("*.segment")
    if lost == "all":
        segment.unlink()
    else:
        os.truncate(segment, segment.stat().st_size - 5)
    house.up()
    until(lambda: house.flusher.state.batches == 1)
    house.send(span(chat()))
    house.settle()
    assert (house.rows(), house.rollup()) == (3, 3)


def test_no_bit_of_a_frozen_batch_changes_unnoticed(house: House, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(house, span(chat()))
    path = house.folder / "frozen"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert FrozenFile(house.folder).read() is None
    path.write_bytes(whole)
    assert FrozenFile(house.folder).read() is not None


@pytest.mark.parametrize("frozen", ["kept", "lost"])
def test_the_days_of_an_interrupted_batch_are_told(house: House, frozen: str) -> None:
    interrupt(house, old_call())
    if frozen == "lost":
        (house.folder / "frozen").unlink()
    house.up()
    until(lambda: bool(house.told))
    assert [batch.days for batch in house.told] == [{(datetime.now(UTC) - LONG_AGO).date()}]
    assert (house.rows(), house.rollup()) == (1, 1)


def test_what_is_tried_again_is_counted_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    known, bad = span(chat()), span(chat())
    house.send(known)
    house.settle()
    monkeypatch.setattr(FrozenFile, "write", fail_once(FrozenFile.write, OSError("the disk is full")))
    house.troubled.poison = {bad.span_id}
    unpriced = span(chat(**{"gen_ai.request.model": "nobody", "gen_ai.response.model": "nobody"}))
    house.send(known, bad, unpriced, *(span(chat()) for _ in range(5)))
    house.settle()
    counted = house.pipeline.counters
    assert (counted.stored, counted.dropped_as_seen, counted.refused, counted.unknown_price) == (7, 1, 1, 1)


def test_a_batch_that_is_taken_up_is_counted(house: House) -> None:
    interrupt(house, span(chat()), span(chat()))
    house.up()
    until(lambda: house.flusher.state.batches == 1)
    assert house.pipeline.counters.stored == 2


def test_a_fault_after_the_insert_makes_no_letter_of_what_is_stored(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house.send(span(chat()))
    house.settle()
    monkeypatch.setattr(house.pipeline, "remember", fail_once(house.pipeline.remember, KeyError()))
    house.send(span(chat()))
    house.settle()
    assert (house.rows(), len(house.flusher.dead_letters)) == (2, 0)


@pytest.mark.parametrize("where", ["decode", "price"])
def test_a_shortage_of_memory_costs_no_call_anything(house: House, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "decode":
        monkeypatch.setattr(house.pipeline, "decode", fail_once(house.pipeline.decode, MemoryError()))
    else:
        monkeypatch.setattr(pipeline, "price", fail_once(costing.price, MemoryError()))
    house.send(span(chat()))
    house.settle()
    assert house.troubled.store.query("SELECT price_status FROM llm_calls") == [{"price_status": "exact"}]
    assert len(house.flusher.dead_letters) == 0


def test_a_letter_that_was_spoilt_stops_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    bad = span(chat())
    house.troubled.poison = {bad.span_id}
    house.send(bad)
    house.settle()
    ((name, _),) = house.flusher.dead_letters.read()
    path = house.folder / "dead" / f"{name}.json"
    path.write_text(path.read_text().replace('"span_count": 1', '"span_count": -1'))
    house.flusher.dead_letters.mark(name)
    until(lambda: "cannot be replayed" in caplog.text)
    house.send(span(chat()))
    house.settle()
    assert house.rows() == 1
