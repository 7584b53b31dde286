"""Every example of docs/pricing.md is a file without a fault, and does what is said of it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from otel_llm_cost.pricing import Context, Cost
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.prices.data import load_book, load_prices
from otel_llm_cost_exporter.prices.files import OverlayFile
from otel_llm_cost_exporter.prices.lint import findings

PAGE = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text()
EXAMPLES = dict(re.findall(r"^### ([^\n]+)\n(?:(?!^###).)*?```yaml\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
SHORT = Usage(input_tokens=1000, output_tokens=1000)
ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
TODAY = date(2026, 11, 1)
EARLIER = date(2026, 9, 30)


def cost(heading: str, folder: Path, provider: str, model: str, usage: Usage, day: date, context: Context) -> Cost:
    path = folder / "prices.yaml"
    path.write_text(EXAMPLES[heading])
    return load_book(path, {}, folder).price(provider, model, usage, day, context)


@pytest.mark.parametrize("heading", EXAMPLES)
def test_an_example_has_no_fault(heading: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(EXAMPLES[heading])
    assert findings(OverlayFile(path, "option"), load_prices(environ={}, directory=tmp_path)) == ()


def test_all_examples_are_read() -> None:
    assert len(EXAMPLES) == PAGE.count("```yaml") == 8


@pytest.mark.parametrize(
    ("heading", "provider", "model", "usage", "day", "context", "dollars"),
    [
        ("A negotiated discount", "openai", "gpt-4o", MILLION, TODAY, Context(), "11.25"),
        ("A negotiated discount", "openai", "gpt-4o", MILLION, TODAY, Context(batch=True), "5.625"),
        ("A negotiated discount", "openai", "gpt-4o", MILLION, TODAY, Context("priority"), "19.125"),
        ("A negotiated discount", "openai", "gpt-4o", MILLION, date(2026, 6, 30), Context(), "12.5"),
        ("A negotiated discount", "azure.ai.openai", "gpt-4o", MILLION, TODAY, Context(), "12.5"),
        ("An Azure deployment", "azure.ai.openai", "chat-prod-eu", MILLION, TODAY, Context(), "0.7125"),
        ("A fine-tuned model", "openai", "ft:gpt-4.1-mini-2025-04-14:acme::Bx1", MILLION, TODAY, Context(), "4"),
        ("A server of your own", "llm.corp.example", "llama-3.3-70b", MILLION, TODAY, Context(), "0.3"),
        ("More in one region", "openai", "gpt-4o", MILLION, TODAY, Context(region="eu"), "13.75"),
        ("More in one region", "openai", "gpt-4o", MILLION, TODAY, Context(), "12.5"),
        ("A fee for each request", "gateway.corp.example", "any", MILLION, TODAY, Context(), "5.0005"),
        (
            "A price that changes on a day",
            "llm.corp.example",
            "house-70b",
            SHORT,
            date(2026, 9, 30),
            Context(),
            "0.004",
        ),
        ("A price that changes on a day", "llm.corp.example", "house-70b", SHORT, TODAY, Context(), "0.0032"),
        ("A price that changes on a day", "llm.corp.example", "house-70b", MILLION, TODAY, Context(), "6.4"),
    ],
)
def test_an_example_does_what_it_says(
    heading: str,
    provider: str,
    model: str,
    usage: Usage,
    day: date,
    context: Context,
    dollars: str,
    tmp_path: Path,
) -> None:
    found = cost(heading, tmp_path, provider, model, usage, day, context)
    whole, _, rest = dollars.partition(".")
    assert found.total == int(whole) * 10**12 + int(rest.ljust(12, "0") or 0), found
    assert found.status in ("override", "exact", "alias")


def test_a_bedrock_profile_costs_what_its_model_does(tmp_path: Path) -> None:
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    known = load_book(environ={}, directory=tmp_path).price("aws", model, MILLION, TODAY)
    found = cost("A Bedrock inference profile", tmp_path, "aws.bedrock", ARN, MILLION, TODAY, Context())
    assert found.total == known.total is not None
    assert (found.status, found.reason) == ("override", "same_as")
