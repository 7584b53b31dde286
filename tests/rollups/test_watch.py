"""The reconciler at work: it mends what differs, holds nobody up to look, and says what it did."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost_exporter.rollups import NotNow, Watch, check
from otel_llm_cost_exporter.store import Store, StoreError

from .calls import DAYS, held, insert, made, nanoseconds, one_too_many, without_view

pytestmark = pytest.mark.integration

TODAY = DAYS[-1]


def watch(store: Any, pause: Callable[[], Any] = nullcontext, **more: Any) -> Watch:
    return Watch(store, pause, today=lambda: TODAY, **more)


def test_dirty_days_are_mended_and_told_with_their_sums(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    insert(store, 1)
    without_view(store, 2)
    reconciler = watch(store)
    reconciler.mark(DAYS)
    assert reconciler.state().waiting == len(DAYS)
    lacking = sum(drift.pico("cost") for drift in check(store, DAYS))
    reconciler.round()
    state = reconciler.state()
    assert held(store) == made(store)
    assert (state.drift, state.mended, state.waiting) == ({"cost_hourly": lacking}, 60, 0)
    assert state.checked_at is not None
    assert abs((datetime.now(UTC) - state.checked_at).total_seconds()) < 60
    (first, *_) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert f"cost_hourly differs from the rows on {DAYS[0]}" in first.getMessage()
    assert " instead of " in first.getMessage()
    reconciler.mark(DAYS)
    reconciler.round()
    assert (reconciler.state().drift, reconciler.state().mended) == ({"cost_hourly": 0}, 60)


def test_only_today_and_yesterday_are_dirty_at_the_start(store: Store) -> None:
    without_view(store, 1, days=DAYS[-4:])
    watch(store).round()
    assert [drift.day for drift in check(store, DAYS)] == DAYS[-4:-2]


def test_the_pause_is_taken_to_mend_and_not_to_look(store: Store) -> None:
    paused: list[int] = []

    @contextmanager
    def pause() -> Iterator[None]:
        paused.append(1)
        yield

    insert(store, 1)
    reconciler = watch(store, pause)
    reconciler.round()
    assert paused == []
    one_too_many(store, TODAY)
    reconciler.mark([TODAY])
    reconciler.round()
    assert paused == [1]


def test_what_the_second_look_sees_otherwise_is_left_and_looked_at_again(store: Store) -> None:
    insert(store, 1)
    one_too_many(store, TODAY)

    @contextmanager
    def pause() -> Iterator[None]:
        one_too_many(store, TODAY, 2 * 10**12)
        yield

    reconciler = watch(store, pause)
    reconciler.round()
    assert (reconciler.state().mended, reconciler.state().waiting) == (0, 1)


def test_beside_a_writer_what_arrives_is_neither_lost_nor_doubled(tmp_path: Path) -> None:
    dsn, busy = f"chdb://{tmp_path}/calls.db", threading.Lock()
    with Store.open(dsn) as writing, Store.open(dsn, migrate=False) as looking:
        with watch(looking, lambda: busy, every=0.001) as reconciler:
            for seed in range(12):
                with busy:
                    insert(writing, seed, days=DAYS[-3:])
                    if seed % 3 == 0:
                        one_too_many(writing, TODAY, seed + 1)
                reconciler.mark(DAYS[-3:])
        last = watch(looking)
        last.mark(DAYS[-3:])
        last.round()
        assert check(writing, DAYS) == []
        assert writing.query("SELECT sum(calls) AS n FROM cost_hourly") == writing.query(
            "SELECT countIf(counted) AS n FROM llm_calls"
        )
        assert reconciler.state().mended + last.state().mended > 0


def test_what_cannot_be_done_now_stays_dirty(store: Store) -> None:
    insert(store, 1)
    one_too_many(store, TODAY)
    reconciler = watch(store, lambda: nullcontext(enter_result=False))
    with pytest.raises(NotNow):
        reconciler.round()
    assert reconciler.state().waiting == 2


def test_a_month_that_a_rebuild_left_its_mark_on_is_looked_at(store: Store) -> None:
    without_view(store, 1)
    store.command("CREATE TABLE cost_hourly_rebuilt_202609 AS cost_hourly")
    watch(store).round()
    assert {drift.day.month for drift in check(store, DAYS[:-2])} == {10, 11}
    assert store.query("EXISTS TABLE cost_hourly_rebuilt_202609") == [{"result": 0}]


def test_calls_counted_twice_are_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    twice: dict[str, Any] = {"trace_id": [b"t" * 16] * 2, "span_id": [b"s" * 8] * 2, "counted": [True] * 2}
    store.insert("llm_calls", {"ts": [nanoseconds(TODAY)] * 2, **twice}, "copies")
    reconciler = watch(store)
    for _ in range(2):
        reconciler.mark([TODAY])
        reconciler.round()
    assert reconciler.state().copies == 1
    assert [record.getMessage() for record in caplog.records if "settle" in record.getMessage()] == [
        f"1 calls of {TODAY} are counted more than once. Run: otel-llm-cost settle"
    ]


def test_days_of_which_no_row_is_left_are_told_and_kept(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    one_too_many(store, TODAY)
    before = held(store)
    reconciler = watch(store)
    reconciler.round()
    assert held(store) == before
    assert "is left" in caplog.text
    assert reconciler.state().mended == 0


def test_in_a_thread_a_store_that_is_away_is_told_once_and_found_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    asked, back = threading.Semaphore(0), threading.Event()

    class Away:
        command = store.command

        def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
            if not back.is_set():
                asked.release()
                raise StoreError("no ClickHouse answers")
            found = store.query(sql, parameters)
            if "AS groups" in sql:
                asked.release()
            return found

    with watch(Away(), every=0.001) as reconciler:
        for _ in range(3):
            assert asked.acquire(timeout=10)
        assert reconciler.state().failures >= 2
        back.set()
        assert asked.acquire(timeout=10)
    reconciler.close()
    assert [record.getMessage() for record in caplog.records] == [
        "the rollups are checked later: no ClickHouse answers"
    ]


def test_close_does_not_wait_for_the_next_round(store: Store) -> None:
    watch(store, every=3_600.0).close()
    with watch(store, every=3_600.0):
        pass  # or the test never ends
