"""`otel-llm-cost serve`: the collector; `otel-llm-cost migrate`: its tables."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from otel_llm_cost_exporter import logs
from otel_llm_cost_exporter.config import FORWARD_VARIABLE, journal_folder

from .dead_letters import JournalOption
from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, emit

if TYPE_CHECKING:  # heavy: other commands do not wait for them
    from otel_llm_cost_exporter.receive.collector import Collector
    from otel_llm_cost_exporter.receive.tls import TLS
    from otel_llm_cost_exporter.store import MigrationState, Store

_log = logging.getLogger(__name__)

_SWITCH_EVERY: Final = 0.0005
"""Seconds for which a thread may keep the interpreter: with the usual 5 ms an acknowledgement, which passes through
several threads, waits 13 ms for the flusher instead of 1."""


def serve(
    store: StoreOption = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on; off loopback an API key is needed.")] = "127.0.0.1",
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="OTLP over gRPC; 0 takes any free port.")] = 4317,
    http_port: Annotated[
        int, typer.Option(min=0, max=65535, help="OTLP over HTTP, health, metrics; 0 takes any free port.")
    ] = 4318,
    query_port: Annotated[
        int, typer.Option(min=0, max=65535, help="SQL over HTTP on 127.0.0.1 for an embedded store; 0: any free port.")
    ] = 8123,
    no_query: Annotated[bool, typer.Option("--no-query", help="Answer no queries.")] = False,
    journal: JournalOption = None,
    journal_mib: Annotated[int, typer.Option(min=16, help="MiB that may wait there to be stored.")] = 4096,
    keys: Annotated[Path | None, typer.Option(help="File with the API keys; see `otel-llm-cost keys`.")] = None,
    require_key: Annotated[bool, typer.Option("--require-key", help="Also on loopback nobody comes without.")] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate with its chain (PEM): OTLP over TLS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
    tls_client_ca: Annotated[Path | None, typer.Option(help="Clients need a certificate of this CA (PEM).")] = None,
    forward: Annotated[
        str | None,
        typer.Option(
            envvar=FORWARD_VARIABLE, help="Send the spans on with their costs: http://host:4318, grpc://host:4317"
        ),
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Write ports and pid here, as JSON, when ready.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log one JSON object a line.")] = False,
) -> None:
    """Receive OpenTelemetry spans, price every LLM call among them and store it.  Ends on SIGTERM or Ctrl-C."""
    from otel_llm_cost_exporter import gc_pause, observe  # noqa: PLC0415  # as the next
    from otel_llm_cost_exporter.access import Gate, KeyRing, keys_file  # noqa: PLC0415  # as the next
    from otel_llm_cost_exporter.access.rates import default_rate  # noqa: PLC0415  # as the next
    from otel_llm_cost_exporter.config import provider_hosts  # noqa: PLC0415  # as the next
    from otel_llm_cost_exporter.forward import Target  # noqa: PLC0415  # as the next
    from otel_llm_cost_exporter.ports import is_loopback  # noqa: PLC0415  # as the next
    from otel_llm_cost_exporter.prices.data import load_book  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.receive.collector import Collector  # noqa: PLC0415  # heavy

    logs.to_stderr(as_json)
    observe.stand_alone()
    sys.setswitchinterval(_SWITCH_EVERY)
    stop = _stop_signal()
    anonymous = is_loopback(host) and not require_key
    with ExitStack() as opened:
        given = _store(store, opened)
        collector = opened.enter_context(
            Collector(
                given,
                load_book(),
                journal or journal_folder(store),
                host=host,
                http_port=http_port,
                grpc_port=grpc_port,
                query_port=None if no_query else query_port,
                journal_bytes=journal_mib << 20,
                hosts=provider_hosts(),
                gate=Gate(KeyRing(keys_file(keys)), anonymous=anonymous, rate=default_rate()),
                tls=_tls(tls_cert, tls_key, tls_client_ca),
                forward=Target.parse(forward) if forward else None,
                metrics_to=observe.push_target(),
            )
        )
        _log.info(
            "listening on %s: OTLP over gRPC on port %d, over HTTP on port %d (/readyz tells how it is)%s",
            host,
            collector.grpc_port,
            collector.http_port,
            f"; SQL at {collector.query_url}" if collector.query_url else "",
        )
        gc_pause.settle()
        if ready_file is not None:
            _write_ready(ready_file, collector)
        stop.wait()
        _log.info("stopping: finishing what was received")
        drained = collector.close()
    if drained:
        _log.info("stopped, everything acknowledged is stored")
    else:
        _log.warning("stopped; what was acknowledged and is not stored yet waits in the journal for the next start")


def _store(address: str, opened: ExitStack) -> Store | Callable[[], Store]:
    """The store, open; a server that does not answer now is asked again while requests wait in the journal."""
    from otel_llm_cost_exporter.store import Store, StoreAway  # noqa: PLC0415  # heavy

    try:
        return opened.enter_context(Store.open(address))
    except StoreAway as error:
        _log.error("%s  What arrives meanwhile waits in the journal.", error)
        return partial(Store.open, address)


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> TLS | None:
    from otel_llm_cost_exporter.receive.tls import TLS  # noqa: PLC0415  # heavy

    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise CommandError("TLS needs a certificate and its key: --tls-cert FILE --tls-key FILE")
    return TLS(certificate, key, client_ca)


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
    said = {
        "http_port": collector.http_port,
        "grpc_port": collector.grpc_port,
        "query_url": collector.query_url,
        "pid": os.getpid(),
    }
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(json.dumps(said), encoding="utf-8")
    draft.replace(path)
