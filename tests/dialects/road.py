"""From a program with a peer to stored rows: emulator, program and collector on 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.demo.emulator import Emulator
from otel_llm_cost_exporter.demo.ledger import Entry
from otel_llm_cost_exporter.receive.collector import Collector
from otel_llm_cost_exporter.store import Store

from .truth import Told, differences

ROOT = Path(__file__).resolve().parents[2]
_ROWS = "SELECT * FROM llm_calls WHERE service_name = {service:String} ORDER BY ts"


@dataclass(frozen=True, slots=True)
class Judged:
    """One case: the rows that came of it, and fact → what is not as it was served."""

    told: Told
    rows: list[dict[str, Any]]
    wrong: dict[str, str]


class ProgramFailed(Exception):
    """The program did not run; the text is what it printed."""


def travel(
    command: Sequence[str], service: str, extra: Mapping[str, str], store: Store, book: PriceBook
) -> list[Judged]:
    """Run one program, with `extra` in its environment, and judge what is stored of it; raises ProgramFailed."""
    with Emulator() as emulator, tempfile.TemporaryDirectory() as folder:
        hosts = {urlsplit(origin).netloc: vendor for vendor, origin in emulator.origins.items()}
        journal = Path(folder) / "journal"
        collector = Collector(store, book, journal, http_port=0, grpc_port=0, most_wait=0.0, hosts=hosts)
        try:
            environment = {**_environment(emulator.origins, collector.http_port, service, folder), **extra}
            told = _run(command, environment)
        finally:
            collector.close()
        ledger = {entry.serial: entry for entry in emulator.ledger}
    rows = store.query(_ROWS, {"service": service})
    return [_judged(case, ledger, rows, book) for case in told]


def _judged(told: Told, ledger: dict[int, Entry], rows: list[dict[str, Any]], book: PriceBook) -> Judged:
    mine = [row for row in rows if told.begin <= _nanoseconds(row) <= told.end]
    return Judged(told, mine, differences(told, [ledger[serial] for serial in told.serials], mine, book))


def _nanoseconds(row: dict[str, Any]) -> int:
    at = row["ts"]
    return at if isinstance(at, int) else int(at.timestamp()) * 10**9 + at.microsecond * 1000 + 999


def _run(command: Sequence[str], environment: dict[str, str]) -> list[Told]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment, timeout=300)
    if done.returncode:
        raise ProgramFailed(done.stdout[-1000:] + done.stderr[-4000:])
    return [Told(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"vendor"')]


def _environment(origins: dict[str, str], port: int, service: str, folder: str) -> dict[str, str]:
    """Without what would lead to the environment that this script runs in."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return kept | {
        "DIALECTS_ORIGINS": json.dumps(origins),
        "DIALECTS_FOLDER": folder,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": service,
        "NO_PROXY": "*",
    }
