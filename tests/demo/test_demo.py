"""The whole road: what the emulator served is what the store bills, to the token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.cli.demo import _fresh_folder, _sql_command
from otel_llm_cost_exporter.demo.ledger import Entry
from otel_llm_cost_exporter.demo.reconcile import Tally, differences, served, stored

if TYPE_CHECKING:
    from pathlib import Path

PER_MILLION = {  # input, cached input, output: OpenAI's price list, USD
    "gpt-4o-mini-2024-07-18": ("0.15", "0.075", "0.60"),
    "gpt-4o-2024-08-06": ("2.50", "1.25", "10.00"),
    "o4-mini-2025-04-16": ("1.10", "0.275", "4.40"),
    "gpt-4.1-2025-04-14": ("2.00", "0.50", "8.00"),
}


def entry(serial: int, *, attempt: int = 0, status: int = 200, usage: Usage | None = None, **more: Any) -> Entry:
    plain: dict[str, Any] = {"method": "POST", "path": "/v1/chat/completions", "operation": "chat", "model": "gpt-4o"}
    rest = {"stream": False, "script": "", "response_id": ""}
    return Entry(serial=serial, attempt=attempt, status=status, usage=usage, **(plain | rest | more))


def test_retries_are_part_of_their_call() -> None:
    usage = Usage(input_tokens=7, output_tokens=3)
    ledger = [
        entry(0, status=429),
        entry(1, attempt=1, status=429),
        entry(2, attempt=2, usage=usage),
        entry(3, status=500),
        entry(4, attempt=1, status=500),
        entry(5, usage=usage),
        entry(6, outcome="cut"),
    ]
    assert served(ledger) == {("chat", "gpt-4o"): Tally(calls=4, errors=2, input_tokens=14, output_tokens=6)}


def test_every_number_that_differs_is_named() -> None:
    left = served([entry(0, usage=Usage(input_tokens=7))])
    row = {"operation": "chat", "model": "gpt-4o", "calls": 1, "errors": 0, "input_tokens": 8}
    rest = {"cache_read_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0}
    assert differences(left, stored([row | rest])) == ["chat gpt-4o: input_tokens 7 served, 8 stored"]
    assert differences(left, {}) == [
        "chat gpt-4o: calls 1 served, 0 stored",
        "chat gpt-4o: input_tokens 7 served, 0 stored",
    ]
    assert differences(left, left) == []


def test_folders_of_earlier_demos_go_unless_kept_or_in_use(tmp_path: Path) -> None:
    names = {"run-20260101T000000-999999999", f"run-20260101T000000-{os.getppid()}", "mine"}
    for name in names:
        (tmp_path / name).mkdir()
    kept = _fresh_folder(tmp_path, keep=True)
    assert {path.name for path in tmp_path.iterdir()} == names | {kept.name}
    kept.rmdir()
    fresh = _fresh_folder(tmp_path, keep=False)
    assert {path.name for path in tmp_path.iterdir()} == names - {"run-20260101T000000-999999999"} | {fresh.name}


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "otel_llm_cost_exporter.cli", "demo", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_what_was_served_is_what_is_billed(tmp_path: Path) -> None:
    done = demo(tmp_path, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["differences"] == []
    assert result["calls_served"] == result["calls_stored"] > 40
    assert result["requests_served"] > result["calls_served"]
    report = result["report"]
    assert report["total"]["unknown_usage"] == 0
    assert report["set_aside"] == [{"reason": "fetch_response", "calls": 1}]
    assert [(line["model"], line["calls"]) for line in report["unpriced"]] == [("acme-llm-1", 3)]
    lines = {line["name"]: line for line in report["by"]["model"]}
    for model, rates in PER_MILLION.items():
        assert Decimal(lines[model]["cost"]) == expected(lines[model], rates)
    assert lines["gpt-4o-minii"]["errors"] == 1
    assert lines["gpt-4o-mini-2024-07-18"]["cache_read_tokens"] > 0
    assert lines["o4-mini-2025-04-16"]["reasoning_tokens"] > 0
    pasted = ["bash", "-c", _sql_command(result["store"], sys.executable)]
    assert "acme-llm-1" in subprocess.check_output(pasted, text=True)


def expected(line: dict[str, Any], rates: tuple[str, str, str]) -> Decimal:
    tokens = (line["input_tokens"] - line["cache_read_tokens"], line["cache_read_tokens"], line["output_tokens"])
    return sum((n * Decimal(rate) for n, rate in zip(tokens, rates, strict=True)), Decimal(0)) / 1_000_000


def test_a_step_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    done = demo(tmp_path, "--json", "--store", "mysql://here")
    assert done.returncode == 1
    assert "the collector ended by itself" in done.stderr
    assert "clickhouse://" in done.stderr  # what the collector itself had to say
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dsn", ["chdb:///tmp/it's here.db", "clickhouse://user:secret@db:8123/llm"])
def test_the_sql_to_go_on_with_is_safe_to_paste(dsn: str) -> None:
    command = _sql_command(dsn, "python")
    assert "secret" not in command
    subprocess.run(["bash", "-n", "-c", command], check=True)
