"""What holds of every price: sums, order, boundaries, and no exception whatever is asked."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_cost.pricing import Context, Cost, PriceBook
from otel_llm_cost.pricing.buckets import BUCKETS, quantities
from otel_llm_cost.pricing.buckets import _in_full as in_full
from otel_llm_cost.record import Usage

BOOK = PriceBook.vendored()
TODAY = date(2026, 11, 1)
PARTS = ("input", "cache_read", "cache_write", "output", "tools")
COUNTS = [f for f in Usage._fields if not f.startswith("estimated")]


def usage_of(said: dict[str, Any]) -> Usage:
    return Usage(**said)


counts = st.one_of(st.none(), st.integers(0, 3000))
usages = st.fixed_dictionaries(dict.fromkeys(COUNTS, counts)).map(usage_of)
models = st.sampled_from(
    [
        ("openai", "gpt-5"),
        ("openai", "gpt-4o-audio-preview"),
        ("openai", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5"),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("gcp.gemini", "gemini-2.5-flash"),
        ("perplexity", "sonar"),
        ("openai", "whisper-1"),
    ]
)
contexts = st.builds(
    Context, st.sampled_from([None, "flex", "priority", "default"]), st.booleans(), st.sampled_from([None, "fast"])
)


def parts(cost: Cost) -> list[int | None]:
    return [getattr(cost, name) for name in PARTS]


@given(models, usages, contexts)
def test_the_total_is_the_sum_of_the_parts_and_of_the_lines(
    model: tuple[str, str], usage: Usage, context: Context
) -> None:
    cost = BOOK.price(*model, usage, TODAY, context)
    known = [part for part in parts(cost) if part is not None]
    if cost.status == "unknown":
        assert (cost.total, known) == (None, [])
        assert cost.reason
    else:
        assert cost.total == sum(known)
        assert cost.total == sum(line.amount or 0 for line in cost.lines)
        assert min(known) >= 0


@given(usages)
def test_every_token_is_in_exactly_one_bucket(usage: Usage) -> None:
    counted = quantities(usage)
    if isinstance(counted, str):
        return
    held = {BUCKETS[index]: quantity for index, quantity in counted.counts}
    assert all(quantity > 0 for quantity in held.values())
    prompt = sum(n for name, n in held.items() if name.startswith(("input", "cache")))
    compacted = usage.compaction_input_tokens or 0
    if compacted <= prompt:  # the larger of two requests chooses the tier
        assert counted.prompt_tokens == max(prompt - compacted, compacted)
    else:
        assert counted.prompt_tokens == prompt
    if usage.input_tokens is not None:
        assert prompt == usage.input_tokens
    if usage.output_tokens is not None:
        assert sum(n for name, n in held.items() if name.startswith(("output", "reasoning"))) == usage.output_tokens


USUAL = [
    f for f in COUNTS if f.startswith("cache_write") or f in ("cache_read_input_tokens", "reasoning_output_tokens")
]


@given(st.integers(0, 9000), st.integers(0, 9000), st.fixed_dictionaries(dict.fromkeys(USUAL, counts)))
def test_the_short_way_for_usual_calls_leads_where_the_long_one_does(
    total_in: int, total_out: int, said: dict[str, int | None]
) -> None:
    usage = Usage(input_tokens=total_in, output_tokens=total_out, **said)  # type: ignore[arg-type]
    assert quantities(usage) == in_full(usage)
    assert quantities(usage._replace(audio_input_tokens=0, web_search_requests=0)) == in_full(usage)


_FEW = st.integers(0, 50_000)


@given(_FEW, _FEW, _FEW, _FEW, st.sampled_from([("openai", "gpt-5.4"), ("anthropic", "claude-sonnet-4-5")]))
def test_cost_is_additive_within_a_tier(
    read: int, fresh: int, reasoning: int, text: int, model: tuple[str, str]
) -> None:
    def total(**said: Any) -> int:
        """Of no tokens nothing is billed: it is no call."""
        cost = BOOK.price(*model, Usage(**said), TODAY)
        assert (cost.total is None) == (not any(said.values()))
        return cost.total or 0

    whole = total(
        input_tokens=read + fresh,
        cache_read_input_tokens=read,
        output_tokens=reasoning + text,
        reasoning_output_tokens=reasoning,
    )
    apart = (
        total(input_tokens=read, cache_read_input_tokens=read, output_tokens=0)
        + total(input_tokens=fresh, output_tokens=0)
        + total(input_tokens=0, output_tokens=reasoning, reasoning_output_tokens=reasoning)
        + total(input_tokens=0, output_tokens=text)
    )
    assert whole == apart


@given(models, st.integers(0, 400_000), st.integers(0, 400_000), st.integers(0, 9000), st.integers(0, 9000))
def test_more_tokens_never_cost_less(model: tuple[str, str], a: int, b: int, c: int, d: int) -> None:
    less = BOOK.price(*model, Usage(input_tokens=min(a, b), output_tokens=min(c, d)), TODAY)
    more = BOOK.price(*model, Usage(input_tokens=max(a, b), output_tokens=max(c, d)), TODAY)
    if less.total is not None and more.total is not None:
        assert less.total <= more.total


@given(models, usages, contexts)
def test_a_cost_of_zero_is_that_of_something_free(model: tuple[str, str], usage: Usage, context: Context) -> None:
    cost = BOOK.price(*model, usage, TODAY, context)
    if cost.total == 0:
        assert cost.status != "partial"
        assert {line.rate for line in cost.lines} == {0}


def test_a_free_model_costs_zero_and_half_of_a_usage_says_nothing_about_the_rest() -> None:
    entry = {"provider": "gateway", "model": "m", "rates": {"input": "0", "output": "1"}}
    book = BOOK.with_overlay({"entries": [entry]})
    free = book.price("gateway", "m", Usage(input_tokens=9, output_tokens=0), TODAY)
    assert (free.status, free.total) == ("override", 0)
    half = book.price("gateway", "m", Usage(input_tokens=9), TODAY)
    assert (half.status, half.reason, half.total) == ("unknown", "output_missing", None)


@pytest.mark.parametrize(
    ("model", "boundary", "below", "above"),
    [
        (("openai", "gpt-5.4"), 272_000, 2_500_000, 5_000_000),
        (("anthropic", "claude-sonnet-4-5"), 200_000, 3_000_000, 6_000_000),
        (("gcp.gemini", "gemini-1.5-pro"), 128_000, 1_250_000, 2_500_000),
    ],
)
def test_a_tier_begins_after_its_boundary_and_counts_cached_tokens(
    model: tuple[str, str], boundary: int, below: int, above: int
) -> None:
    def uncached(tokens: int, cached: int = 0) -> int | None:
        usage = Usage(input_tokens=tokens, cache_read_input_tokens=cached, output_tokens=0)
        return BOOK.price(*model, usage, TODAY).input

    assert uncached(boundary) == boundary * below
    assert uncached(boundary + 1) == (boundary + 1) * above
    assert uncached(boundary + 1, cached=boundary) == above


@pytest.mark.parametrize(
    ("provider", "model", "usage", "reason"),
    [
        ("openai", "gpt-99", Usage(input_tokens=1, output_tokens=1), "unknown_model"),
        ("10.0.0.1", "gpt-4o", Usage(input_tokens=1, output_tokens=1), "unknown_provider"),
        ("my-openai-gateway", "gpt-4o", Usage(input_tokens=1, output_tokens=1), "unknown_provider"),
        ("", "gpt-4o", Usage(input_tokens=1, output_tokens=1), "unknown_provider"),
        ("together", "gpt-4o", Usage(input_tokens=1, output_tokens=1), "unknown_model"),
        ("openai", "gpt-4o", None, "no_usage"),
        ("openai", "gpt-4o", Usage(reasoning_output_tokens=5), "no_usage"),
        ("openai", "gpt-4o", Usage(input_tokens=0), "no_usage"),
        ("openai", "gpt-4o", Usage(output_tokens=0), "no_usage"),
        ("openai", "gpt-4o", Usage(input_tokens=0, output_tokens=0), "no_usage"),
        ("perplexity", "sonar", Usage(input_tokens=0, output_tokens=0, cache_read_input_tokens=0), "no_usage"),
        ("openai", "text-embedding-3-small", Usage(input_tokens=0), "no_usage"),
        ("openai", "gpt-4o", Usage(input_tokens=0, cache_read_input_tokens=9), "bad_usage"),
        ("openai", "gpt-4o", Usage(input_tokens=0, output_tokens=0, cache_read_input_tokens=9), "bad_usage"),
        ("openai", "gpt-4o", Usage(input_tokens=-1, output_tokens=1), "bad_usage"),
        ("openai", "whisper-1", Usage(input_tokens=10, output_tokens=1), "no_rates"),
    ],
)
def test_unknown_is_not_zero(provider: str, model: str, usage: Usage | None, reason: str) -> None:
    cost = BOOK.price(provider, model, usage, TODAY)
    assert (cost.status, cost.reason, cost.total, parts(cost)) == ("unknown", reason, None, [None] * 5)


@pytest.mark.parametrize(
    ("model", "usage", "known", "reason"),
    [
        (("openai", "gpt-4o"), {"input_tokens": 10, "output_tokens": 5, "code_execution_requests": 1}, 75_000_000,
         "no_rate_for_code_execution"),
        (("openai", "gpt-4o"), {"input_tokens": 10, "output_tokens": 5, "audio_output_tokens": 5}, 25_000_000,
         "no_rate_for_output_audio"),
        (("openai", "gpt-4o"), {"input_tokens": 10}, 25_000_000, "output_missing"),
        (("openai", "gpt-4o"), {"output_tokens": 5}, 50_000_000, "input_missing"),
        (("x_ai", "grok-4"), {"input_tokens": 10, "output_tokens": 0, "cache_read_input_tokens": 99}, None,
         "cache_read_exceeds_input"),
    ],
)  # fmt: skip
def test_what_is_known_of_a_partial_bill_is_given(
    model: tuple[str, str], usage: dict[str, Any], known: int | None, reason: str
) -> None:
    cost = BOOK.price(*model, Usage(**usage), TODAY)
    assert (cost.status, cost.reason) == ("partial", reason)
    assert cost.total == known or known is None


def test_a_long_cache_write_with_no_rate_is_a_marked_guess() -> None:
    usage = Usage(input_tokens=10, output_tokens=0, cache_write_1h_input_tokens=10)
    cost = BOOK.price("gcp.vertex_ai", "claude-3-opus@20240229", usage, TODAY)
    assert (cost.status, cost.cache_write) == ("fallback", 10 * 18_750_000)
    assert "cache_write_1h_at_default_rate" in cost.reason


@pytest.mark.parametrize(
    ("model", "usage", "reason"),
    [
        (("openai", "gpt-4o-2024-05-13"), {"cache_read_input_tokens": 5}, "cache_read_at_input_rate"),
        (
            ("openai", "gpt-4o-audio-preview"),
            {"audio_input_tokens": 5, "cache_read_input_tokens": 5, "audio_cache_read_input_tokens": 5},
            "cache_read_audio_at_input_rate",
        ),
        (("openai", "gpt-4.1"), {"web_search_requests": 1}, "web_search_tool_not_known"),
        (("openai", "gpt-5"), {"web_search_requests": 1}, ""),
        (("gcp.gemini", "gemini-2.5-flash-image"), {}, "output_kind_not_known"),
        (("gcp.gemini", "gemini-2.5-flash-image"), {"image_output_tokens": 0}, ""),
        (("gcp.gemini", "gemini-2.5-flash-image"), {"text_output_tokens": 5}, ""),
        (("gcp.gemini", "gemini-2.5-flash-image"), {"cache_write_input_tokens": 5}, "output_kind_not_known"),
        (("openai", "gpt-realtime"), {"audio_input_tokens": 6, "cache_read_input_tokens": 5}, "cached_audio_not_known"),
        (("openai", "gpt-realtime"), {"audio_input_tokens": 10, "cache_read_input_tokens": 5}, ""),
        (
            ("openai", "gpt-realtime"),
            {"audio_input_tokens": 6, "cache_read_input_tokens": 5, "audio_cache_read_input_tokens": 2},
            "",
        ),
        (
            ("openai", "gpt-image-1.5"),
            {"image_input_tokens": 6, "cache_read_input_tokens": 5, "image_output_tokens": 5},
            "cached_image_not_known",
        ),
        (("openai", "gpt-5"), {"image_input_tokens": 6, "cache_read_input_tokens": 5}, ""),
        (("openrouter", "deepseek/deepseek-r1:free"), {"cache_read_input_tokens": 5}, ""),
    ],
)
def test_what_a_usage_leaves_open_is_named_where_it_changes_the_bill(
    model: tuple[str, str], usage: dict[str, Any], reason: str
) -> None:
    cost = BOOK.price(*model, Usage(input_tokens=10, output_tokens=5, **usage), TODAY)
    assert cost.status == ("fallback" if reason else "exact")
    assert reason in cost.reason
    assert reason or "not_known" not in cost.reason


@settings(max_examples=300)
@given(st.text(), st.text(), st.text(max_size=5), st.data())
def test_no_name_is_too_strange(provider: str, model: str, tier: str, data: st.DataObject) -> None:
    usage = usage_of(data.draw(st.dictionaries(st.sampled_from(COUNTS), st.integers(-5, 1 << 70), max_size=6)))
    for name in (provider, "openai", "azure.ai.openai", "aws.bedrock"):
        for said in (model, f"ft:{model}", f"models/{model}", f"arn:{model}/{model}", f"gpt-4o-{model}"):
            cost = BOOK.price(name, said, usage, TODAY, Context(service_tier=tier))
            assert (cost.total is None) == (cost.status == "unknown")


@pytest.mark.parametrize("odd", [None, 7, ["gpt-4o"], b"gpt-4o"])
def test_what_is_no_name_has_no_price(odd: Any) -> None:
    usage = Usage(input_tokens=1, output_tokens=1)
    assert BOOK.price("openai", odd, usage, TODAY).reason == "unknown_model"
    assert BOOK.price(odd, "gpt-4o", usage, TODAY).reason == "unknown_provider"
    assert BOOK.price("openai", "gpt-4o", odd, TODAY).reason == "no_usage"
    assert BOOK.price("openai", "gpt-4o", Usage(input_tokens=1.5, output_tokens=1), TODAY).reason == "bad_usage"  # type: ignore[arg-type]


def test_the_memory_of_cards_is_bounded() -> None:
    book = PriceBook.vendored()
    for i in range(5000):
        book.price("nobody", f"model-{i}", None, TODAY)
    assert len(book._cards) <= 4096
