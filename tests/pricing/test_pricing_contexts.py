"""How a call was served changes its price: tiers, batches, speed, region, hours of the day, capacity bought before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from otel_llm_cost.pricing import Context, PriceBook, Priced
from otel_llm_cost.pricing.buckets import BUCKETS
from otel_llm_cost.pricing.hours import turning_days
from otel_llm_cost.pricing.names import region_of
from otel_llm_cost.record import Usage

BOOK = PriceBook.vendored()
TODAY = date(2026, 11, 1)
USAGE = Usage(input_tokens=1_000_000, output_tokens=0)
SMALL = Usage(input_tokens=10, output_tokens=5)


def both_rates(provider: str, day: date, context: Context, *, long: bool = True) -> Iterator[tuple[str, str, int, int]]:
    """(model, bucket, standard, context's) of all that the context prices, of long prompts too."""
    for model in BOOK.models(provider):
        plain, other = BOOK.resolve(provider, model, day), BOOK.resolve(provider, model, day, context)
        if isinstance(plain, Priced) and isinstance(other, Priced) and "no_price_for" not in other.reason:
            for start in {*plain.card.starts, *other.card.starts} if long else {0}:
                pairs = zip(BUCKETS, plain.card.row(start + 1), other.card.row(start + 1), strict=True)
                yield from ((model, name, a, b) for name, a, b in pairs if a is not None and b is not None)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "aws", "azure", "mistral", "x-ai"])
@pytest.mark.parametrize("day", [date(2025, 6, 1), date(2026, 3, 1), TODAY, date(2027, 1, 1)], ids=str)
def test_a_batch_and_flex_are_never_dearer_and_priority_never_cheaper(provider: str, day: date) -> None:
    for context in (Context(batch=True), Context("flex")):
        for model, bucket, standard, other in both_rates(provider, day, context):
            assert other <= standard, (model, bucket, context)
    for model, bucket, standard, other in both_rates(provider, day, Context("priority")):
        assert other >= standard, (model, bucket)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google", "aws"])
def test_a_batch_is_half_where_the_vendor_says_half(provider: str) -> None:
    """Input and output of short texts; a cache may cost what it does otherwise, and two models are listed otherwise."""
    listed_otherwise = {"gpt-3.5-turbo-1106", "ft:gpt-4o"}
    for model, bucket, standard, batch in both_rates(provider, TODAY, Context(batch=True), long=False):
        if bucket in ("input", "output") and model not in listed_otherwise:
            assert batch * 2 == standard, model


@pytest.mark.parametrize(
    ("provider", "model", "tier"),
    [
        ("gcp.vertex_ai", "gemini-2.5-flash", "PROVISIONED_THROUGHPUT"),
        ("anthropic", "claude-sonnet-4-6", "priority"),
        ("openai", "gpt-5", "scale"),
        ("aws.bedrock", "us.amazon.nova-pro-v1:0", "reserved"),
    ],
)
def test_capacity_bought_beforehand_has_no_price_unless_you_say_one(provider: str, model: str, tier: str) -> None:
    context = Context(service_tier=tier)
    cost = BOOK.price(provider, model, SMALL, TODAY, context)
    assert (cost.status, cost.total) == ("unknown", None)
    entry = {
        "provider": provider,
        "model": "*",
        "context": {"service_tier": tier},
        "rates": {"input": "1", "output": "2"},
    }
    own = BOOK.with_overlay({"entries": [entry]}).price(provider, model, SMALL, TODAY, context)
    assert (own.status, own.total) == ("override", 20_000_000)


@pytest.mark.parametrize("tier", ["auto", "default", "standard", "on_demand", "ON_DEMAND", "", None])
def test_the_standard_has_many_names(tier: str | None) -> None:
    cost = BOOK.price("gcp.vertex_ai", "gemini-2.5-flash", SMALL, TODAY, Context(service_tier=tier))
    assert (cost.status, cost.total) == ("exact", 10 * 300_000 + 5 * 2_500_000)


