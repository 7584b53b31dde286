"""`otel-llm-cost serve`: the collector; `otel-llm-cost migrate`: its tables."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .output import DEFAULT_STORE, JsonOption, StoreOption, emit

if TYPE_CHECKING:  # heavy: other commands do not wait for them
    from otel_llm_cost_exporter.receive.collector import Collector
    from otel_llm_cost_exporter.store import MigrationState

_log = logging.getLogger(__name__)


def serve(
    store: StoreOption = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on. There is no authentication yet.")] = "127.0.0.1",
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="OTLP over gRPC; 0 takes any free port.")] = 4317,
    http_port: Annotated[
        int, typer.Option(min=0, max=65535, help="OTLP over HTTP, health; 0 takes any free port.")
    ] = 4318,
    ready_file: Annotated[Path | None, typer.Option(help="Write ports and pid here, as JSON, when ready.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log one JSON object a line.")] = False,
) -> None:
    """Receive OpenTelemetry spans, price every LLM call among them and store it.  Ends on SIGTERM or Ctrl-C."""
    from otel_llm_cost_exporter.config import provider_hosts  # noqa: PLC0415  # as the next
    from otel_llm_cost_exporter.prices.data import load_book  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.receive.collector import Collector  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.store import Store  # noqa: PLC0415  # heavy

    _log_to_stderr(as_json)
    stop = _stop_signal()
    with (
        Store.open(store) as opened,
        Collector(
            opened, load_book(), host=host, http_port=http_port, grpc_port=grpc_port, hosts=provider_hosts()
        ) as collector,
    ):
        _log.info(
            "listening on %s: OTLP over gRPC on port %d, over HTTP on port %d (/readyz tells how it is); store %s",
            host,
            collector.grpc_port,
            collector.http_port,
            opened.address,
        )
        if ready_file is not None:
            _write_ready(ready_file, collector)
        stop.wait()
        _log.info("stopping: finishing what was received")
    _log.info("stopped, everything acknowledged is stored")


def migrate(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Bring the store's tables up to date (serve does it too), and show what was applied when."""
    from otel_llm_cost_exporter.store import Store  # noqa: PLC0415  # heavy

    with Store.open(store, migrate=False, create=True) as opened:
        applied = opened.migrate()
        states = opened.migrations()
    found = [{**state._asdict(), "applied_now": state.name in applied} for state in states]
    emit(found, as_json, lambda: _table(states, applied))


def _table(states: list[MigrationState], applied: list[str]) -> Table:
    table = Table("migration", "applied at (UTC)", "")
    for state in states:
        when = f"{state.applied_at:%Y-%m-%d %H:%M:%S}" if state.applied_at else ""
        table.add_row(state.name, when, "now" if state.name in applied else "")
    return table


def _stop_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set; a second one ends the process at once."""
    stop = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        del frame
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def _write_ready(path: Path, collector: Collector) -> None:
    """Whole or not at all: who waits for the file must not read half of it."""
    said = {"http_port": collector.http_port, "grpc_port": collector.grpc_port, "pid": os.getpid()}
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(json.dumps(said), encoding="utf-8")
    draft.replace(path)


class _JsonLines(logging.Formatter):
    """A log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _log_to_stderr(as_json: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(_JsonLines() if as_json else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
