"""A load is a whole set, put in force at once; the same again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.table import load
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.store import Store, StoreError
from tests.exporter.otlp import chat, request, span

BOOK = PriceBook.vendored()
TENTH_OFF = {"date": "2026-11-01", "entries": [{"provider": "openai", "model": "gpt-4o", "multiplier": "0.9"}]}
RATE = """
SELECT dictGet('llm_prices_dict', 'rates', ('openai', 'gpt-4o', {context:String}, 'input'), toDate('2026-11-01'))
    AS rates
"""
SAID_TWICE = """
SELECT price_provider, price_model, context, bucket, valid_from FROM llm_prices_in_force
GROUP BY price_provider, price_model, context, bucket, valid_from HAVING count() > 1
"""


def _stored(store: Store, **changes: Any) -> None:
    body = request(span(chat(**changes)), scope="otel_llm_cost").SerializeToString()
    Ingest(Pipeline(store, BOOK, patience=0.0)).accept(body, "protobuf")


def _rate(store: Store, context: str = "") -> list[int]:
    return [int(rate) for rate in store.query(RATE, {"context": context})[0]["rates"]]


def test_what_calls_have_used_is_loaded(store: Store) -> None:
    _stored(store)
    loaded = load(store, BOOK, listed=False)
    assert (loaded.new, loaded.price_version, loaded.names) == (True, BOOK.version, 2)
    assert (_rate(store), _rate(store, "batch")) == ([2_500_000], [1_250_000])


def test_the_same_again_changes_nothing(store: Store) -> None:
    _stored(store)
    load(store, BOOK, listed=False)
    again = load(store, BOOK, listed=False)
    assert (again.new, again.sheets, again.names) == (False, 0, 0)
    assert store.query("SELECT count() AS loads FROM llm_price_loads") == [{"loads": 1}]


def test_other_prices_are_put_in_force_and_the_old_are_kept(store: Store) -> None:
    _stored(store)
    old = load(store, BOOK, listed=False)
    new = load(store, BOOK.with_overlay(TENTH_OFF), listed=False)
    assert _rate(store) == [2_250_000]
    kept = "SELECT DISTINCT load FROM llm_prices ORDER BY load"
    assert [row["load"] for row in store.query(kept)] == sorted((old.load, new.load))
    assert load(store, BOOK, listed=False).new
    assert _rate(store) == [2_500_000]


class _Breaks:
    """A store that fails before the prices are in force."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.query = store.query

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        if table == "llm_price_names":
            raise StoreError("no more room")
        self._store.insert(table, columns, token)


def test_a_load_that_breaks_off_is_not_in_force_and_can_be_taken_up(store: Store) -> None:
    _stored(store)
    load(store, BOOK, listed=False)
    with pytest.raises(StoreError):
        load(_Breaks(store), BOOK.with_overlay(TENTH_OFF), listed=False)
    assert _rate(store) == [2_500_000]
    load(store, BOOK.with_overlay(TENTH_OFF), listed=False)
    assert _rate(store) == [2_250_000]
    assert store.query(SAID_TWICE) == []


def _what_if(store: Store, provider: str, model: str, context: str = "") -> dict[str, Any]:
    parameters = f"provider = '{provider}', model = '{model}', context = '{context}', valid = '2026-11-01'"
    [row] = store.query(f"SELECT cost, what_if, no_rate_for FROM llm_what_if({parameters})")  # noqa: S608  # ours
    return row


def test_what_if_the_traffic_went_to_another_model(store: Store) -> None:
    counts = {"gen_ai.usage.cache_read.input_tokens": 600, "gen_ai.usage.reasoning.output_tokens": 40}
    _stored(store, **counts)
    book_names = [("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-4-5")]
    load(store, BOOK, listed=False, seen=book_names)
    same = _what_if(store, "openai", "gpt-4o-2024-08-06")
    assert same["what_if"] == same["cost"] == Decimal("0.00275")
    assert _what_if(store, "openai", "gpt-4o-mini")["what_if"] == Decimal("0.000165")
    assert _what_if(store, "openai", "gpt-4o-mini", "batch")["what_if"] < Decimal("0.000165")
    haiku = _what_if(store, "anthropic", "claude-haiku-4-5")
    assert haiku["what_if"] == Decimal("0.00096")  # 400 × 1 + 600 × 0.10 + 100 × 5 USD per million
    assert _what_if(store, "openai", "nobody-knows")["what_if"] is None


@pytest.mark.integration
def test_all_that_the_prices_list(store: Store) -> None:
    loaded = load(store, BOOK)
    assert loaded.sheets > 2_000
    assert loaded.names > 5_000
    assert _rate(store) == [2_500_000]
    overlaps = """
        SELECT count() AS overlaps FROM llm_prices_in_force AS a JOIN llm_prices_in_force AS b
            USING (price_provider, price_model, context, bucket)
        WHERE a.valid_from < b.valid_from AND a.last_day >= b.valid_from
    """
    assert store.query(overlaps) == [{"overlaps": 0}]
    assert load(store, BOOK).new is False
