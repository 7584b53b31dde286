"""A rollup that is not what its rows make is found, to the last decimal; one that is, is not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from otel_llm_cost_exporter.rollups import NotNow, check, copies, steady
from otel_llm_cost_exporter.store import Store

from .calls import DAYS, insert, nanoseconds, one_too_many, without_view

PICO = Decimal("0.000000000001")
DAY = DAYS[30]


def test_rollups_that_agree(store: Store) -> None:
    assert check(store, DAYS) == []
    for seed in range(3):
        insert(store, seed)
    assert check(store, DAYS) == []
    assert check(store, []) == []


def test_a_pico_dollar_too_much_is_found_on_its_day(store: Store) -> None:
    insert(store, 1)
    one_too_many(store, DAY, 1)
    (drift,) = check(store, DAYS)
    assert (drift.rollup, drift.day, drift.groups) == ("cost_hourly", DAY, 1)
    assert drift.differences == (("calls", -1), ("cost", -PICO))
    assert drift.pico("cost") == 1
    assert check(store, [day for day in DAYS if day != DAY]) == []
    assert "cost" in str(drift)


def test_what_is_missing_is_found_with_every_sum(store: Store) -> None:
    insert(store, 1)
    store.command(f"ALTER TABLE cost_hourly DELETE WHERE toDate(hour) = '{DAY}' SETTINGS mutations_sync = 2")
    (drift,) = check(store, DAYS)
    assert drift.day == DAY
    assert drift.raw["calls"] > 0
    assert drift.kept["calls"] == drift.kept["cost"] == 0
    assert {"calls", "cost", "cost_input", "input_tokens"} <= set(drift.raw)


def test_mistakes_that_cancel_each_other_are_two_groups(store: Store) -> None:
    insert(store, 1)
    store.command("INSERT INTO cost_hourly (hour, cost) VALUES ('2026-10-05 07:00:00', 1), ('2026-10-05 08:00:00', -1)")
    (drift,) = check(store, DAYS)
    assert (drift.groups, drift.differences) == (2, ())
    assert "cancel" in str(drift)


def test_a_batch_that_the_view_did_not_see(store: Store) -> None:
    insert(store, 1)
    without_view(store, 2, days=DAYS[:3])
    assert {drift.day for drift in check(store, DAYS)} == set(DAYS[:3])


def test_late_days_of_other_months_and_years(store: Store) -> None:
    late = [date(2024, 2, 29), date(2025, 12, 31), date(2026, 1, 1)]
    insert(store, 1)
    without_view(store, 2, days=late)
    assert [drift.day for drift in check(store, late)] == late


def test_a_call_that_arrives_between_two_looks_is_no_drift(store: Store) -> None:
    insert(store, 1)

    class Busy:
        """Shows rows that the rollup does not have yet, other ones every time."""

        n = 1

        def query(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
            if "AS groups" not in sql:
                return store.query(sql, parameters)  # type: ignore[arg-type]
            Busy.n += 1
            without_view(store, Busy.n)
            return store.query(sql, parameters)  # type: ignore[arg-type]

    assert steady(Busy(), DAYS) == []
    assert steady(store, DAYS) == check(store, DAYS) != []


def test_calls_that_are_counted_twice_are_told_by_day(store: Store) -> None:
    insert(store, 1)
    assert copies(store, DAYS) == {}
    ids: dict[str, Any] = {"trace_id": [b"t" * 16] * 4, "span_id": [b"s" * 8] * 4, "tenant": ["a", "a", "a", "b"]}
    store.insert("llm_calls", {"ts": [nanoseconds(DAY)] * 4, "counted": [True] * 4, **ids}, "copies")
    assert copies(store, DAYS) == {DAY: 2}
    assert check(store, DAYS) == []


def test_a_view_that_is_gone_is_said(store: Store) -> None:
    store.command("DROP TABLE cost_hourly_mv SYNC")
    with pytest.raises(NotNow, match="no cost_hourly_mv"):
        check(store, DAYS)
