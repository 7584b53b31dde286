"""The commands as a user runs them, and the exporter that opens nothing before it must."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_llm_cost_exporter.span_exporter import LLMCostSpanExporter
from otel_llm_cost_exporter.store import Store

from .otlp import chat, request, span


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "otel_llm_cost_exporter.cli", *arguments]


def wait_for(path: Path, process: subprocess.Popen[str]) -> dict[str, int]:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    found: dict[str, int] = json.loads(path.read_text())
    return found


def test_serve_says_where_it_listens_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    dsn, ready = f"chdb:///{tmp_path}/calls.db", tmp_path / "ready.json"
    arguments = ("--store", dsn, "--http-port", "0", "--grpc-port", "0", "--ready-file", str(ready), "--json")
    with subprocess.Popen(command("serve", *arguments), stderr=subprocess.PIPE, text=True) as serving:
        told = wait_for(ready, serving)
        assert told["pid"] == serving.pid
        body = request(span(chat())).SerializeToString()
        url = f"http://127.0.0.1:{told['http_port']}/v1/traces"
        with urlopen(Request(url, body, {"Content-Type": "application/x-protobuf"})) as answer:
            assert answer.status == 200
        second = subprocess.run(command("migrate", "--store", dsn), capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert f"process {serving.pid}" in second.stderr.replace("\n", " ")
        serving.send_signal(signal.SIGTERM)
        _, log = serving.communicate()
    assert serving.returncode == 0
    assert "everything acknowledged is stored" in json.loads(log.splitlines()[-1])["message"]
    with Store.open(dsn) as store:
        assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 1}]


def test_migrate_lists_what_it_did(tmp_path: Path) -> None:
    line = command("migrate", "--store", f"chdb:///{tmp_path}/calls.db", "--json")
    for applied in (True, False):
        told = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
        assert {migration["applied_now"] for migration in told} == {applied}
        assert told[0]["name"] == "0001_llm_calls"


def test_the_exporter_opens_no_store_before_the_first_export() -> None:
    check = """
import sys
from otel_llm_cost_exporter.span_exporter import LLMCostSpanExporter
LLMCostSpanExporter().shutdown()
assert "chdb" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_store_that_cannot_be_opened_is_one_clear_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_LLM_COST_STORE", "postgres://nowhere")
    exporter = LLMCostSpanExporter()
    assert exporter.export([]) is exporter.export([]) is SpanExportResult.FAILURE
    assert caplog.text.count("unknown kind of store") == 1


def test_a_forked_child_of_an_open_exporter_refuses(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = LLMCostSpanExporter("chdb://memory")
    assert exporter.export([]) is SpanExportResult.SUCCESS
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: 1)
        assert exporter.export([]) is SpanExportResult.FAILURE
    assert "forked" in caplog.text
    exporter.shutdown()
