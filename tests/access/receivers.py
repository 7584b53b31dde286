"""Both receivers before a sink, for tests of what they do with senders."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any

import grpc
import httpx

from otel_llm_cost_exporter.access import Gate
from otel_llm_cost_exporter.entry import Entry, Sink
from otel_llm_cost_exporter.receive.discard import Discard
from otel_llm_cost_exporter.receive.grpc_server import grpc_server
from otel_llm_cost_exporter.receive.health import Check, Checkup, Part
from otel_llm_cost_exporter.receive.http_server import http_app
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.receive.serving import uvicorn_server
from otel_llm_cost_exporter.receive.tls import TLS, grpc_credentials

PROTOBUF = "application/x-protobuf"
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass
class Kept:
    """A sink that keeps what it is given, or raises what it is told to."""

    entries: list[Entry] = made(default_factory=list)
    fails: Exception | None = None

    def take(self, entry: Entry) -> int:
        if self.fails is not None:
            raise self.fails
        self.entries.append(entry)
        return 0


@dataclass
class Running:
    """Both receivers on ports of their own."""

    http_port: int
    grpc_port: int
    ingest: Ingest
    scheme: str = "http"

    def url(self, path: str = "/v1/traces") -> str:
        return f"{self.scheme}://localhost:{self.http_port}{path}"

    def post(self, body: bytes, path: str = "/v1/traces", kind: str = PROTOBUF, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): told for name, told in headers.items()}
        return httpx.post(self.url(path), content=body, headers={"content-type": kind} | named, timeout=20)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url(path), headers=headers, timeout=20)

    def call(self, body: bytes, method: str = TRACES, **metadata: str) -> tuple[bytes, dict[str, Any]]:
        """The answer over gRPC and the metadata behind it."""
        named = tuple((name.replace("_", "-"), told) for name, told in metadata.items())
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            answer, call = channel.unary_unary(method).with_call(body, timeout=20, metadata=named)
        return answer, dict(call.trailing_metadata())


@contextmanager
def receivers(
    sink: Sink,
    gate: Gate | None = None,
    *,
    tls: TLS | None = None,
    metrics: Callable[[], tuple[bytes, str]] | None = None,
    limit: int = 1_000_000,
) -> Iterator[Running]:
    """Starts both on ports of their own, and stops them."""
    ingest, discard = Ingest(sink, limit=limit), Discard()
    health = Checkup([Part("journal", lambda: Check(True, "2 MiB waiting"))], lambda: {"received": 7})
    listener = socket.create_server(("127.0.0.1", 0))
    http = uvicorn_server(http_app(ingest, discard, health, gate=gate, metrics=metrics), tls=tls, grace=1)
    thread = threading.Thread(target=http.run, kwargs={"sockets": [listener]}, daemon=True)
    server = grpc_server(ingest, discard, gate=gate)
    address = "127.0.0.1:0"
    grpc_port = server.add_secure_port(address, grpc_credentials(tls)) if tls else server.add_insecure_port(address)
    thread.start()
    server.start()
    try:
        yield Running(listener.getsockname()[1], grpc_port, ingest, "https" if tls else "http")
    finally:
        http.should_exit = True
        server.stop(0).wait()
        thread.join()
