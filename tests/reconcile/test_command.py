"""`otel-llm-cost reconcile`, as a user has it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.cli.output import CommandError
from otel_llm_cost_exporter.cli.reconcile import reconcile
from otel_llm_cost_exporter.store import Store

from .world import DAY, GPT, call, completions, cost, fill, openai_page

app = typer.Typer()
app.command()(reconcile)


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory, book: PriceBook) -> str:
    address = f"chdb://{tmp_path_factory.mktemp('store') / 'llm_cost.db'}"
    with Store.open(address) as store:
        fill(store, book, call("openai", GPT, DAY - timedelta(days=1), input=7, output=7), project="search")
        fill(store, book, call("openai", GPT, input=1_000_000, output=100_000), project="search")
        fill(store, book, call("openai", GPT, input=1000, output=100), project="other")
    return address


@pytest.fixture
def usage(tmp_path: Path) -> str:
    path = tmp_path / "usage.json"
    told = completions(GPT, input_tokens=1_001_000, output_tokens=100_100, project_id="proj_a")
    path.write_text(openai_page("usage.completions", told), encoding="utf-8")
    return str(path)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("OTEL_LLM_COST_PRICES", raising=False)
    return CliRunner().invoke(app, list(arguments))


def test_the_table_says_day_model_both_sides_and_why(monkeypatch: pytest.MonkeyPatch, dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    path.write_text(openai_page("costs", cost(f"{GPT}, input", 3), cost(f"{GPT}, output", 1), cost("tax", 1)))
    done = run(monkeypatch, str(path), "--store", dsn)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "theirs $5.0000, ours $3.5035, difference +$1.4965 (+29.93%)" in said
    assert f"{DAY} openai model ours theirs difference likely reason" in said
    assert "$3.5035 $4.0000 +$0.496500 untraced 12 %" in said
    assert "tax $0 $1.0000 +$1.0000 not a model" in said
    assert "where the difference comes from not a model cost +$1.0000 untraced +$0.496500" in said
    assert max(map(len, done.output.splitlines())) <= 140


def test_json_is_exact(monkeypatch: pytest.MonkeyPatch, dsn: str, usage: str) -> None:
    done = run(monkeypatch, usage, "--store", dsn, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["total"]["ours"] == told["total"]["theirs"] == "3.503500000000"
    (line,) = told["lines"]
    assert (line["difference"], line["reason"], line["parts"]) == ("0.000000000000", "equal", {})
    assert (line["basis"], line["their_units"]) == ("usage", {"input": 1_001_000, "output": 100_100})


def test_projects_are_mapped(monkeypatch: pytest.MonkeyPatch, dsn: str, usage: str) -> None:
    done = run(monkeypatch, usage, "--store", dsn, "--json", "--project", "proj_a=search")
    (line,) = json.loads(done.stdout)["lines"]
    assert (line["ours"], line["calls"], line["reason"]) == ("3.500000000000", 1, "untraced")
    refused = run(monkeypatch, usage, "--store", dsn, "--project", "proj_b=search")
    assert "it has proj_a" in str(refused.exception)
    refused = run(monkeypatch, usage, "--store", dsn, "--project", "proj_a=")
    assert isinstance(refused.exception, CommandError)


def test_a_difference_fails_a_build_when_asked(monkeypatch: pytest.MonkeyPatch, dsn: str, usage: str) -> None:
    mapped = (usage, "--store", dsn, "--project", "proj_a=search")
    assert run(monkeypatch, *mapped).exit_code == 0
    assert run(monkeypatch, *mapped, "--fail-over", "1").exit_code == 0
    assert run(monkeypatch, *mapped, "--fail-over", "0.05").exit_code == 1
    assert run(monkeypatch, usage, "--store", dsn, "--fail-over", "0").exit_code == 0


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, dsn: str, usage: str, tmp_path: Path) -> None:
    assert "no such file" in str(run(monkeypatch, "none.csv", "--store", dsn).exception)
    none = run(monkeypatch, usage, "--store", f"chdb://{tmp_path / 'none.db'}")
    assert "there is no store at" in str(none.exception)
    monkeypatch.setenv("OTEL_LLM_COST_PRICES", "none.json")
    broken = CliRunner().invoke(app, [usage, "--store", dsn])
    assert "The price overlay cannot be used" in str(broken.exception)


def test_days_and_vendors_are_chosen(monkeypatch: pytest.MonkeyPatch, dsn: str, usage: str) -> None:
    none = run(monkeypatch, usage, "--store", dsn, "--since", "2026-11-03")
    assert "Nothing is left to compare: the export has openai, 2026-11-02 to 2026-11-02" in str(none.exception)
    none = run(monkeypatch, usage, "--store", dsn, "--provider", "anthropic")
    assert "Nothing is left to compare" in str(none.exception)
    done = run(monkeypatch, usage, "--store", dsn, "--until", "2026-11-03", "--provider", "openai")
    assert done.exit_code == 0
