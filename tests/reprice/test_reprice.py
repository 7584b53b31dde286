"""History is corrected: rows and rollup to the pico-dollar, once, whatever happens on the way; the old figure stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter import reprice
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.reprice import NotNow, Selection, carry_out, history, plan, take_up
from otel_llm_cost_exporter.settle import settle
from otel_llm_cost_exporter.store import Store, StoreError
from tests.exporter.otlp import chat, request, span

HOUR = 3_600 * 10**9
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
START = int((NOW - timedelta(days=40)).timestamp()) * 10**9
ALL = Selection(NOW - timedelta(days=60), NOW + timedelta(days=1))
DEARER = {
    "entries": [
        {"provider": "openai", "model": "gpt-4o", "rates": {"input": "5", "cache_read": "2.5", "output": "20"}},
        {"provider": "openai", "model": "acme-1", "rates": {"input": "1", "output": "2"}},
    ]
}
SUMS = """
SELECT count() AS calls, sum(c.cost) AS cost, sum(c.cost_input) AS cost_input, sum(c.cost_output) AS cost_output,
    countIf(c.cost IS NULL AND price_reason NOT IN ('failed', 'no_usage', 'bad_usage')) AS unpriced
FROM llm_calls AS c WHERE counted
"""
ROLLED_UP = """
SELECT sum(calls) AS calls, sum(cost) AS cost, sum(cost_input) AS cost_input, sum(cost_output) AS cost_output,
    sum(unpriced) AS unpriced
