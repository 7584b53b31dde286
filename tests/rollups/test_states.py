"""A rollup that holds states beside its sums is compared by the sums and built again whole."""

from __future__ import annotations

from datetime import date

import pytest

from otel_llm_cost_exporter.rollups import NotNow, Rollup, check, mend
from otel_llm_cost_exporter.store import Store

from .calls import DAYS, insert, without_view

LATENCY = Rollup(name="latency_daily", view="latency_daily_mv", time="day")
TABLE = """
CREATE TABLE latency_daily
(
    day Date,
    provider LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64),
    slowest SimpleAggregateFunction(max, UInt64),
    input AggregateFunction(quantilesTDigest(0.5, 0.9), UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (provider, day)
SETTINGS non_replicated_deduplication_window = 1000
"""
VIEW = """
CREATE MATERIALIZED VIEW latency_daily_mv TO latency_daily AS
SELECT toDate(c.ts, 'UTC') AS day, provider, count() AS calls, max(ifNull(c.input_tokens, 0)) AS slowest,
    quantilesTDigestState(0.5, 0.9)(ifNull(c.input_tokens, 0)) AS input
FROM llm_calls AS c
GROUP BY day, provider
"""
TOLD = """
SELECT day, provider, sum(calls) AS calls, max(slowest) AS slowest, quantilesTDigestMerge(0.5, 0.9)(input) AS input
FROM latency_daily GROUP BY ALL ORDER BY ALL
"""
TRUE = """
SELECT toDate(c.ts, 'UTC') AS day, provider, count() AS calls, max(ifNull(c.input_tokens, 0)) AS slowest,
    quantilesTDigest(0.5, 0.9)(ifNull(c.input_tokens, 0)) AS input
FROM llm_calls AS c GROUP BY ALL ORDER BY ALL
"""


def test_states_come_back_with_the_sums(store: Store) -> None:
    store.command(TABLE)
    store.command(VIEW)
    insert(store, 1)
    assert check(store, DAYS, [LATENCY]) == []
    store.command("DROP TABLE latency_daily_mv SYNC")
    without_view(store, 2)
    store.command(VIEW)
    found = check(store, DAYS, [LATENCY])
    assert {name for drift in found for name, _ in drift.differences} == {"calls"}
    assert {drift.pico("cost") for drift in found} == {0}
    for month in (9, 10, 11):
        mend(store, LATENCY, date(2026, month, 1))
    assert store.query(TOLD) == store.query(TRUE)
    insert(store, 1)
    assert check(store, DAYS, [LATENCY]) == []


def test_a_rollup_that_cannot_be_replaced_by_the_month_is_refused(store: Store) -> None:
    store.command(TABLE.replace("toYYYYMM(day)", "day"))
    store.command(VIEW)
    with pytest.raises(NotNow, match="partitioned by day"):
        check(store, DAYS, [LATENCY])
