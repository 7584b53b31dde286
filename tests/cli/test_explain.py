"""`otel-llm-cost explain`: a stored call's cost, line by line."""

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

CALL = span(chat(**{"gen_ai.response.id": "resp_1", "gen_ai.usage.cache_read.input_tokens": 400}))
COPY = span(chat(**{"gen_ai.response.id": "resp_1"}))


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    """A call, told twice."""
    address = f"chdb://{tmp_path}/db"
    with Store.open(address) as store:
        Ingest(Pipeline(store, PriceBook.vendored(), patience=0.0)).accept_request(request(CALL, COPY))
    return address


def test_by_any_of_its_ids_and_the_lines_are_the_cost(runner: CliRunner, dsn: str) -> None:
    for name in (CALL.trace_id.hex(), CALL.span_id.hex().upper()):
        (told,) = json.loads(runner.invoke(app, ["explain", name, "--store", dsn, "--json"]).stdout)
        assert told["total_usd"] == "0.003"
        assert [(line["bucket"], line["quantity"], line["usd"], line["amount_usd"]) for line in told["lines"]] == [
            ("input", 600, "2.5", "0.0015"),
            ("cache_read", 400, "1.25", "0.0005"),
            ("output", 100, "10", "0.001"),
        ]


def test_what_is_in_no_sum_says_so(runner: CliRunner, dsn: str) -> None:
    shown = runner.invoke(app, ["explain", "resp_1", "--store", dsn]).stdout
    assert shown.count("total") == 2
    assert shown.count("Not in any sum: duplicate_response.") == 1


def test_an_id_that_is_not_there(runner: CliRunner, dsn: str) -> None:
    assert runner.invoke(app, ["explain", "resp_2", "--store", dsn]).exit_code != 0


def test_what_it_cost_before_a_correction(runner: CliRunner, dsn: str, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    entry = {"provider": "openai", "model": "gpt-4o", "multiplier": "0.5"}
    prices.write_text(json.dumps({"entries": [entry]}), encoding="utf-8")
    command = ["reprice", "--store", dsn, "--from", "2026-01-01", "--overlay", str(prices), "--yes"]
    assert runner.invoke(app, command).exit_code == 0
    (told,) = json.loads(runner.invoke(app, ["explain", CALL.span_id.hex(), "--store", dsn, "--json"]).stdout)
    assert (told["total_usd"], told["status"]) == ("0.0015", "override")
    assert [row["old_cost"] for row in told["before"]] == ["0.003000000000"]
