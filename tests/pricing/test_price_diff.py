"""What changed between two sets of prices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.pricing.catalogue import Catalogue
from otel_llm_cost_exporter.prices.diff import Difference, Side, compare

TODAY = date(2026, 11, 1)


def side(*models: list[Any], day: date = TODAY) -> Side:
    """A vendor `v` with models [id, prices, variants], rates in pico-dollars a token."""
    listed = [[model, None, prices, variants] for model, prices, variants in models]
    raw = {"schema": 1, "source": "x 1", "date": "2026-11-01", "providers": {"v": {"fallback": [], "models": listed}}}
    return Side(PriceBook(Catalogue.decode(raw)), day)


def told(difference: Difference) -> list[tuple[Any, ...]]:
    return [(c.model, c.context, c.bucket, c.above, c.old, c.new, c.percent) for c in difference.changed]


def test_nothing_is_different_from_itself() -> None:
    book = PriceBook.vendored()
    assert compare(Side(book, TODAY), Side(book, TODAY)) == ([], [], [])


def test_rates_are_compared_by_bucket_and_prompt_size() -> None:
    old = side(["m", [[None, {"input": [10, 100, 20], "output": 30}]], []])
    new = side(["m", [[None, {"input": [10, 200, 25], "output": 33}]], []])
    assert told(compare(old, new)) == [
        ("m", "", "input", 100, 20, 10, Decimal("-50.0")),
        ("m", "", "input", 200, 20, 25, Decimal("25.0")),
        ("m", "", "output", 0, 30, 33, Decimal("10.0")),
    ]


def test_what_only_follows_from_another_rate_is_not_told() -> None:
    """Cached and reasoning tokens without rates of their own cost what input and output do."""
    old, new = side(["m", [[None, {"input": 10}]], []]), side(["m", [[None, {"input": 20}]], []])
    assert [change.bucket for change in compare(old, new).changed] == ["input"]


def test_a_rate_written_otherwise_is_the_same() -> None:
    old = side(["m", [[None, {"input": 10}]], []])
    new = side(["m", [[None, {"input": [10, 100, 10]}]], []])
    assert compare(old, new).changed == []


def test_contexts_and_hours_are_compared() -> None:
    prices = [[None, {"input": 10}], ["16:30-00:30", {"input": 5}]]
    old = side(["m", prices, [[{"batch": "true"}, None, {"input": 4}]]])
    new = side(["m", [prices[0], ["16:30-00:30", {"input": 6}]], [[{"batch": "true"}, None, {"input": 3}]]])
    assert ("m", "16:30–00:30 UTC", "input", 0, 5, 6, Decimal("20.0")) in told(compare(old, new))
    assert ("m", "batch", "input", 0, 4, 3, Decimal("-25.0")) in told(compare(old, new))


def test_a_context_that_gets_a_price_has_no_old_one() -> None:
    old = side(["m", [[None, {"input": 10}]], []])
    new = side(["m", [[None, {"input": 10}]], [[{"service_tier": "flex"}, None, {"input": 5}]]])
    assert told(compare(old, new)) == [("m", "service_tier flex", "input", 0, None, 5, None)]


def test_models_come_and_go() -> None:
    old = side(["a", [[None, {"input": 1}]], []], ["b", [[None, {"input": 1}]], []])
    new = side(["b", [[None, {"input": 1}]], []], ["c", [[None, {"input": 1}]], []])
    assert compare(old, new) == ([], [("v", "c")], [("v", "a")])
    assert compare(old, new, model="b") == ([], [], [])


@pytest.mark.parametrize(("model", "found"), [("m", 1), ("other", 0), (None, 1)])
def test_two_days_of_one_book(model: str | None, found: int) -> None:
    prices = [[None, {"input": 10}], ["2026-06-01", {"input": 8}]]
    before, after = (
        side(["m", prices, []], ["other", [[None, {"input": 1}]], []], day=day) for day in (date(2026, 5, 31), TODAY)
    )
    assert len(compare(before, after, "v", model).changed) == found