FROM cost_hourly
"""
ROWS = """
SELECT span_id, cost, price_status, price_version, repriced_at, quantities, rates FROM llm_calls ORDER BY ts, span_id
"""


def told(i: int) -> dict[str, Any]:
    """A call of one of three models: one that becomes dearer, one that stays, one that nobody knew."""
    model = ("gpt-4o", "gpt-5", "acme-1")[i % 3]
    return chat(
        **{
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            "gen_ai.usage.input_tokens": 100 + i,
            "gen_ai.usage.cache_read.input_tokens": i % 7,
        }
    )


@pytest.fixture
def filled(store: Store, book: PriceBook) -> Store:
    """Sixty calls over forty days, and a set-aside parent of one of them."""
    spans = [
        span(told(i), start_time_unix_nano=START + i * 16 * HOUR + i, end_time_unix_nano=START + i * 16 * HOUR + 10**9)
        for i in range(60)
    ]
    parent = span(told(0), start_time_unix_nano=START - HOUR, end_time_unix_nano=START + HOUR)
    spans[0].trace_id, spans[0].parent_span_id = parent.trace_id, parent.span_id
    Ingest(Pipeline(store, book, patience=0.0)).accept_request(request(*spans, parent))
    return store


def agree(store: Store) -> dict[str, Any]:
    """The sums, which must be the same in rows and rollup."""
    (raw,), (rolled_up,) = store.query(SUMS), store.query(ROLLED_UP)
    assert raw == rolled_up
    return raw


def test_rows_and_rollup_move_to_the_new_price_and_the_old_figure_stays(filled: Store, book: PriceBook) -> None:
    before, rows = agree(filled), {row["span_id"]: row for row in filled.query(ROWS)}
    new = book.with_overlay(DEARER)
    planned = plan(filled, new, ALL)
    assert agree(filled) == before
    assert planned.corrections == 41  # twenty each of two models, and the parent that is set aside
    outcome = carry_out(filled, planned)
    after = agree(filled)
    assert (outcome.corrected, outcome.drift) == (41, [])
    assert before["unpriced"] == 20
    assert after["unpriced"] == 0
    assert after["cost"] - before["cost"] == sum(row["difference"] for row in planned.differences)
    for row in filled.query(ROWS):
        old = rows[row["span_id"]]
        changed = row["repriced_at"] is not None
        assert changed == (row["price_status"] == "override") == (row["price_version"] == new.version)
        billed = sum(units * row["rates"][bucket] for bucket, units in row["quantities"].items())
        assert billed == int(row["cost"].scaleb(12))
        if not changed:
            assert row == old
    kept = filled.query("SELECT span_id, old_cost, cost, old_price_version FROM price_corrections")
    assert {row["span_id"]: row["old_cost"] for row in kept} == {
        row["span_id"]: rows[row["span_id"]]["cost"] for row in kept
    }
    assert {row["old_price_version"] for row in kept} == {book.version}
    assert [row["done"] for row in history(filled)] == [True]


def test_a_second_run_finds_nothing(filled: Store, book: PriceBook) -> None:
    new = book.with_overlay(DEARER)
    carry_out(filled, plan(filled, new, ALL))
    after = agree(filled)
    again = plan(filled, new, ALL)
    assert (again.corrections, again.differences) == (0, [])
    assert agree(filled) == after


def test_and_back_again(filled: Store, book: PriceBook) -> None:
    before, rows = agree(filled), filled.query("SELECT span_id, cost, rates, price_status FROM llm_calls ORDER BY ts")
    carry_out(filled, plan(filled, book.with_overlay(DEARER), ALL))
    carry_out(filled, plan(filled, book, ALL))
    assert agree(filled) == before
    assert filled.query("SELECT span_id, cost, rates, price_status FROM llm_calls ORDER BY ts") == rows


@pytest.mark.parametrize(
    ("selection", "corrected"),
    [
        (Selection(ALL.since, ALL.until, model="gpt-4o"), {"gpt-4o"}),
        (Selection(ALL.since, ALL.until, provider="anthropic"), set()),
        (Selection(NOW - timedelta(days=40), NOW - timedelta(days=37), provider="openai"), {"gpt-4o", "acme-1"}),
    ],
)
def test_only_what_is_asked_for(filled: Store, book: PriceBook, selection: Selection, corrected: set[str]) -> None:
    carry_out(filled, plan(filled, book.with_overlay(DEARER), selection))
    found = filled.query("SELECT response_model AS model, ts FROM llm_calls WHERE repriced_at IS NOT NULL")
    assert {row["model"] for row in found} == corrected
    assert all(selection.since <= row["ts"] < selection.until for row in found)
    agree(filled)


class Breaks:
    """A store that fails at its n-th step, before or after the step is done."""

    def __init__(self, store: Store, at: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return self._store.query(sql, parameters)

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[list[dict[str, Any]]]:
        return self._store.stream(sql, parameters)

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        self._step(lambda: self._store.insert(table, columns, token))

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        self._step(lambda: self._store.command(sql, parameters))

    def _step(self, do: Any) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise StoreError("gone")
        do()
        if self._left == 0:
            raise StoreError("gone")


@pytest.mark.integration
@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_breaks_off_anywhere_is_taken_up(
    store: Store, book: PriceBook, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    monkeypatch.setattr(reprice, "_PART", 7)
    monkeypatch.setattr(reprice, "_CHUNK", 11)
    calls = [
        span(told(i), start_time_unix_nano=START + i * HOUR, end_time_unix_nano=START + i * HOUR) for i in range(30)
    ]
    Ingest(Pipeline(store, book, patience=0.0)).accept_request(request(*calls))
    broke, step = True, 0
    while broke:
        step += 1
        dearer = {
            "entries": [
                {
                    "provider": "openai",
                    "model": "*",
                    "rates": {"input": str(step), "cache_read": str(step), "output": "1"},
                }
            ]
        }
        planned = plan(store, book.with_overlay(dearer), ALL)
        try:
            carry_out(Breaks(store, step, after=after), planned)
            broke = False
        except StoreError:
            take_up(store)
        agree(store)
        expected = Decimal(step) / 10**6 * sum(100 + i for i in range(30)) + Decimal(30 * 100) / 10**6
        begun = planned.run in {row["run"] for row in history(store)}
        if begun:
            assert agree(store)["cost"] == expected
    assert step > 8


def test_what_arrives_meanwhile_is_neither_lost_nor_changed(filled: Store, book: PriceBook) -> None:
    planned = plan(filled, book.with_overlay(DEARER), ALL)
    late = span(told(0), start_time_unix_nano=START + 5 * HOUR, end_time_unix_nano=START + 6 * HOUR)
    Ingest(Pipeline(filled, book, patience=0.0)).accept_request(request(late))
    carry_out(filled, planned)
    (row,) = filled.query("SELECT price_version FROM llm_calls WHERE span_id = {s:String}", {"s": late.span_id})
    assert row["price_version"] == book.version
    assert agree(filled)["calls"] == 61


def test_what_older_versions_stored_is_left_as_it_is(filled: Store, book: PriceBook) -> None:
    long_ago = "ALTER TABLE llm_calls UPDATE received_at = '2020-01-01' WHERE response_model = 'gpt-4o'"
    filled.command(f"{long_ago} SETTINGS mutations_sync = 2")
    planned = plan(filled, book.with_overlay(DEARER), ALL)
    assert (planned.left_alone, planned.corrections) == (21, 20)


def test_a_plan_of_calls_that_have_changed_since_is_refused(filled: Store, book: PriceBook) -> None:
    first, second = (plan(filled, book.with_overlay(DEARER), ALL) for _ in range(2))
    carry_out(filled, first)
    with pytest.raises(NotNow, match="changed since"):
        carry_out(filled, second)
    agree(filled)


def test_corrections_do_not_run_beside_each_other(filled: Store, book: PriceBook) -> None:
    with pytest.raises(StoreError):
        carry_out(Breaks(filled, 2, after=True), plan(filled, book.with_overlay(DEARER), ALL))
    with pytest.raises(NotNow, match="broken off"):
        settle(filled)
    with pytest.raises(NotNow, match="broken off"):
        carry_out(filled, plan(filled, book, ALL))
    take_up(filled)
    settle(filled)
    agree(filled)


def test_copies_of_a_span_each_get_their_own_price(store: Store, book: PriceBook) -> None:
    copies = [span(told(0)), span(told(3))]
    copies[1].trace_id, copies[1].span_id = copies[0].trace_id, copies[0].span_id
    copies[1].start_time_unix_nano = copies[0].start_time_unix_nano
    for one in copies:
        Ingest(Pipeline(store, book, patience=0.0)).accept_request(request(one, span(told(1))))
    carry_out(store, plan(store, book.with_overlay(DEARER), ALL))
    rows = store.query("SELECT cost, quantities, rates FROM llm_calls")
    assert len(rows) == 4
    for row in rows:
        assert sum(n * row["rates"][b] for b, n in row["quantities"].items()) == int(row["cost"].scaleb(12))
    agree(store)