def test_an_unlisted_tier_is_billed_at_the_standard_rate_and_says_so() -> None:
    cost = BOOK.price("openai", "gpt-5", SMALL, TODAY, Context(service_tier="turbo"))
    assert (cost.status, cost.reason) == ("fallback", "no_price_for_service_tier")
    assert cost.total == BOOK.price("openai", "gpt-5", SMALL, TODAY).total


@pytest.mark.parametrize(
    ("model", "dearer"),
    [
        ("claude-opus-4-5", False),
        ("claude-sonnet-4-5", False),
        ("claude-haiku-4-5", False),
        ("claude-opus-4-6", True),
        ("claude-sonnet-4-6", True),
        ("claude-opus-4-8", True),
        ("claude-sonnet-5-5", True),
        ("claude-fable-5-2", True),
    ],
)
def test_inference_in_the_us_only_costs_a_tenth_more(model: str, dearer: bool) -> None:
    plain = BOOK.price("anthropic", model, USAGE, TODAY).total
    in_us = BOOK.price("anthropic", model, USAGE, TODAY, Context(region="us")).total
    assert plain is not None
    assert in_us is not None
    assert in_us * 10 == plain * (11 if dearer else 10)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("eu.api.openai.com", "regional"),
        ("US.api.openai.com", "regional"),
        ("us-east5-aiplatform.googleapis.com", "regional"),
        ("aiplatform.eu.rep.googleapis.com", "regional"),
        ("us-east-1.api.x.ai", "regional"),
        ("aiplatform.googleapis.com", None),
        ("api.x.ai", None),
        ("api.openai.com", None),
        ("eu.api.openai.com.example.org", None),
        ("generativelanguage.googleapis.com", None),
        ("", None),
        (None, None),
    ],
)
def test_a_host_says_where_inference_runs(host: str | None, region: str | None) -> None:
    assert region_of(host) == region


PEAK, QUIET = (2, 30), (12, 0)
FLAT_V4, OFF_PEAK, AT_PEAK = 435, 660, 1320


@pytest.mark.parametrize(
    ("day", "hour", "price"),
    [
        ((2026, 11, 2), PEAK, AT_PEAK),
        ((2026, 11, 2), QUIET, OFF_PEAK),
        ((2026, 11, 2), (0, 59), OFF_PEAK),
        ((2026, 11, 2), (1, 0), AT_PEAK),
        ((2026, 11, 2), (3, 59), AT_PEAK),
        ((2026, 11, 2), (4, 0), OFF_PEAK),
        ((2026, 11, 6), (9, 59), AT_PEAK),
        ((2026, 11, 7), PEAK, OFF_PEAK),
        ((2026, 11, 8), PEAK, OFF_PEAK),
        ((2026, 10, 1), PEAK, OFF_PEAK),
        ((2026, 10, 8), PEAK, AT_PEAK),
        ((2026, 8, 22), PEAK, AT_PEAK),
        ((2026, 8, 23), PEAK, OFF_PEAK),
        ((2026, 8, 17), PEAK, AT_PEAK),
        ((2026, 8, 16), PEAK, FLAT_V4),
    ],
)
def test_peak_hours_are_those_of_weekdays_since_they_began(
    day: tuple[int, int, int], hour: tuple[int, int], price: int
) -> None:
    cost = BOOK.price("deepseek", "deepseek-v4-pro", USAGE, datetime(*day, *hour, tzinfo=UTC))
    assert (cost.total, cost.status) == (price * 10**9, "exact")


