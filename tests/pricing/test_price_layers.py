"""What is said of a price's layers adds up to the card that calls are priced by."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from otel_llm_cost.pricing import Context, Priced
from otel_llm_cost.pricing.card import compile_card
from otel_llm_cost.pricing.money import Rate
from otel_llm_cost_exporter.prices.data import load_prices
from otel_llm_cost_exporter.prices.layers import layers

PRICES = load_prices(environ={})
BOOK = PRICES.book()
CONTEXTS = (
    Context(),
    Context(batch=True),
    Context(service_tier="flex"),
    Context(service_tier="priority"),
    Context(speed="fast"),
    Context(region="us"),
)


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
@pytest.mark.parametrize("day", [date(2025, 3, 1), date(2026, 11, 1)], ids=str)
def test_layers_add_up_to_the_card(day: date, context: Context) -> None:
    names = [(provider, model) for provider in BOOK.providers() for model in BOOK.models(provider)]
    for provider, model in random.Random(1).sample(names, 100):  # noqa: S311  # the same models every time
        found = BOOK.resolve(provider, model, day, context)
        if isinstance(found, Priced):
            rates: dict[str, Rate] = {}
            for layer in layers(PRICES, provider, model, day, context):
                rates |= {name: new for name, (_, new) in layer.changed.items() if new is not None}
            assert compile_card(found.provider, found.model, rates).rows == found.card.rows, (provider, model)


def test_hours_of_the_day_are_a_layer() -> None:
    first, *_ = layers(PRICES, "deepseek", "deepseek-chat", datetime(2025, 8, 1, 12, tzinfo=UTC), Context())
    assert first.what.endswith("00:30–16:30 UTC")


def test_nothing_is_known_of_an_unknown_model() -> None:
    assert layers(PRICES, "openai", "nobody-knows", date(2026, 11, 1), Context()) == []


def test_the_entry_that_points_at_a_model_is_a_layer(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("entries:\n- {provider: azure, model: chat-prod, same_as: openai/gpt-4o}\n")
    prices = load_prices(path, {}, tmp_path)
    first, second, *_ = layers(prices, "azure.ai.openai", "chat-prod", date(2026, 11, 1), Context())
    assert (first.by, first.what) == ("option overlay", "azure/chat-prod, the same as openai/gpt-4o")
    assert first.source.endswith("prices.yaml:2")
    assert second.what == "openai/gpt-4o"
