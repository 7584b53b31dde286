"""`otel-llm-cost reprice` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.cli import app
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import chat, request, span

OVERLAY = {"entries": [{"provider": "openai", "model": "acme-1", "rates": {"input": "1", "output": "2"}}]}


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    """Ten calls of a model that nobody had a price for."""
    address = f"chdb://{tmp_path}/db"
    with Store.open(address) as store:
        told = chat(**{"gen_ai.request.model": "acme-1", "gen_ai.response.model": "acme-1"})
        Ingest(Pipeline(store, PriceBook.vendored(), patience=0.0)).accept_request(
            request(*(span(told) for _ in range(10)))
        )
    return address


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(OVERLAY), encoding="utf-8")
    return str(path)


def cost(dsn: str) -> tuple[str, str]:
    """What rows and rollup say."""
    with Store.open(dsn, migrate=False) as store:
        (raw,) = store.query("SELECT toString(sum(ifNull(c.cost, 0))) AS cost FROM llm_calls AS c")
        (rollup,) = store.query("SELECT toString(sum(cost)) AS cost FROM cost_hourly")
    return raw["cost"], rollup["cost"]


def test_the_difference_is_shown_and_nothing_changes_without_a_yes(runner: CliRunner, dsn: str, prices: str) -> None:
    command = ["reprice", "--store", dsn, "--from", "2026-01-01", "--overlay", prices]
    for more, answer in ((["--dry-run"], ""), ([], "n\n")):
        shown = runner.invoke(app, [*command, *more], input=answer)
        assert "acme-1" in shown.output
        assert "unknown" in shown.output
        assert "12" in shown.output  # 10 × (1,000 × 1 + 100 × 2) µ$ = 12,000 µ$
        assert cost(dsn) == ("0", "0")


def test_yes_corrects_and_history_tells(runner: CliRunner, dsn: str, prices: str) -> None:
    command = ["reprice", "--store", dsn, "--from", "2026-01-01", "--overlay", prices, "--yes", "--json"]
    told = json.loads(runner.invoke(app, command).stdout)
    assert (told["plan"]["corrections"], told["done"]["corrected"], told["done"]["drift"]) == (10, 10, [])
    assert cost(dsn) == ("0.012", "0.012")
    again = json.loads(runner.invoke(app, command).stdout)
    assert (again["plan"]["corrections"], again["done"]) == (0, None)
    shown = json.loads(runner.invoke(app, ["reprice", "--history", "--store", dsn, "--json"]).stdout)
    assert [(run["calls"], run["done"]) for run in shown] == [(10, True)]


def test_json_asks_nobody(runner: CliRunner, dsn: str, prices: str) -> None:
    said = runner.invoke(app, ["reprice", "--store", dsn, "--from", "2026-01-01", "--overlay", prices, "--json"])
    assert said.exit_code != 0
    assert cost(dsn) == ("0", "0")


def test_a_period_is_needed(runner: CliRunner, dsn: str) -> None:
    assert runner.invoke(app, ["reprice", "--store", dsn]).exit_code != 0
    assert runner.invoke(app, ["reprice", "--store", dsn, "--from", "2026-02-01", "--to", "2026-01-01"]).exit_code != 0
