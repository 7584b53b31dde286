"""`otel-llm-cost prices`: what a user reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from otel_llm_cost_exporter.cli.output import CommandError
from otel_llm_cost_exporter.cli.prices import app

GPT_5 = ["--model", "gpt-5", "--input", "10000", "--output", "1000", "--cached", "8000", "--date", "2026-11-01"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_explain_says_bucket_times_rate_is_amount() -> None:
    told = run_json("explain", *GPT_5, "--tier", "flex")
    assert told["lines"] == [
        {"bucket": "input", "quantity": 2000, "usd": "0.625", "per": "1M tokens", "amount_usd": "0.00125"},
        {"bucket": "cache_read", "quantity": 8000, "usd": "0.0625", "per": "1M tokens", "amount_usd": "0.0005"},
        {"bucket": "output", "quantity": 1000, "usd": "5", "per": "1M tokens", "amount_usd": "0.005"},
    ]
    assert (told["total_usd"], told["status"], told["price_model"]) == ("0.00675", "exact", "gpt-5")
    assert told["source"].startswith("genai-prices")


def test_explain_says_why_there_is_no_price(capsys: pytest.CaptureFixture[str]) -> None:
    told = run_json("explain", "--model", "nobody-knows", "--input", "5", "--output", "5")
    assert (told["total_usd"], told["reason"], told["lines"]) == (None, "unknown_model", [])


def test_explain_has_a_line_for_a_fee() -> None:
    told = run_json("explain", "--model", "gpt-5", "--input", "10", "--output", "0", "--web-search", "1")
    assert [(line["bucket"], line["quantity"], line["amount_usd"]) for line in told["lines"]] == [
        ("input", 10, "0.0000125"),
        ("web_search", 1, "0.01"),
    ]


def test_show_has_rates_tiers_variants_and_validity() -> None:
    (shown,) = run_json("show", "gpt-5.4", "--provider", "openai", "--date", "2026-11-01")
    rates = {rate["bucket"]: (rate["usd"], rate["above"]) for rate in shown["rates"]}
    assert rates["input"] == ("2.5", {"272000": "5"})
    assert rates["web_search"] == ("10", {})
    assert {"service_tier": "flex"} in [fact["context"] for fact in shown["known"]]
    assert "2026-10-12" in [fact["from"] for fact in shown["known"]]


def test_show_finds_a_model_at_all_its_providers() -> None:
    providers = {shown["provider"] for shown in run_json("show", "gpt-oss-120b")}
    assert {"openai", "cerebras"} <= providers


def test_show_lists() -> None:
    assert {"provider": "openai", "model": "gpt-4o"} in run_json("show", "--provider", "openai")
    assert "openai" in [row["provider"] for row in run_json("show")]


def test_what_is_not_known_is_told_with_a_remedy() -> None:
    with pytest.raises(CommandError, match="prices show"):
        run("show", "nobody-knows")
    with pytest.raises(CommandError, match="prices show"):
        run("show", "--provider", "nobody")


def test_a_broken_overlay_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"entries": [{"provider": "p", "model": "m", "rates": {"input": 1}}]}')
    with pytest.raises(CommandError, match=r"mine\.json.*entry 0.*'rates'"):
        run("explain", *GPT_5, "--overlay", str(path))


def test_update_says_which_data_is_in_use() -> None:
    state = run_json("update")
    assert state["in_use"] == state["packaged"]
    assert "pip install" in state["refresh"]


def test_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("explain", *GPT_5), ("show", "gpt-5", "--provider", "openai"), ("show",), ("update",)):
        run(*arguments)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_name_is_shown_as_it_is_whatever_brackets_it_has(tmp_path: Path, options: tuple[str, ...]) -> None:
    odd = "[/red]x:eyes:"
    entry = {
        "provider": odd,
        "model": "*",
        "rates": {"input": "1", "output": "2"},
        "context": {"region": "[/b]"},
        "source": "our [/contract] of [bold]May",
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"entries": [{**entry, "context": {}}, entry]}))
    given = ("--provider", odd, "--overlay", str(path), *options)
    explained = run("explain", "--model", odd, "--input", "1", "--output", "1", *given)
    assert "our [/contract] of [bold]May" in explained
    for said in (explained, run("show", odd, *given), run("explain", "--model", odd, *options)):
        assert odd in said
