"""The packaged data is what the installed genai-prices gives, and prices as that library does."""

from __future__ import annotations

import json
import logging
import lzma
import random
import warnings
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from otel_llm_cost.pricing import Context, PriceBook
from otel_llm_cost.pricing.catalogue import Catalogue
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.prices import convert
from otel_llm_cost_exporter.prices import data as price_data

genai_prices = pytest.importorskip("genai_prices")

_CONTEXTS: list[tuple[dict[str, str], Context]] = [
    ({}, Context()),
    ({}, Context()),
    ({"processing": "batch"}, Context(batch=True)),
    ({"service_tier": "flex"}, Context(service_tier="flex")),
    ({"service_tier": "priority"}, Context(service_tier="priority")),
    ({"speed": "fast"}, Context(speed="fast")),
]


def test_the_packaged_file_is_up_to_date() -> None:
    assert price_data.main(["--check"]) == 0


def test_a_stale_file_is_told_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "prices.json.xz"
    data = json.loads(lzma.decompress(price_data.packaged_file().read_bytes()))
    gone = data["providers"]["openai"]["models"].pop(0)[0]
    path.write_bytes(price_data.encode(data))
    monkeypatch.setattr(price_data, "packaged_file", lambda: path)
    with caplog.at_level(logging.INFO):
        assert price_data.main(["--check"]) == 1
    assert f"new: openai {gone}" in caplog.text
    assert price_data.main([]) == 0
    assert price_data.main(["--check"]) == 0
    assert path.read_bytes() == price_data.encode(price_data.convert())


def test_a_newer_installed_package_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert price_data.load_book(environ={}).source == PriceBook.vendored().source
    monkeypatch.setattr(convert, "installed_version", lambda _: "99.0.1")
    book = price_data.load_book(environ={})
    assert book.source == "genai-prices 99.0.1"
    assert book.price("openai", "gpt-4o", Usage(input_tokens=1, output_tokens=0), date(2026, 1, 1)).total == 2_500_000


def test_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 2"):
        Catalogue.decode({"schema": 2})


def test_equal_to_the_library() -> None:
    """2,500 calls of any model, day and context: the data without overlays prices as its own library does.

    Left out are models that the library has for nothing because it has no price for them, open weights that it lists
    for OpenAI, who does not sell them, hours of the day that cost more (it does not know on which days of the week),
    and a tier that it prices though it is not billed by the call.
    A few of its rates are fractions with no end; a token of those may be half a pico-dollar off.
    """
    from genai_prices import Usage as Theirs
    from genai_prices import calc_price
    from genai_prices.data import providers

    book = PriceBook(Catalogue.vendored())
    chance = random.Random(20261101)  # noqa: S311  # the same calls every time
    listed = ((provider.id, model.id) for provider in providers for model in provider.models)
    names = [(provider, model) for provider, model in listed if (provider, model[:7]) != ("openai", "gpt-oss")]
    compared = 0
    for provider, model in chance.choices(names, k=2500):
        prompt = chance.choice([0, 5, 1000, 128_000, 200_000, 200_001, 272_001, 500_000])
        read, answer = chance.choice([0, 0, prompt // 2]), chance.choice([0, 7, 4000])
        written = chance.choice([0, 0, (prompt - read) // 3])
        long = chance.choice([0, written // 2])
        day = date(2024, 1, 1) + timedelta(chance.randrange(1090))
        at = datetime(day.year, day.month, day.day, chance.randrange(24), tzinfo=UTC)
        said, context = chance.choice(_CONTEXTS)
        if provider == "deepseek" or (provider == "anthropic" and context.service_tier):
            continue
        theirs = Theirs(
            input_tokens=prompt,
            output_tokens=answer,
            cache_read_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=long,
        )
        try:
            with warnings.catch_warnings(action="ignore"):
                wanted = calc_price(
                    theirs, model, provider_id=provider, genai_request_timestamp=at, price_context=said
                ).total_price
        except LookupError:
            continue
        ours = Usage(
            input_tokens=prompt,
            output_tokens=answer,
            cache_read_input_tokens=read,
            cache_write_input_tokens=written,
            cache_write_1h_input_tokens=long,
        )
        cost = book.price(provider, model, ours, at, context)
        if cost.total is None or (prompt + answer == 0 and wanted):
            assert not wanted or not prompt + answer, (provider, model, cost.reason)
            continue
        assert abs(cost.total - wanted * 10**12) * 2 <= prompt + answer, (provider, model, at, said, cost)
        compared += 1
    assert compared > 2000
