"""`otel-llm-cost prices`: what a user reads."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from otel_llm_cost_exporter.cli.output import CommandError
from otel_llm_cost_exporter.cli.prices import app
from otel_llm_cost_exporter.prices.data import encode, packaged_file

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
    assert {"azure", "cerebras"} <= providers


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
    path.write_text('{"entries": [{"provider": "p", "model": "m", "rates": {"input": "cheap"}}]}')
    with pytest.raises(CommandError, match=r"mine\.json:1:65: entries\[0\]\.rates\.input: expected a decimal"):
        run("explain", *GPT_5, "--overlay", str(path))


def test_explain_takes_every_count_of_a_usage() -> None:
    counts = {
        "--input": 1000,
        "--output": 1000,
        "--cached": 100,
        "--cache-write": 100,
        "--cache-write-5m": 40,
        "--cache-write-30m": 10,
        "--cache-write-1h": 30,
        "--cache-write-12h": 5,
        "--reasoning": 100,
        "--audio-input": 10,
        "--audio-output": 10,
        "--image-input": 10,
        "--image-output": 10,
        "--audio-cached": 5,
        "--image-cached": 5,
        "--compaction-input": 5,
        "--web-search": 1,
        "--grounding": 2,
        "--file-search": 3,
        "--code-execution": 4,
    }
    given = [text for name, count in counts.items() for text in (name, str(count))]
    told = run_json(
        "explain", "--model", "claude-sonnet-4-5", "--provider", "anthropic", *given, "--date", "2026-11-01"
    )
    quantities = {line["bucket"]: line["quantity"] for line in told["lines"]}
    assert quantities == {
        "input": 790,
        "input_audio": 5,
        "input_image": 5,
        "cache_read": 90,
        "cache_read_audio": 5,
        "cache_read_image": 5,
        "cache_write": 15,
        "cache_write_5m": 40,
        "cache_write_30m": 10,
        "cache_write_1h": 30,
        "cache_write_12h": 5,
        "output": 880,
        "reasoning": 100,
        "output_audio": 10,
        "output_image": 10,
        "web_search": 1,
        "grounding": 2,
        "file_search": 3,
        "code_execution": 4,
    }


def test_explain_takes_the_time_of_day() -> None:
    asked = ("explain", "--provider", "deepseek", "--model", "deepseek-chat", "--input", "1000000", "--output", "0")
    night, day = (run_json(*asked, "--date", f"2025-08-01T{time}") for time in ("17:00Z", "12:00+00:00"))
    assert night["total_usd"] == "0.135"
    assert day["total_usd"] == "0.27"
    assert run_json(*asked, "--date", "2025-08-01T19:00+02:00")["total_usd"] == "0.135"
    with pytest.raises(CommandError, match=r"'yesterday' is no day.*2026-11-01T03:00Z"):
        run("explain", *GPT_5[:-2], "--date", "yesterday")


def test_explain_says_what_set_each_rate(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "entries:\n"
        "- {provider: openai, model: gpt-5, multiplier: 0.9, source: contract}\n"
        "- {provider: openai, model: gpt-5, context: {batch: true}, rates: {output: 4}}\n"
        "- {provider: openai, model: gpt-5, context: {region: eu}, multiplier: 3}\n"
    )
    told = run_json("explain", *GPT_5, "--batch", "--why", "--overlay", str(path))
    changed = [(layer["by"], {c["bucket"]: (c["old"], c["new"]) for c in layer["changed"]}) for layer in told["layers"]]
    assert changed[0][0] == "packaged data"
    assert changed[0][1]["output"] == (None, "10")
    assert (
        "option overlay",
        {"input": ("1.25", "1.125"), "cache_read": ("0.125", "0.1125"), "output": ("10", "9")},
    ) in [
        (by, {name: rates[name] for name in ("input", "cache_read", "output") if name in rates})
        for by, rates in changed
    ]
    assert changed[-1] == ("option overlay", {"output": ("4.5", "4")})
    assert told["layers"][-1]["source"].endswith("mine.yaml:3")
    assert "contract" in run("explain", *GPT_5, "--why", "--overlay", str(path))


def test_update_says_which_data_and_files_are_in_force(own_folders: Path) -> None:
    path = own_folders / "config" / "otel-llm-cost" / "prices.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("entries:\n- {provider: p, model: m, rates: {input: 1}}\n")
    state = run_json("update")
    assert state["in_use"] == state["packaged"]
    assert "--download" in state["refresh"]
    assert [(file["what"], file["says"]) for file in state["files"]] == [
        ("packaged data", state["packaged"]),
        ("user overlay", "1 entry"),
    ]
    assert str(path) in [file["path"] for file in run_json("show", "gpt-5", "--provider", "openai")[0]["files"]]
    assert "user overlay" in run("show")


def test_diff_of_two_days() -> None:
    told = run_json("diff", "2025-06-09", "2025-06-10", "--provider", "openai", "--model", "o3")
    changes = {(change["context"], change["bucket"]): change for change in told["changed"]}
    output = changes["", "output"]
    assert (output["old"], output["new"], output["percent"]) == ("40", "8", "-80.0")


def test_diff_of_two_versions_of_the_data(tmp_path: Path) -> None:
    raw = json.loads(lzma.decompress(packaged_file().read_bytes()))
    gone = raw["providers"]["openai"]["models"].pop(0)[0]
    path = tmp_path / "prices.json.xz"
    path.write_bytes(encode({**raw, "source": "genai-prices 0.0.9"}))
    told = run_json("diff", "packaged", str(path), "--provider", "openai")
    assert told["to"]["source"] == "genai-prices 0.0.9"
    assert (told["new"], told["gone"]) == ([], [{"provider": "openai", "model": gone}]) or told["changed"]
    assert run_json("diff", "packaged", "installed", "--provider", "openai")["changed"] == []
    for said in ("updated", "nowhere.xz", "20261399"):
        with pytest.raises(CommandError, match="There are no prices"):
            run("diff", said)


def test_tables_are_printed() -> None:
    why = ("--batch", "--why")
    for arguments in (("explain", *GPT_5, *why), ("show", "gpt-5", "--provider", "openai"), ("show",), ("update",)):
        assert run(*arguments)
    assert "nothing" in run("diff", "packaged", "packaged", "--provider", "openai")
    assert "o3" in run("diff", "2025-06-09", "2025-06-10", "--model", "o3")


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
