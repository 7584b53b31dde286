"""The spellings of a model's name, and what each is worth."""

from __future__ import annotations

from datetime import date

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Usage

BOOK = PriceBook.vendored()
USAGE = Usage(input_tokens=10, output_tokens=5)


@pytest.mark.parametrize(
    ("provider", "name", "model", "status", "reason"),
    [
        ("openai", "gpt-4o", "gpt-4o", "exact", ""),
        ("OpenAI", " GPT-4o ", "gpt-4o", "exact", ""),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o", "exact", ""),
        ("openai", "openai/gpt-4o", "gpt-4o", "alias", "vendor_prefix_removed"),
        ("openai", "gpt-5.4-20260305", "gpt-5.4", "alias", "date_respelled"),
        ("openai", "gpt-4o-2031-01-01", "gpt-4o", "fallback", "dated_suffix_removed"),
        ("openai", "gpt-5-20310101", "gpt-5", "fallback", "dated_suffix_removed"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::x", "ft:gpt-4o", "alias", "matched_by_pattern"),
        ("openai", "ft:gpt-5-mini-2025-08-07:acme::x", "gpt-5-mini", "fallback", "fine_tuned_at_base_rate"),
        ("openai", "gpt-4.1-2025-04-14.ft-0123", "gpt-4.1", "fallback", "fine_tuned_at_base_rate"),
        ("azure.ai.openai", "gpt-4o", "gpt-4o", "alias", "priced_as_openai"),
        ("az.ai.openai", "o3-mini", "o3-mini", "exact", ""),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "alias", "matched_by_pattern"),
        ("gcp.gemini", "models/gemini-2.5-flash", "gemini-2.5-flash", "alias", "prefix_removed"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash", "alias", "prefix_removed"),
        (
            "gcp.vertex_ai",
            "projects/p/locations/us/publishers/google/models/gemini-2.5-flash",
            "gemini-2.5-flash",
            "alias",
            "prefix_removed",
        ),
        ("aws.bedrock", "eu.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", "alias", "matched_by_pattern"),
        (
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1::foundation-model/writer.palmyra-x5-v1:0",
            "writer.palmyra-x5-v1:0",
            "alias",
            "prefix_removed",
        ),
        ("x_ai", "grok-4", "grok-4-0709", "exact", ""),
        ("mistral_ai", "mistral-large-2411", "mistral-large", "exact", ""),
        ("groq", "openai/gpt-oss-20b", "openai/gpt-oss-20b", "exact", ""),
        ("openrouter", "openai/gpt-oss-20b:free", "openai/gpt-oss-20b:free", "exact", ""),
        ("openrouter", "anthropic/claude-sonnet-4.5:nitro", "anthropic/claude-sonnet-4.5", "alias", "variant_removed"),
        ("openrouter", "openai/gpt-4o:floor", "openai/gpt-4o", "alias", "variant_removed"),
        ("openrouter", "openai/gpt-4o:online", "openai/gpt-4o", "alias", "variant_removed"),
        ("openrouter", "openai/gpt-4o:extended", "openai/gpt-4o:extended", "exact", ""),
        ("gcp.vertex_ai", "text-embedding-005", "text-embedding-*:tokens", "fallback", "sold_by_the_character"),
        ("gcp.vertex_ai", "claude-opus-4-5@20251101", "claude-opus-4-5", "alias", "matched_by_pattern"),
        (
            "aws.bedrock",
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "alias",
            "prefix_removed",
        ),
        (
            "aws.bedrock",
            "global.anthropic.claude-opus-4-6-v1:0",
            "global.anthropic.claude-opus-4-6-v1:0",
            "exact",
            "",
        ),
        ("ollama", "gpt-oss:120b", None, "unknown", "unknown_provider"),
        ("localhost", "gpt-4o", None, "unknown", "unknown_provider"),
        ("llm.example.org", "claude-sonnet-4-5", None, "unknown", "unknown_provider"),
        ("groq", "gpt-4o", None, "unknown", "unknown_model"),
        ("deepseek", "gpt-4o", None, "unknown", "unknown_model"),
        ("mistral_ai", "gpt-4o", None, "unknown", "unknown_model"),
        ("x_ai", "claude-sonnet-4-5", None, "unknown", "unknown_model"),
        ("together", "claude-sonnet-4-5", None, "unknown", "unknown_model"),
        ("fireworks", "gpt-4o", None, "unknown", "unknown_model"),
        ("openai", "openai/deepseek-chat", None, "unknown", "unknown_model"),
        ("openai", "gpt-oss-120b", None, "unknown", "unknown_model"),
        ("openai", "openai/gpt-oss-20b", None, "unknown", "unknown_model"),
        ("azure", "deepseek-nobody-knows", None, "unknown", "unknown_model"),
        ("azure", "deepseek-chat", None, "unknown", "unknown_model"),
        ("gcp.gemini", "gemini-flash-latest", "gemini-3.8-flash", "alias", "moving_name"),
        ("google-vertex", "gemini-2.5-flash", "gemini-2.5-flash", "exact", ""),
        ("anthropic", "claude-3-7-sonnet-latest", "claude-3-7-sonnet-latest", "exact", ""),
    ],
)
def test_a_name_leads_to_its_model(provider: str, name: str, model: str | None, status: str, reason: str) -> None:
    usage = USAGE if "embedding" not in name else Usage(input_tokens=10)
    cost = BOOK.price(provider, name, usage, date(2026, 11, 1))
    assert (cost.model, cost.status, cost.reason) == (model or "", status, reason)
    assert (cost.total is None) == (model is None)


@pytest.mark.parametrize("prefix", ["", "bedrock/"])
@pytest.mark.parametrize(
    "resource",
    [
        "custom-model/anthropic.claude-3-haiku-20240307-v1:0/a1b2c3",
        "custom-model-deployment/amazon.nova-lite-v1:0",
        "provisioned-model/amazon.nova-lite-v1:0",
        "imported-model/meta.llama3-1-8b-instruct-v1:0",
        "application-inference-profile/anthropic.claude-3-haiku-20240307-v1:0",
        "prompt/anthropic.claude-3-haiku-20240307-v1:0",
    ],
)
def test_a_thing_of_an_account_is_no_model_whatever_it_is_called(prefix: str, resource: str) -> None:
    arn = f"{prefix}arn:aws:bedrock:us-east-1:123456789012:{resource}"
    assert BOOK.price("aws.bedrock", arn, USAGE, date(2026, 11, 1)).reason == "unknown_model"
    entry = {"provider": "aws", "model": arn, "same_as": "aws/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}
    cost = BOOK.with_overlay({"entries": [entry]}).price("aws.bedrock", arn, USAGE, date(2026, 11, 1))
    assert (cost.status, cost.total) == ("override", 10 * 3_300_000 + 5 * 16_500_000)


@pytest.mark.parametrize(
    ("day", "model"),
    [
        (date(2026, 1, 20), "gemini-2.5-flash"),
        (date(2026, 1, 21), "gemini-3-flash-preview"),
        (date(2026, 7, 21), "gemini-3.8-flash"),
    ],
)
def test_a_name_that_moves_is_never_exact(day: date, model: str) -> None:
    cost = BOOK.price("gcp.gemini", "gemini-flash-latest", USAGE, day)
    assert (cost.model, cost.status) == (model, "alias")
    assert cost.reason in ("same_as", "moving_name")


def test_without_a_day_a_name_means_what_it_means_now() -> None:
    facts = BOOK.facts("openai", "gpt-4o")
    assert facts is not None
    assert facts[0].id == "gpt-4o"
    ended = BOOK.with_overlay(
        {"entries": [{"provider": "p", "model": "m", "valid_to": "2026-01-01", "same_as": "openai/gpt-4o"}]}
    )
    facts = ended.facts("p", "m")
    assert facts is not None
    assert facts[0].id == "gpt-4o"


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-4o-nonsense"),
        ("openai", "claude-sonnet-4-5"),
        ("openai", "ft:nothing:acme::x"),
        ("aws.bedrock", "arn:aws:bedrock:us-east-1:123:application-inference-profile/a1b2c3"),
        ("openai", "x" * 100_000),
        ("openai", ""),
    ],
)
def test_a_name_that_nobody_knows_has_no_price(provider: str, name: str) -> None:
    assert BOOK.price(provider, name, USAGE, date(2026, 11, 1)).reason == "unknown_model"
