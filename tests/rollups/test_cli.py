"""`otel-llm-cost rollups` as a person uses it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from otel_llm_cost_exporter.cli import app
from otel_llm_cost_exporter.store import Store

from .calls import insert, nanoseconds, one_too_many

NOW = datetime.now(UTC).date()


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    address = f"chdb://{tmp_path}/calls.db"
    with Store.open(address) as store:
        insert(store, 1, days=[NOW])
    return address


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["rollups", *words])
    return done.exit_code, done.stdout, str(done.exception or "")


def test_check_then_rebuild(dsn: str) -> None:
    assert run("check", "--store", dsn)[:2] == (0, "Rows and rollups agree.\n")
    with Store.open(dsn) as store:
        one_too_many(store, NOW)
    code, shown, why = run("check", "--store", dsn)
    assert code == 1
    assert "cost_hourly" in shown
    assert "rollups rebuild" in why
    code, shown, _ = run("check", "--store", dsn, "--json", "--days", "2")
    (drift,) = json.loads(shown)["drift"]
    assert (code, drift["day"], drift["groups"]) == (1, NOW.isoformat(), 1)
    assert run("rebuild", "--store", dsn)[:2] == (0, f"cost_hourly: 1 days made right, {NOW} to {NOW}\n")
    assert run("check", "--store", dsn)[0] == 0
    assert "nothing to do" in run("rebuild", "--store", dsn)[1]
    assert "1 days" in run("rebuild", "--store", dsn, "--month", f"{NOW:%Y-%m}")[1]


def test_calls_counted_twice_fail_the_check_and_name_the_remedy(dsn: str) -> None:
    twice: dict[str, Any] = {"trace_id": [b"t" * 16] * 2, "span_id": [b"s" * 8] * 2, "counted": [True] * 2}
    with Store.open(dsn) as store:
        store.insert("llm_calls", {"ts": [nanoseconds(NOW)] * 2, **twice}, "copies")
    code, shown, why = run("check", "--store", dsn, "--json")
    assert (code, json.loads(shown)["counted_twice"]) == (1, {NOW.isoformat(): 1})
    assert "otel-llm-cost settle --days 2" in why


def test_a_correction_under_way_is_said(dsn: str) -> None:
    with Store.open(dsn) as store:
        row: dict[str, Any] = {
            "run": ["00000000-0000-0000-0000-000000000001"],
            "since": [0],
            "until": [1],
            "calls": [1],
        }
        store.insert("reprices", row | {"stage": ["begun"]}, "begun")
    assert "reprice" in run("rebuild", "--store", dsn, "--month", f"{NOW:%Y-%m}")[2]
