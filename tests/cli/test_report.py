from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_llm_cost_exporter.cli import app
from otel_llm_cost_exporter.cli.output import bar, money
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.report import Figures, SetAside, read_report
from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import chat, request, span

if TYPE_CHECKING:
    from typer.testing import CliRunner


def read(runner: CliRunner, dsn: str, *options: str) -> Any:
    result = runner.invoke(app, ["report", "--store", dsn, "--json", *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_only_counted_rows_are_summed_and_unknown_costs_stay_beside_the_sum(dsn: str) -> None:
    with Store.open(dsn) as store:
        report = read_report(store)
    assert report.total == Figures(
        calls=6,
        errors=1,
        failed=1,
        unpriced=1,
        unknown_usage=1,
        input_tokens=400,
        cache_read_tokens=100,
        output_tokens=40,
        cost=Decimal("0.001000000002"),
    )
    assert report.set_aside == [SetAside(reason="duplicate_response", calls=1)]
    assert [(line.model, line.reason, line.calls) for line in report.unpriced] == [
        ("acme-llm-1", "unknown_model", 1),
        ("gpt-4o-2024-08-06", "no_usage", 1),
    ]


def test_every_dimension_adds_up_to_the_total(dsn: str) -> None:
    with Store.open(dsn) as store:
        report = read_report(store, ["model", "feature", "provider", "day", "project"])
    for lines in report.by.values():
        assert sum(line.calls for line in lines) == 6
        assert sum(line.cost or 0 for line in lines) == report.total.cost
    assert [line.name for line in report.by["day"]] == ["2026-05-01", "2026-05-02"]
    assert [line.name for line in report.by["feature"]] == ["support", ""]
    by_model = {line.name: line.cost for line in report.by["model"]}
    assert by_model["acme-llm-1"] is None  # nobody knows, so it is not zero
    assert by_model["gpt-4o-mini-2024-07-18"] == Decimal("0.000000000001")


def test_a_period_holds_its_first_moment_and_not_its_last(dsn: str) -> None:
    noon_of_2 = datetime(2026, 5, 2, 12, tzinfo=UTC)
    with Store.open(dsn) as store:
        assert read_report(store, since=noon_of_2).total.calls == 1
        assert read_report(store, until=noon_of_2).total.calls == 5


def test_totals_are_those_of_the_rollup() -> None:
    """What failed, what has no price and what has no usage is told in three queries, and must be one thing."""
    shown = chat(**{"gen_ai.response.id": "r1"})
    nothing = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    told = [
        shown,
        shown,  # the same response again
        chat(**{"gen_ai.request.model": "nobody-knows", "gen_ai.response.model": None}),
        chat(**nothing),
        chat(**nothing, **{"error.type": "rate_limit_exceeded"}),
        chat(**{"error.type": "stream_broken"}),
        chat(**{"gen_ai.usage.input_tokens": -5}),
        chat(**{"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}),
        chat(**{"gen_ai.usage.output_tokens": None}),
        chat(**{"gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.reasoning.output_tokens": 60}),
    ]
    with Store.open("chdb://memory") as store:
        spans = [span(attributes) for attributes in told]
        Pipeline(store, load_book(), patience=0.0).write(decode(request(*spans), time.time_ns()).calls)
        report = read_report(store)
        sums = ", ".join(f"sum({name}) AS {name}" for name in ROLLED_UP)
        (rolled,) = store.query(f"SELECT {sums} FROM cost_hourly")  # noqa: S608  # names from below
        by_model = store.query("SELECT model, sum(calls) AS calls, sum(cost) AS cost FROM cost_hourly GROUP BY model")
    total = report.total
    assert {name: getattr(total, name) for name in ROLLED_UP} == rolled
    assert {line.name: (line.calls, line.cost or 0) for line in report.by["model"]} == {
        row["model"]: (row["calls"], row["cost"]) for row in by_model
    }
    assert (total.calls, total.errors, total.failed) == (9, 2, 1)
    assert (total.unpriced, total.unknown_usage, total.partly_priced) == (1, 3, 1)
    assert total.cost == sum((Decimal(cost) for cost in ("0.0035", "0.0035", "0.0025", "0.003")), Decimal(0))


ROLLED_UP = (
    *("calls", "errors", "failed", "unpriced", "unknown_usage", "partly_priced"),
    *("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "cost"),
)


@pytest.mark.parametrize(
    "options",
    [
        ("--days", "36500"),
        ("--since", "0001-01-01"),
        ("--until", "9999-01-01"),
        ("--since", "0001-01-01", "--until", "9999-12-31"),
    ],
)
def test_a_period_may_reach_beyond_all_calls(runner: CliRunner, dsn: str, options: tuple[str, ...]) -> None:
    assert read(runner, dsn, *options)["total"]["calls"] == 6


@pytest.mark.parametrize("options", [("--since", "9999-01-01"), ("--until", "0001-01-01")])
def test_a_period_may_be_far_from_all_calls(runner: CliRunner, dsn: str, options: tuple[str, ...]) -> None:
    assert read(runner, dsn, *options)["total"]["calls"] == 0


@pytest.mark.parametrize("command", [("report", "--store", "DSN"), ("prices", "explain", "--model", "gpt-5")])
def test_stdout_holds_json_alone(dsn: str, command: tuple[str, ...]) -> None:
    words = [dsn if word == "DSN" else word for word in command]
    run = [sys.executable, "-m", "otel_llm_cost_exporter.cli", *words, "--json"]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert isinstance(json.loads(done.stdout), dict)
    assert done.stderr == ""


def test_json_holds_money_as_exact_text(runner: CliRunner, dsn: str) -> None:
    data = read(runner, dsn, "--by", "project")
    assert data["total"]["cost"] == "0.001000000002"
    assert list(data["by"]) == ["project"]
    assert read(runner, dsn, "--since", "2026-05-02")["total"]["calls"] == 1
    assert read(runner, dsn, "--days", "1")["total"] | {"cost": None} == {
        **dict.fromkeys(("calls", "errors", "failed", "unpriced", "unknown_usage", "partly_priced"), 0),
        **dict.fromkeys(("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "cost"), None),
        "name": "",
    }


def test_the_tables_show_what_is_not_priced_and_what_is_set_aside(runner: CliRunner, dsn: str) -> None:
    shown = runner.invoke(app, ["report", "--store", dsn]).stdout
    for text in (
        "$0.001000",
        "acme-llm-1",
        "unknown model",
        "no usage",
        "2 calls without a price",
        "duplicate_response",
    ):
        assert text in shown
    for dimension in ("by model", "by feature", "by provider", "by day"):
        assert dimension in shown
    assert "by project" not in shown


def test_an_empty_store_says_what_to_do(runner: CliRunner, empty_dsn: str) -> None:
    result = runner.invoke(app, ["report", "--store", empty_dsn])
    assert result.exit_code == 0
    assert "opentelemetry-instrument" in result.stdout
    assert read(runner, empty_dsn)["total"]["calls"] == 0


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unknown"),
        ("0", "$0"),
        ("1234.567", "$1,234.57"),
        ("1.23456", "$1.2346"),
        ("0.0123456", "$0.012346"),
        ("0.00001234567", "12.35 µ$"),
        ("0.000000000001", "0.000001 µ$"),
        ("0.000100", "100 µ$"),
        ("-0.5", "$-0.500000"),
    ],
)
def test_money_is_shown_with_figures_that_matter(amount: str | None, shown: str) -> None:
    assert money(Decimal(amount) if amount else None) == shown


def test_a_bar_is_as_long_as_its_share_and_never_vanishes() -> None:
    assert bar(Decimal(0)) == ""
    assert bar(Decimal(1), 4) == "████"
    assert bar(Decimal("0.5"), 4) == "██"
    assert bar(Decimal("0.0001"), 4) == "▏"
