"""A collector that ends while it is written to: what it acknowledged is stored, and the rollup says the same."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import chat, request, span

pytestmark = pytest.mark.integration


class _Sender(threading.Thread):
    """Posts exports of ten spans until the collector is gone, and remembers the acknowledged ones."""

    def __init__(self, port: int, enough: threading.Event) -> None:
        super().__init__()
        self.acknowledged: set[str] = set()
        self._port = port
        self._enough = enough

    def run(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as connection:
            self._send(connection)

    def _send(self, connection: http.client.HTTPConnection) -> None:
        for _ in range(1000):
            ids = [os.urandom(8) for _ in range(10)]
            body = request(*(span(chat(), span_id=each) for each in ids)).SerializeToString()
            try:
                connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    return
            except (OSError, http.client.HTTPException):
                return
            self.acknowledged.update(each.hex() for each in ids)
            if len(self.acknowledged) >= 30:
                self._enough.set()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_what_was_acknowledged_is_stored(end: signal.Signals, tmp_path: Path) -> None:
    dsn, ready = f"chdb://{tmp_path / 'store'}", tmp_path / "ready.json"
    process = _serve(dsn, ready)
    try:
        senders = _load(process, ready)
        process.send_signal(end)
        for sender in senders:
            sender.join(60)
        process.communicate(timeout=60)
    finally:
        process.kill()
    _finish(dsn, tmp_path / "ready again.json")
    acknowledged = set[str]().union(*(sender.acknowledged for sender in senders))
    with Store.open(dsn) as store:
        rows = store.query("SELECT lower(hex(span_id)) AS id FROM llm_calls")
        (raw,) = store.query("SELECT count() AS calls, sum(cost) AS cost FROM llm_calls WHERE counted")
        (hourly,) = store.query("SELECT sum(calls) AS calls, sum(cost) AS cost FROM cost_hourly")
    stored = [str(row["id"]) for row in rows]
    assert len(acknowledged) >= 30
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))
    assert hourly == raw


def _serve(dsn: str, ready: Path) -> subprocess.Popen[str]:
    serve = [sys.executable, "-m", "otel_llm_cost_exporter.cli", "serve", "--store", dsn, "--ready-file", str(ready)]
    ports = ["--http-port", "0", "--grpc-port", "0", "--query-port", "0"]
    return subprocess.Popen([*serve, *ports], stderr=subprocess.PIPE, text=True)


def _finish(dsn: str, ready: Path) -> None:
    """Another collector, which stores what the first left in its journal."""
    process = _serve(dsn, ready)
    try:
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "everything acknowledged is stored" in log


def _load(process: subprocess.Popen[str], ready: Path) -> list[_Sender]:
    """Four senders at work, of which one at least has had three acknowledgements."""
    assert process.stderr is not None
    assert next(line for line in process.stderr if "listening on" in line)
    while not ready.exists():  # written right after that line
        assert process.poll() is None
    enough = threading.Event()
    senders = [_Sender(json.loads(ready.read_text())["http_port"], enough) for _ in range(4)]
    for sender in senders:
        sender.start()
    assert enough.wait(60)
    return senders
