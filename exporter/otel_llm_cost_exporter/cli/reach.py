"""The doctor's checks that open a connection: the collector, the store; and the age of the prices."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final

from .endpoint import GRPC_PORT, HTTP_PORT, Endpoint, endpoint
from .findings import Finding
from .output import DEFAULT_STORE, STORE_VARIABLE

_PATIENCE: Final = 2.0
_OLD: Final = 60


def exporter(env: Mapping[str, str]) -> Iterator[Finding]:
    """Where the spans go: OTEL_TRACES_EXPORTER, and for `otlp` whether anybody is there."""
    names = [name.strip() for name in env.get("OTEL_TRACES_EXPORTER", "otlp").split(",") if name.strip()]
    if "llm_cost" in names:
        # by its name: the address may hold a password
        where = f"what {STORE_VARIABLE} names" if env.get(STORE_VARIABLE) else f"the default store, {DEFAULT_STORE}"
        detail = f"llm_cost: priced and stored in the process, in {where}"
        yield Finding(check="exporter", status="ok", detail=detail)
    if "otlp" in names:
        yield from _collector(env)
    if "llm_cost" in names or "otlp" in names:
        return
    said = ",".join(names) or "nothing"
    remedy = "OTEL_TRACES_EXPORTER=otlp (a collector) or llm_cost (in the process)"
    detail = f"OTEL_TRACES_EXPORTER={said}: no span reaches a collector"
    yield Finding(check="exporter", status="warn", detail=detail, remedy=remedy)


def _collector(env: Mapping[str, str]) -> Iterator[Finding]:
    try:
        there = endpoint(env)
    except ValueError as error:
        remedy = "give it as a URL: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
        yield Finding(check="collector", status="fail", detail=str(error), remedy=remedy)
        return
    yield from _doubts(there)
    trouble = _connect(there.host, there.port) if there.grpc else _ready(there.host, there.port, secure=there.secure)
    if not trouble:
        yield Finding(check="collector", status="ok", detail=f"{there} answers")
        return
    remedy = "start one: otel-llm-cost serve; then set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
    detail = f"{there}: {trouble}" + ("" if there.said else " (OTEL_EXPORTER_OTLP_ENDPOINT is not set)")
    yield Finding(check="collector", status="fail" if there.said else "warn", detail=detail, remedy=remedy)


def _doubts(there: Endpoint) -> Iterator[Finding]:
    """What speaks against an endpoint before anybody is asked there."""
    if there.port == (HTTP_PORT if there.grpc else GRPC_PORT):
        remedy = (
            f"grpc goes to {GRPC_PORT}, http/protobuf to {HTTP_PORT}: change OTEL_EXPORTER_OTLP_PROTOCOL or the port"
        )
        yield Finding(check="collector", status="warn", detail=f"{there}: the other protocol's port", remedy=remedy)
    if there.grpc and there.secure and not there.scheme:
        remedy = f"for a collector without TLS: OTEL_EXPORTER_OTLP_ENDPOINT=http://{there.host}:{there.port}"
        yield Finding(check="collector", status="warn", detail=f"{there}: without http:// this is TLS", remedy=remedy)


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
    from otel_llm_cost_exporter.store import StoreError, StoreHeld  # noqa: PLC0415  # heavy, and optional
    from otel_llm_cost_exporter.store.connect import parse  # noqa: PLC0415  # see above
    from otel_llm_cost_exporter.store.reading import open_for_reading  # noqa: PLC0415  # see above

    try:
        path = parse(dsn).path
        if path is not None and not path.exists():
            remedy = "otel-llm-cost serve (or demo) makes it"
            yield Finding(check="store", status="warn" if asked else "ok", detail=f"none at {path} yet", remedy=remedy)
            return
        with open_for_reading(dsn) as opened:
            states = opened.migrations()
            shown = opened.address
    except StoreHeld as held:  # as it should be: a collector is at work
        yield Finding(check="store", status="ok", detail=_parted(held)[0])
        return
    except StoreError as error:
        detail, remedy = _parted(error)
        yield Finding(check="store", status="fail", detail=detail, remedy=remedy)
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


def _parted(error: Exception) -> tuple[str, str]:
    """What happened, and what to do: the store's errors say the one in a sentence and the other in the next."""
    what, _, remedy = str(error).partition(". ")
    return what, remedy


def prices(today: date | None = None) -> Iterator[Finding]:
    """How old the price data is: a model newer than it has no price."""
    from otel_llm_cost_exporter.prices.data import load_book  # noqa: PLC0415  # reads its data

    try:
        book = load_book()
    except (OSError, ValueError) as error:
        remedy = "mend that file (otel-llm-cost prices validate FILE), or take it away"
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
