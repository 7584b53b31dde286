"""The collector: store, writer and both servers as one thing that starts and stops.

Order matters.  The store comes open and migrated from its owner, and what it took last is recalled before anything can
arrive; ports are taken before anything is served, so that a taken port is told at once.  On the way down the servers
finish the requests that they have while the writer still works, and only then is the queue drained and the store
closed.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Self

import uvicorn

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.store import Store
from otel_llm_cost_exporter.writer import Writer

from .discard import Discard
from .grpc_server import grpc_server
from .health import check
from .http_server import http_app
from .ingest import DEFAULT_LIMIT, Ingest

_log = logging.getLogger(__name__)
_GRACE = 5
"""Seconds for requests at work when stopping: with the queue to drain after it, less than the 10 s Docker gives."""


class PortTaken(Exception):
    """A port cannot be had; the text says which and what to do."""


class Collector:
    """Runs from construction to `close`.  Port 0 takes any free one; `http_port` and `grpc_port` say which.

    `limit` is the largest request in bytes, `most_wait` how long in seconds a request waits for company;
    `hosts` says who is behind a host that nobody knows.
    """

    def __init__(
        self,
        store: Store,
        book: PriceBook,
        *,
        host: str = "127.0.0.1",
        http_port: int = 4318,
        grpc_port: int = 4317,
        limit: int = DEFAULT_LIMIT,
        most_wait: float = 0.2,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        self.pipeline = Pipeline(store, book)
        self.pipeline.recall(store)
        self._socket = _listen(host, http_port)
        self.http_port: int = self._socket.getsockname()[1]
        self._store = store
        self.writer = Writer(self.pipeline, most_wait=most_wait)
        ingest, discard = Ingest(self.writer, limit=limit, hosts=hosts), Discard()
        self._grpc = grpc_server(ingest, discard)
        try:
            self.grpc_port = _grpc_listen(self._grpc, host, grpc_port)
        except PortTaken:
            self._socket.close()
            self.writer.close()
            raise
        _warn_if_public(host)
        health = partial(check, store, self.writer, self.pipeline.counters)
        self._http = uvicorn.Server(
            uvicorn.Config(
                http_app(ingest, discard, health),
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._grpc.start()
        self._thread = threading.Thread(target=self._serve_http, name="llm-cost-http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop taking requests, finish those at work, store what waits.  The store is left open for its owner."""
        self._http.should_exit = True
        stopped = self._grpc.stop(_GRACE)
        self._thread.join()
        stopped.wait()
        self.writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve_http(self) -> None:
        # in a thread uvicorn leaves signals alone; the listening socket is ours
        self._http.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _taken("HTTP", "--http-port", host, port, error.strerror or str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise _taken("HTTP", "--http-port", host, port, error.strerror or str(error)) from error
    return listener


def _grpc_listen(server: object, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = int(server.add_insecure_port(address))  # type: ignore[attr-defined]  # grpcio has no type information
    except RuntimeError as error:
        raise _taken("gRPC", "--grpc-port", host, port, "the address is in use or not ours") from error
    if bound == 0:
        raise _taken("gRPC", "--grpc-port", host, port, "the address is in use or not ours")
    return bound


def _taken(protocol: str, option: str, host: str, port: int, why: str) -> PortTaken:
    return PortTaken(
        f"cannot listen for OTLP over {protocol} on {host}:{port}: {why}. Stop what listens there (another collector?),"
        f" or give another port with {option}."
    )


def _warn_if_public(host: str) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        _log.warning(
            "listening on %s: there is no authentication yet, so everyone who reaches these ports can write calls."
            " Keep them behind a firewall, or listen on 127.0.0.1.",
            host,
        )
