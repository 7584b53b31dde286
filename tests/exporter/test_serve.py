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


PORTS = ("--http-port", "0", "--grpc-port", "0", "--query-port", "0")


def send(port: int) -> None:
    """One call, acknowledged."""
    body = request(span(chat())).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    with urlopen(Request(f"http://127.0.0.1:{port}/v1/traces", body, headers)) as answer:
        assert answer.status == 200


def reported(dsn: str) -> int:
    """The calls of a report, made while the collector runs."""
    told = subprocess.run(command("report", "--store", dsn, "--json"), capture_output=True, text=True, check=True)
    calls: int = json.loads(told.stdout)["total"]["calls"]
    return calls


def test_serve_says_where_it_listens_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    dsn, ready = f"chdb:///{tmp_path}/calls.db", tmp_path / "ready.json"
    arguments = ("--store", dsn, *PORTS, "--ready-file", str(ready), "--json")
    with subprocess.Popen(command("serve", *arguments), stderr=subprocess.PIPE, text=True) as serving:
        told = wait_for(ready, serving)
        assert told["pid"] == serving.pid
        send(told["http_port"])
        deadline = time.monotonic() + 30
        while reported(dsn) == 0:
            assert time.monotonic() < deadline
        second = subprocess.run(command("migrate", "--store", dsn), capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert f"process {serving.pid}" in second.stderr.replace("\n", " ")
        serving.send_signal(signal.SIGTERM)
        _, log = serving.communicate()
    assert serving.returncode == 0
    assert "everything acknowledged is stored" in json.loads(log.splitlines()[-1])["message"]
    with Store.open(dsn) as store:
        assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 1}]


def test_a_server_that_does_not_answer_is_waited_for_with_what_arrives_in_the_journal(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    settings = os.environ | {"OTEL_LLM_COST_STORE": "clickhouse://writer:S3cret@127.0.0.1:1/llm"}
    line = command("serve", *PORTS, "--journal", str(tmp_path / "journal"), "--ready-file", str(ready))
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=settings) as serving:
        port = wait_for(ready, serving)["http_port"]
        send(port)
        with urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            told = json.load(answer)
        assert (answer.status, told["status"]) == (200, "degraded")
        assert "127.0.0.1:1" in told["checks"]["store"]["detail"]
        serving.send_signal(signal.SIGTERM)
        _, log = serving.communicate()
    assert serving.returncode == 0
    assert "waits in the journal for the next start" in log.splitlines()[-1]
    assert "S3cret" not in log + json.dumps(told)


def test_nobody_is_let_in_off_loopback_without_a_key(tmp_path: Path) -> None:
    settings = os.environ | {"OTEL_LLM_COST_KEYS": str(tmp_path / "keys.json")}
    line = command("serve", *PORTS, "--store", f"chdb:///{tmp_path}/calls.db", "--host", "0.0.0.0")  # noqa: S104
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=settings, timeout=60)
    assert done.returncode == 1
    assert "otel-llm-cost keys create" in done.stderr.replace("\n", " ")


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
