"""The doctor's checks that open a connection: the collector, the store; and the age of the prices."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from .findings import Finding

_PATIENCE: Final = 2.0
_OLD: Final = 60
_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318


def exporter(env: Mapping[str, str]) -> Iterator[Finding]:
    """Where the spans go: OTEL_TRACES_EXPORTER, and for `otlp` whether anybody is there."""
    names = [name.strip() for name in env.get("OTEL_TRACES_EXPORTER", "otlp").split(",") if name.strip()]
    if "llm_cost" in names:
        detail = f"llm_cost: priced and stored in the process, in {env.get('OTEL_LLM_COST_STORE', 'the default store')}"
        yield Finding(check="exporter", status="ok", detail=detail)
    if "otlp" in names:
        yield from _endpoint(env)
    if "llm_cost" in names or "otlp" in names:
        return
    said = ",".join(names) or "nothing"
    remedy = "OTEL_TRACES_EXPORTER=otlp (a collector) or llm_cost (in the process)"
    detail = f"OTEL_TRACES_EXPORTER={said}: no span reaches a collector"
    yield Finding(check="exporter", status="warn", detail=detail, remedy=remedy)


def _endpoint(env: Mapping[str, str]) -> Iterator[Finding]:
    protocol = _setting(env, "PROTOCOL") or "grpc"
    grpc = protocol == "grpc"
    said = _setting(env, "ENDPOINT")
    url = urlsplit(said or f"http://localhost:{_GRPC_PORT if grpc else _HTTP_PORT}")
    if not url.hostname:
        remedy = "give it as a URL: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
        yield Finding(check="collector", status="fail", detail=f"{said!r} is no endpoint", remedy=remedy)
        return
    port = url.port or (_GRPC_PORT if grpc else 443 if url.scheme == "https" else 80)
    shown = f"{url.scheme}://{url.hostname}:{port} ({protocol})"
    if port == (_HTTP_PORT if grpc else _GRPC_PORT):
        remedy = (
            f"grpc goes to {_GRPC_PORT}, http/protobuf to {_HTTP_PORT}: change OTEL_EXPORTER_OTLP_PROTOCOL or the port"
        )
        yield Finding(check="collector", status="warn", detail=f"{shown}: the other protocol's port", remedy=remedy)
    trouble = _connect(url.hostname, port) if grpc else _ready(url.hostname, port, secure=url.scheme == "https")
    if not trouble:
        yield Finding(check="collector", status="ok", detail=f"{shown} answers")
        return
    remedy = "start one: otel-llm-cost serve; then set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
    detail = f"{shown}: {trouble}" + ("" if said else " (OTEL_EXPORTER_OTLP_ENDPOINT is not set)")
    yield Finding(check="collector", status="fail" if said else "warn", detail=detail, remedy=remedy)


def _setting(env: Mapping[str, str], name: str) -> str:
    """What is said of traces wins over what is said of all signals."""
    return env.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or env.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _connect(host: str, port: int) -> str:
    """Why no TCP connection comes about; empty if one does."""
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _ready(host: str, port: int, *, secure: bool) -> str:
    """What speaks against the collector's readiness; any other OTLP endpoint that answers will do."""
    kind = HTTPSConnection if secure else HTTPConnection
    try:
        with closing(kind(host, port, timeout=_PATIENCE)) as connection:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            said = answer.read(300).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    return f"it is not ready: {said}" if answer.status == 503 else ""


def store(dsn: str, *, asked: bool) -> Iterator[Finding]:
    """Whether the store opens and is up to date.  One that nobody named and is not there is no finding to act on."""
    from otel_llm_cost_exporter.store import Store, StoreError  # noqa: PLC0415  # heavy, and optional
    from otel_llm_cost_exporter.store.connect import parse  # noqa: PLC0415  # see above

    try:
        path = parse(dsn).path
        if path is not None and not path.exists():
            remedy = "otel-llm-cost serve (or demo) makes it"
            yield Finding(check="store", status="warn" if asked else "ok", detail=f"none at {path} yet", remedy=remedy)
            return
        with Store.open(dsn, migrate=False) as opened:
            states = opened.migrations()
            shown = opened.address
    except StoreError as error:
        yield _closed(str(error))
        return
    pending = [state.name for state in states if state.applied_at is None]
    changed = [state.name for state in states if not state.checksum_ok]
    if changed:
        remedy = "this store was made by another build: use that one, or a fresh store"
        yield Finding(check="store", status="fail", detail=f"{shown}: {', '.join(changed)} differ", remedy=remedy)
    elif pending:
        detail = f"{shown} lacks {', '.join(pending)}"
        yield Finding(check="store", status="fail", detail=detail, remedy="otel-llm-cost migrate --store …")
    else:
        yield Finding(check="store", status="ok", detail=f"{shown}: {len(states)} migrations, all applied")


def _closed(why: str) -> Finding:
    """An embedded store that a collector has open is as it should be; one that cannot be opened is not."""
    reason, _, remedy = why.partition(". ")
    held = "has it open" in why
    return Finding(check="store", status="ok" if held else "fail", detail=reason, remedy="" if held else remedy)


def prices(today: date | None = None) -> Iterator[Finding]:
    """How old the price data is: a model newer than it has no price."""
    from otel_llm_cost_exporter.price_data import load_book  # noqa: PLC0415  # reads its data

    try:
        book = load_book()
    except (OSError, ValueError) as error:
        remedy = "mend that overlay file, or unset OTEL_LLM_COST_PRICES"
        yield Finding(check="prices", status="fail", detail=str(error), remedy=remedy)
        return
    if book.dated is None:
        yield Finding(check="prices", status="ok", detail=f"version {book.version}")
        return
    age = ((today or datetime.now(UTC).date()) - book.dated).days
    detail = f"version {book.version}, {age} days old"
    if age > _OLD:
        remedy = "pip install --upgrade otel-llm-cost; models that came since then are unpriced"
        yield Finding(check="prices", status="warn", detail=detail, remedy=remedy)
    else:
        yield Finding(check="prices", status="ok", detail=detail)
