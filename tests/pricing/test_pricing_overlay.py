"""Prices of one's own, laid over the data."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost.pricing import Context, Cost, Overlay, PriceBook
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.price_data import load_book

BOOK = PriceBook.vendored()
USAGE = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cache_read_input_tokens=500_000)
TODAY = date(2026, 11, 1)


def priced(entries: list[dict[str, Any]], provider: str, model: str, at: date = TODAY, **context: Any) -> Cost:
    return BOOK.with_overlay({"entries": entries}).price(provider, model, USAGE, at, Context(**context))


def test_a_server_of_ones_own() -> None:
    entry = {"provider": "10.0.0.1", "model": "*", "rates": {"input": "0.10", "output": "0.20"}}
    cost = priced([entry], "10.0.0.1", "llama-local")
    assert (cost.status, cost.model, cost.total) == ("override", "llama-local", 300_000_000_000)


def test_a_negotiated_discount_leaves_fees_alone_and_follows_its_dates() -> None:
    entry = {"provider": "openai", "model": "gpt-4o*", "multiplier": "0.9", "valid_from": "2026-07-01"}
    after = BOOK.with_overlay({"entries": [entry]}).price(
        "openai", "gpt-4o", USAGE._replace(web_search_requests=1), TODAY
    )
    assert (after.input, after.output, after.tools) == (1_125_000_000_000, 9_000_000_000_000, 10_000_000_000)
    before = priced([entry], "openai", "gpt-4o", date(2026, 6, 30))
    assert (before.status, before.total) == ("exact", BOOK.price("openai", "gpt-4o", USAGE, TODAY).total)


def test_a_deployment_has_the_price_of_its_model() -> None:
    entry = {"provider": "azure.ai.openai", "model": "my-deployment", "same_as": "openai/gpt-4o-mini"}
    cost = priced([entry], "azure.ai.openai", "my-deployment")
    assert (cost.status, cost.model, cost.reason) == ("override", "gpt-4o-mini", "same_as")
    assert cost.total == BOOK.price("openai", "gpt-4o-mini", USAGE, TODAY).total


def test_one_rate_of_a_known_model_may_be_replaced() -> None:
    cost = priced(
        [{"provider": "openai", "model": "gpt-5", "rates": {"cache_read": "1"}}], "openai", "gpt-5-2025-08-07"
    )
    assert (cost.status, cost.cache_read, cost.output) == ("override", 500_000_000_000, 10_000_000_000_000)


def test_an_entry_may_be_for_a_context() -> None:
    entry = {"provider": "openai", "model": "gpt-4o", "context": {"region": "eu"}, "multiplier": "1.1"}
    plain = BOOK.price("openai", "gpt-4o", USAGE, TODAY).total
    assert plain is not None
    assert priced([entry], "openai", "gpt-4o", region="EU").total == plain * 11 // 10
    assert priced([entry], "openai", "gpt-4o", region="us").total == plain


def test_tiers_and_fees() -> None:
    entry = {
        "provider": "gateway",
        "model": "m",
        "rates": {"input": "1", "output": "2"},
        "tiers": [{"above": 1000, "rates": {"input": "3"}}],
        "fees": {"web_search": "5"},
    }
    book = BOOK.with_overlay({"entries": [entry]})
    small = book.price("gateway", "m", Usage(input_tokens=1000, output_tokens=0, web_search_requests=2), TODAY)
    large = book.price("gateway", "m", Usage(input_tokens=1001, output_tokens=0), TODAY)
    assert (small.input, small.tools, large.input) == (10**9, 10**10, 3_003_000_000)


def test_the_user_wins_over_the_project() -> None:
    project, user = ({"entries": [{"provider": "p", "model": "m", "rates": {"input": r}}]} for r in ("1", "2"))
    book = BOOK.with_overlay(project, "project").with_overlay(user, "user")
    assert book.price("p", "m", Usage(input_tokens=1, output_tokens=0), TODAY).total == 2_000_000
    assert len({BOOK.version, book.version, BOOK.with_overlay(project, "project").version}) == 3


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"provider": "p", "model": "m", "rates": {"input": 2.5}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "cheap"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "-1"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "NaN"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "1e999999999"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"inptu": "1"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": "free"}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"web_search": "1"}}, "rates"),
        ({"provider": "p", "model": "m", "fees": {"input": "1"}}, "fees"),
        ({"provider": "p", "model": "m", "rates": {"input": "0.0000001"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {}, "valid_from": "soon"}, "valid_from"),
        ({"provider": "p", "model": "m", "rates": {}, "context": {"tier": "flex"}}, "context"),
        ({"provider": "p", "model": "m", "rates": {}, "tiers": [{"above": "1", "rates": {}}]}, "tiers"),
        ({"provider": "p", "model": "m", "multiplier": 0.5}, "multiplier"),
        ({"provider": "p", "model": "m", "same_as": "gpt-4o"}, "same_as"),
        ({"provider": "p", "model": "m", "price": "1"}, "price"),
        ({"provider": "p", "rates": {"input": "1"}}, "model"),
        ({"provider": "p", "model": "m"}, "rates"),
    ],
)
def test_a_malformed_entry_is_named(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"user price overlay, entry 1.*{field}"):
        Overlay.decode({"entries": [{"provider": "p", "model": "m", "rates": {"input": "1"}}, entry]}, "user")


@pytest.mark.parametrize("raw", [None, [], {}, {"entries": {}}, {"entries": ["free"]}])
def test_what_is_no_overlay_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="user price overlay"):
        Overlay.decode(raw, "user")


def test_the_environment_names_an_overlay(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"entries": [{"provider": "p", "model": "m", "rates": {"input": "1"}}]}))
    book = load_book(environ={"OTEL_LLM_COST_PRICES": str(path)})
    assert book.price("p", "m", Usage(input_tokens=1, output_tokens=0), TODAY).total == 1_000_000
    path.write_text("{")
    with pytest.raises(ValueError, match=r"prices\.json"):
        load_book(path, environ={})


def test_the_packaged_overlay_names_its_sources() -> None:
    for entry in Overlay.vendored().entries:
        assert entry.source.startswith("https://"), entry
        assert entry.note, entry
