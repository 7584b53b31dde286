"""Vendors' published prices × tokens, worked out by hand, against the book."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost.pricing import Context, PriceBook
from otel_llm_cost.record import Usage

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text())
BOOK = PriceBook.vendored()


def _name(case: dict[str, Any]) -> str:
    return " ".join((case["model"], case["date"], *map(str, case["context"].values()), case["usd"]))


@pytest.mark.parametrize("case", GOLDEN, ids=_name)
def test_published_price(case: dict[str, Any]) -> None:
    cost = BOOK.price(
        case["provider"],
        case["model"],
        Usage(**case["usage"]),
        date.fromisoformat(case["date"]),
        Context(**case["context"]),
    )
    assert cost.total == Decimal(case["usd"]) * 10**12
    assert cost.status == case["status"]


@pytest.mark.parametrize("case", GOLDEN, ids=_name)
def test_the_table_adds_up(case: dict[str, Any]) -> None:
    """Quantity × USD per million, by a road that has nothing of the book's in it."""
    terms = (term.strip().split("*") for term in case["working"].split(" + "))
    micro_dollars = sum(Decimal(quantity) * Decimal(rate) for quantity, rate in terms)
    assert micro_dollars == Decimal(case["usd"]) * 10**6
    assert case["source"].startswith("https://")
