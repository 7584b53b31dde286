"""A rebuilt rollup is what the rows make, the rest of it untouched, and nothing that is tried again counts twice."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from otel_llm_cost_exporter.rollups import ROLLUPS, NotNow, check, leftovers, mend, rebuild, sweep
from otel_llm_cost_exporter.store import Store, StoreError

from .calls import DAYS, VIEW, held, insert, made, nanoseconds, one_too_many, without_view

pytestmark = pytest.mark.integration

(COST,) = ROLLUPS
OCTOBER = date(2026, 10, 1)
IN_OCTOBER = [day for day in DAYS if day.month == 10]


def test_days_are_built_again_and_others_stay_as_they_are(store: Store) -> None:
    insert(store, 1)
    without_view(store, 2)
    before = {drift.day for drift in check(store, DAYS)}
    assert rebuild(store, COST, OCTOBER, IN_OCTOBER[:4]) == IN_OCTOBER[:4]
    assert {drift.day for drift in check(store, DAYS)} == before - set(IN_OCTOBER[:4])


def test_every_month_built_again_is_what_the_rows_make(store: Store) -> None:
    for seed in range(5):
        insert(store, seed)
    without_view(store, 9)
    assert held(store) != made(store)
    for month in (9, 10, 11):
        rebuild(store, COST, date(2026, month, 1))
    assert held(store) == made(store)
    assert leftovers(store) == {}


def test_days_are_mended_by_what_they_lack_and_again_by_the_same(store: Store) -> None:
    insert(store, 1)
    without_view(store, 2)
    for pico in (5, 7, 8):
        one_too_many(store, DAYS[0], pico)
        for month in {day.replace(day=1) for day in DAYS}:
            mend(store, COST, month)
        assert check(store, DAYS) == []
    for _ in range(2):  # a block that is equal to one before, and is no less right
        store.command("ALTER TABLE cost_hourly DELETE WHERE toDate(hour) = '2026-10-05' SETTINGS mutations_sync = 2")
        assert mend(store, COST, OCTOBER)
        assert check(store, DAYS) == []
    insert(store, 1)
    assert check(store, DAYS) == []


def test_equal_batches_stay_two(store: Store) -> None:
    """Blocks that are equal are two calls' worth, not one inserted twice."""
    call: dict[str, Any] = {"ts": [nanoseconds(DAYS[0])], "cost": [7], "counted": [True]}
    for n in range(4):
        store.insert("llm_calls", call | {"span_id": [n.to_bytes(8, "big")]}, f"{n}")
    store.insert("llm_calls", call | {"ts": [nanoseconds(DAYS[1])], "span_id": [b"another1"]}, "other")
    rebuild(store, COST, DAYS[1], [DAYS[1]])
    rebuild(store, COST, DAYS[1], [DAYS[1]])
    assert held(store) == made(store)


def test_a_batch_that_was_stored_counts_once_when_it_is_tried_again_after(store: Store) -> None:
    insert(store, 1)
    rebuild(store, COST, OCTOBER)
    insert(store, 1)
    assert held(store) == made(store)


def test_a_batch_whose_view_failed_is_why_a_rebuild_waits_for_it(store: Store) -> None:
    """Its rows are stored.  Tried again before the rebuild it is whole; after it, it would be added once more."""
    insert(store, 1)
    failing(store)
    with pytest.raises(StoreError):
        insert(store, 2)
    healthy(store)
    rebuild(store, COST, OCTOBER)
    assert check(store, IN_OCTOBER) == []
    insert(store, 2)
    twice = check(store, IN_OCTOBER)
    assert twice != []  # the rule of `rebuild` keeps off this; and the reconciler would find it
    rebuild(store, COST, OCTOBER)
    insert(store, 2)
    assert check(store, DAYS) == []


def test_a_batch_whose_view_failed_is_whole_when_it_is_tried_again_first(store: Store) -> None:
    failing(store)
    with pytest.raises(StoreError):
        insert(store, 2)
    healthy(store)
    insert(store, 2)
    rebuild(store, COST, OCTOBER)
    insert(store, 2)
    assert held(store) == made(store)


def test_days_without_rows_are_all_that_is_left_of_them(store: Store) -> None:
    insert(store, 1)
    before = held(store)
    store.command("ALTER TABLE llm_calls DROP PARTITION ID '202610'")
    assert rebuild(store, COST, OCTOBER) == []
    store.command(f"ALTER TABLE llm_calls DELETE WHERE toDate(ts) < '{date(2026, 11, 5)}' SETTINGS mutations_sync = 2")
    rebuild(store, COST, date(2026, 11, 1))
    mend(store, COST, OCTOBER)
    assert held(store) == before


def test_a_month_in_which_nothing_counts_any_more(store: Store) -> None:
    insert(store, 1)
    store.command(
        "ALTER TABLE llm_calls UPDATE counted = false WHERE toYYYYMM(ts) = 202610 SETTINGS mutations_sync = 2"
    )
    rebuild(store, COST, OCTOBER)
    assert held(store) == made(store)


@pytest.mark.parametrize("stage", ["begun", "done"])
def test_a_correction_under_way_is_waited_for(store: Store, stage: str) -> None:
    without_view(store, 1)
    run: dict[str, Any] = {"run": ["00000000-0000-0000-0000-000000000001"], "since": [0], "until": [1], "calls": [1]}
    for told in {"begun", stage}:
        store.insert("reprices", run | {"stage": [told]}, told)
    if stage == "done":
        assert rebuild(store, COST, OCTOBER)
        return
    with pytest.raises(NotNow, match="reprice"):
        rebuild(store, COST, OCTOBER)


def test_a_half_done_settle_is_waited_for(store: Store) -> None:
    insert(store, 1)
    store.command(
        "INSERT INTO llm_calls_set_aside (trace_id, span_id, received_at, ts)"
        " SELECT trace_id, span_id, received_at, ts FROM llm_calls WHERE counted LIMIT 1"
    )
    for make in (rebuild, mend):
        with pytest.raises(NotNow, match="settle"):
            make(store, COST, OCTOBER)


def test_a_pause_that_cannot_be_had(store: Store) -> None:
    class Taken:
        def __enter__(self) -> bool:
            return False

        def __exit__(self, *told: object) -> None:
            """Nothing was taken."""

    with pytest.raises(NotNow, match="batch"):
        rebuild(store, COST, OCTOBER, pause=Taken)


def test_what_a_rebuild_left_tells_its_month_and_can_be_swept(store: Store) -> None:
    insert(store, 1)
    store.command("CREATE TABLE cost_hourly_rebuilt_202610 AS cost_hourly")
    store.command("CREATE TABLE cost_hourly_rebuilt_by_hand AS cost_hourly")
    assert leftovers(store) == {"cost_hourly_rebuilt_202610": OCTOBER}
    rebuild(store, COST, OCTOBER)
    assert leftovers(store) == {}
    store.command("CREATE TABLE cost_hourly_rebuilt_202609 AS cost_hourly")
    sweep(store, leftovers(store))
    assert leftovers(store) == {}
    assert held(store) == made(store)


def failing(store: Store) -> None:
    """The view fails from now on."""
    select = store.query(VIEW)[0]["text"].replace("count() AS calls", "count() + throwIf(true) AS calls")
    store.command(f"ALTER TABLE cost_hourly_mv MODIFY QUERY {select}")


def healthy(store: Store) -> None:
    """It does not any more."""
    select = store.query(VIEW)[0]["text"].replace("count() + throwIf(true) AS calls", "count() AS calls")
    store.command(f"ALTER TABLE cost_hourly_mv MODIFY QUERY {select}")
