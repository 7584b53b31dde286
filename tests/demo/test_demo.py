"""The whole road: what the emulator served is what the store bills, to the token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.cli.demo import _fresh_folder, _sql_command
from otel_llm_cost_exporter.demo.ledger import Entry
from otel_llm_cost_exporter.demo.reconcile import Tally, differences, served, stored
from otel_llm_cost_exporter.demo.road import example

if TYPE_CHECKING:
    from pathlib import Path

PER_MILLION = {  # input, cached input, output: the providers' price lists, USD
    "gpt-4o-mini-2024-07-18": ("0.15", "0.075", "0.60"),
    "gpt-4o-2024-08-06": ("2.50", "1.25", "10.00"),
    "o4-mini-2025-04-16": ("1.10", "0.275", "4.40"),
    "gpt-4.1-2025-04-14": ("2.00", "0.50", "8.00"),
    "gpt-5-nano-2025-08-07": ("0.025", "0.0025", "0.20"),  # half, being used in a batch only
    "claude-haiku-4-5-20251001": ("0.50", "0.05", "2.50"),  # likewise
    "claude-opus-5-5": ("4.00", "0.20", "20.00"),
    "gemini-2.5-flash": ("0.30", "0.03", "2.50"),
    "gemini-2.5-flash-lite": ("0.10", "0.01", "0.40"),
}


GPT = ("openai", "chat", "gpt-4o")


def entry(serial: int, *, attempt: int = 0, status: int = 200, usage: Usage | None = None, **more: Any) -> Entry:
    plain: dict[str, Any] = {"vendor": "openai", "method": "POST", "path": "/v1/chat/completions", "operation": "chat"}
    rest = {"model": "gpt-4o", "stream": False, "script": "", "response_id": ""}
    return Entry(serial=serial, attempt=attempt, status=status, usage=usage, **(plain | rest | more))


def row(answer: str = "", **counts: int) -> dict[str, Any]:
    named = {"provider": "openai", "operation": "chat", "model": "gpt-4o", "answer": answer}
    plain = {field.name: 0 for field in fields(Tally)}
    return {**named, **plain, "billed": 1, **counts}


def test_retries_are_part_of_their_call() -> None:
    usage = Usage(input_tokens=7, output_tokens=3)
    ledger = [
        entry(0, status=429),
        entry(1, attempt=1, status=429),
        entry(2, attempt=2, usage=usage, response_id="a"),
        entry(3, status=500),
        entry(4, attempt=1, status=500),
        entry(5, usage=usage, response_id="b"),
        entry(6, outcome="cut"),
    ]
    answered = Tally(calls=1, billed=1, input_tokens=7, output_tokens=3)
    assert served(ledger) == {
        (*GPT, ""): Tally(calls=2, errors=2, billed=2),
        (*GPT, "a"): answered,
        (*GPT, "b"): answered,
    }


def test_what_costs_nothing_is_stored_and_not_billed() -> None:
    ledger = [
        entry(0, operation="count_tokens"),
        entry(1, operation="", path="/v1/files"),
        entry(2, batch=True, usage=Usage(cache_write_1h_input_tokens=5), response_id="a"),
    ]
    assert served(ledger) == {
        ("openai", "count_tokens", "gpt-4o", ""): Tally(calls=1),
        (*GPT, "a"): Tally(calls=1, billed=1, batch=1, cache_write_1h_tokens=5),
    }


def test_every_number_that_differs_is_named() -> None:
    left = served([entry(0, usage=Usage(input_tokens=7), response_id="a")])
    assert differences(left, stored([row("a", input_tokens=8)])) == [
        "openai chat gpt-4o a: input_tokens 7 served, 8 stored"
    ]
    assert differences(left, {}) == [
        "openai chat gpt-4o a: calls 1 served, 0 stored",
        "openai chat gpt-4o a: billed 1 served, 0 stored",
        "openai chat gpt-4o a: input_tokens 7 served, 0 stored",
    ]
    assert differences(left, left) == []


def test_two_faults_cannot_make_up_for_each_other() -> None:
    left = served([entry(n, usage=Usage(input_tokens=7), response_id=name) for n, name in enumerate("ab")])
    right = stored([row("a", input_tokens=6), row("b", input_tokens=8)])
    assert len(differences(left, right)) == 2
    twice = stored([row("a", input_tokens=7), row("a", input_tokens=7, billed=0), row("b", input_tokens=7)])
    assert differences(left, twice) == [
        "openai chat gpt-4o a: calls 1 served, 2 stored",
        "openai chat gpt-4o a: input_tokens 7 served, 14 stored",
    ]


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


@pytest.mark.integration
def test_what_was_served_is_what_is_billed(tmp_path: Path) -> None:
    done = demo(tmp_path, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["differences"] == []
    assert result["calls_served"] == result["calls_stored"] > 100
    assert result["requests_served"] > result["calls_served"]
    report = result["report"]
    assert report["total"]["unknown_usage"] == 0
    set_aside = {line["reason"]: line["calls"] for line in report["set_aside"]}
    assert set_aside == {"fetch_response": 1, "not_billed": 2}
    assert {line["name"] for line in report["by"]["provider"]} == {"openai", "anthropic", "gcp.gemini"}
    assert [(line["model"], line["calls"]) for line in report["unpriced"]] == [("acme-llm-1", 3)]
    lines = {line["name"]: line for line in report["by"]["model"]}
    for model, rates in PER_MILLION.items():
        assert Decimal(lines[model]["cost"]) == expected(lines[model], rates)
    for misspelt in ("gpt-4o-minii", "claude-haikuu", "gemini-2.5-flashh"):
        assert lines[misspelt]["errors"] == 1
    assert lines["gpt-4o-mini-2024-07-18"]["cache_read_tokens"] > 0
    for thinker in ("o4-mini-2025-04-16", "claude-opus-5-5", "gemini-2.5-flash"):
        assert lines[thinker]["reasoning_tokens"] > 0
    assert lines["claude-sonnet-5-5"]["cache_read_tokens"] > 0
    pasted = ["bash", "-c", _sql_command(result["store"], sys.executable)]
    assert "acme-llm-1" in subprocess.check_output(pasted, text=True)


def expected(line: dict[str, Any], rates: tuple[str, str, str]) -> Decimal:
    cached = line["cache_read_tokens"] or 0
    tokens = (line["input_tokens"] - cached, cached, line["output_tokens"])
    return sum((n * Decimal(rate) for n, rate in zip(tokens, rates, strict=True)), Decimal(0)) / 1_000_000


def test_what_has_no_sdk_is_left_out_with_a_line(tmp_path: Path) -> None:
    without = "import sys, runpy; sys.modules.update(dict.fromkeys(['openai', 'anthropic', 'google.genai']))"
    run = f"{without}; runpy.run_path({str(example())!r}, run_name='__main__')"
    environ = {**os.environ, "PYTHONPATH": str(example().parent)}
    lines = subprocess.check_output([sys.executable, "-c", run], text=True, env=environ).splitlines()
    assert [line.partition(" is left out: ")[0] for line in lines] == ["helpdesk", "workshop", "catalogue"]


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