@pytest.mark.parametrize(
    ("day", "price"),
    [((2025, 6, 1), 270), ((2025, 9, 4), 270), ((2025, 9, 5), 560), ((2025, 9, 29), 280), ((2026, 4, 24), 140)],
)
def test_an_old_night_discount_ended(day: tuple[int, int, int], price: int) -> None:
    noon = BOOK.price("deepseek", "deepseek-chat", USAGE, datetime(*day, 12, 0, tzinfo=UTC))
    night = BOOK.price("deepseek", "deepseek-chat", USAGE, datetime(*day, 20, 0, tzinfo=UTC))
    assert noon.total == price * 10**9
    assert night.total == (price * 10**9 // 2 if day < (2025, 9, 5) else noon.total)


def test_a_day_without_an_hour_is_a_guess_and_another_host_has_no_such_hours() -> None:
    assert BOOK.price("deepseek", "deepseek-v4-pro", USAGE, date(2026, 11, 2)).reason == "time_of_day_not_known"
    at_peak = datetime(2026, 11, 2, 2, 30, tzinfo=UTC)
    cost = BOOK.price("azure", "deepseek-v4-pro", USAGE, at_peak)
    assert cost.total != AT_PEAK * 10**9


def test_the_days_on_which_hours_change_are_known() -> None:
    facts = BOOK.facts("deepseek", "deepseek-v4-pro")
    assert facts is not None
    days = turning_days(facts[0], date(2026, 11, 30))
    first, *days = days
    assert first == date(2025, 2, 26)
    assert days[:4] == [date(2025, 9, 5), date(2026, 8, 17), date(2026, 8, 23), date(2026, 8, 24)]
    assert date(2026, 10, 8) in days  # the first day after the holidays
    at = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    every = [at + timedelta(n) for n in range(334)]
    totals = [BOOK.price("deepseek", "deepseek-v4-pro", USAGE, one).total for one in every]
    changed = [day.date() for day, now, before in zip(every[1:], totals[1:], totals, strict=False) if now != before]
    assert set(changed) <= set(days)
    other = BOOK.facts("openai", "gpt-5")
    assert other is not None
    assert turning_days(other[0], date(2026, 11, 30)) == []


def test_entries_about_different_things_may_stand_in_any_order() -> None:
    entries: list[dict[str, Any]] = [
        {"provider": "openai", "model": "gpt-5", "rates": {"input": "9"}},
        {"provider": "openai", "model": "gpt-4o", "rates": {"output": "8"}},
        {"provider": "openai", "model": "gpt-5", "context": {"batch": True}, "multiplier": "0.25"},
        {"provider": "anthropic", "model": "*", "fees": {"web_search": "7"}},
        {"provider": "gateway", "model": "m", "rates": {"input": "1", "output": "2"}},
        {"provider": "openai", "model": "gpt-5", "valid_to": "2020-01-01", "rates": {"input": "99"}},
    ]
    asked = [("openai", "gpt-5"), ("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-6"), ("gateway", "m")]
    usage = Usage(input_tokens=10, output_tokens=5, web_search_requests=1)

    def costs() -> list[int | None]:
        book = BOOK.with_overlay({"entries": entries})
        return [book.price(*one, usage, TODAY, Context(batch=batch)).total for one in asked for batch in (False, True)]

    first, chance = costs(), random.Random(4)  # noqa: S311  # the same orders every time
    for _ in range(20):
        chance.shuffle(entries)
        assert costs() == first


def test_every_tier_begins_one_token_after_its_boundary() -> None:
    """Of every model that has tiers, by what a call is billed and not by its card."""
    seen = 0
    for provider in ("openai", "anthropic", "google", "aws", "x-ai", "openrouter"):
        for model in BOOK.models(provider):
            found = BOOK.resolve(provider, model, TODAY)
            if not isinstance(found, Priced) or found.windows:
                continue
            for below, start, above in zip(found.card.rows, found.card.starts[1:], found.card.rows[1:], strict=False):
                for tokens, row in ((start, below), (start + 1, above)):
                    cost = BOOK.price(provider, model, Usage(input_tokens=tokens, output_tokens=1), TODAY)
                    assert cost.input == tokens * (row[0] or 0), (provider, model, tokens)
                seen += 1
    assert seen > 50
