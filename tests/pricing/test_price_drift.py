"""Our rates beside LiteLLM's."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.cli.output import CommandError
from otel_llm_cost_exporter.cli.prices import app
from otel_llm_cost_exporter.prices import drift as price_drift
from otel_llm_cost_exporter.prices.drift import Drift, compare, read

BOOK = PriceBook.vendored()
TODAY = date(2026, 11, 1)

GPT_4O = """{
  "sample_spec": {"litellm_provider": "one of them", "input_cost_per_token": 0.0},
  "gpt-4o": {
    "litellm_provider": "openai",
    "input_cost_per_token": 2.5e-06,
    "output_cost_per_token": 1.0000000000000001e-05,
    "cache_read_input_token_cost": %s,
    "input_cost_per_token_batches": 1.25e-06,
    "mode": "chat"
  }
}"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model_prices_and_context_window.json"
    path.write_text(GPT_4O % "1.25e-06")
    return path


def drift(path: Path, models: dict[str, Any]) -> Drift:
    path.write_text(json.dumps(models))
    return compare(BOOK, TODAY, read(path))


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments], catch_exceptions=False, env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_equal_rates_agree_to_the_pico_dollar_whatever_float_wrote_them(file: Path) -> None:
    told = compare(BOOK, TODAY, read(file))
    assert {(rate.bucket, rate.served): rate.theirs for rate in told.agreeing} == {
        ("input", ""): 2_500_000,
        ("output", ""): 10_000_000,
        ("cache_read", ""): 1_250_000,
        ("input", "batches"): 1_250_000,
    }
    assert (told.differing, told.missing, told.only_theirs) == ([], [], [])
    assert ("openai", "gpt-5") in told.only_ours


def test_a_difference_is_told_in_dollars_and_per_cent(file: Path) -> None:
    file.write_text(GPT_4O % "1.5e-06")
    status, output = run("--against", str(file), "--provider", "openai", "--json")
    told = json.loads(output)
    assert (status, told["agreeing"]) == (0, 3)
    (rate,) = told["differing"]
    assert (rate["model"], rate["bucket"], rate["ours"], rate["theirs"], rate["percent"]) == (
        "gpt-4o",
        "cache_read",
        "1.25",
        "1.5",
        "20.0",
    )


def test_a_difference_above_a_limit_fails(file: Path) -> None:
    file.write_text(GPT_4O % "1.5e-06")
    assert run("--against", str(file), "--fail-over", "20")[0] == 0
    assert run("--against", str(file), "--fail-over", "19.9")[0] == 1


def test_lifetimes_and_prompt_sizes_are_compared(tmp_path: Path) -> None:
    said = {
        "litellm_provider": "anthropic",
        "input_cost_per_token": 3e-06,
        "cache_creation_input_token_cost": 3.75e-06,
        "cache_creation_input_token_cost_above_1hr": 6e-06,
        "input_cost_per_token_above_200k_tokens": 6e-06,
    }
    told = drift(tmp_path / "f.json", {"claude-sonnet-4-5": said})
    compared = {(rate.bucket, rate.above): rate.ours for rate in (*told.agreeing, *told.differing)}
    assert compared.keys() == {("input", 0), ("cache_write_5m", 0), ("cache_write_1h", 0), ("input", 200_000)}
    assert compared["cache_write_1h", 0] == 6_000_000


def test_who_knows_what(tmp_path: Path) -> None:
    told = drift(
        tmp_path / "f.json",
        {
            "nobody-knows-9": {"litellm_provider": "openai", "input_cost_per_token": 1e-06},
            "free-model": {"litellm_provider": "openai", "input_cost_per_token": 0, "output_cost_per_token": 0},
            "somewhere/model": {"litellm_provider": "somewhere", "input_cost_per_token": 1e-06},
            "azure/eu/gpt-4o": {"litellm_provider": "azure", "input_cost_per_token": 1e-06},
            "gemini/gemini-2.5-pro": {"litellm_provider": "gemini", "input_cost_per_token": 1.25e-06},
        },
    )
    assert told.only_theirs == [("openai", "nobody-knows-9")]
    assert [(rate.provider, rate.model) for rate in told.agreeing] == [("google", "gemini-2.5-pro")]


def test_what_is_no_such_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    for text in ("{", "[]", "{}", '{"a": 1}'):
        path.write_text(text)
        with pytest.raises(CommandError, match=r"f\.json is not"):
            run("--against", str(path))
    with pytest.raises(CommandError, match=r"gone\.json: No such file"):
        run("--against", str(tmp_path / "gone.json"))


def test_without_litellm_a_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_drift, "PACKAGE", "no-such-package-here")
    status, output = run()
    assert status == 2
    assert "--against" in output
    assert "pip install" in output


def test_an_installed_litellm_is_read_and_not_imported(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, info = tmp_path / "site" / "litellm", tmp_path / "site" / "litellm-9.9.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    name = "model_prices_and_context_window_backup.json"
    (package / name).write_text(file.read_text())
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: litellm\nVersion: 9.9\n")
    (info / "RECORD").write_text(f"litellm/__init__.py,,\nlitellm/{name},,\nlitellm-9.9.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    status, output = run("--json")
    assert (status, json.loads(output)["theirs"]) == (0, "litellm 9.9")
    assert "litellm" not in sys.modules
