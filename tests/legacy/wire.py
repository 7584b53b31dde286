"""Google's older wires on 127.0.0.1: JSON over HTTP, and protocol buffers over gRPC."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from tests.instrumentation.conftest import Collected, Seen

Json = dict[str, Any]

USAGE: Json = {
    "promptTokenCount": 120,
    "cachedContentTokenCount": 100,
    "candidatesTokenCount": 15,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 165,
}
"""120 tokens in, 45 out; the oldest client drops the thoughts, not the total."""


def chunk(text: str, finish: str | None = None, **usage: int) -> Json:
    """A chunk of a stream, or a whole answer."""
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}}
    counted = usage or {"promptTokenCount": 120, "candidatesTokenCount": 5, "totalTokenCount": 125}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": counted, "modelVersion": "gemini-2.5-flash"}


WHOLE = chunk("Oslo", "STOP", **USAGE)
CHUNKS = [chunk("Os"), chunk("l"), chunk("o", "STOP", **USAGE)]


def refusal(status: int, code: str) -> Json:
    """An error as Google words it."""
    return {"error": {"code": status, "message": "no", "status": code}}


@contextmanager
def http_server(answer: Any, status: int = 200) -> Iterator[str]:
    """Answers every request with the same JSON; its address, with a scheme."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_server(unary: Callable[[], bytes], stream: Callable[[], Iterator[bytes]]) -> Iterator[str]:
    """Answers methods that begin with `Stream` with a stream of messages, and others with one; its address.

    `Refused` ends a call with its status.
    """

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            if "/Stream" in details.method:
                return grpc.unary_stream_rpc_method_handler(lambda _request, context: _guarded(stream(), context))
            return grpc.unary_unary_rpc_method_handler(lambda _request, context: next(_guarded(_one(unary), context)))

    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, handlers=(Handler(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


class Refused(Exception):
    """Ends a call with a gRPC status."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self.code = code


def _one(make: Callable[[], bytes]) -> Iterator[bytes]:
    yield make()


def _guarded(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
    try:
        yield from messages
    except Refused as refused:
        context.abort(refused.code, "no")


@contextmanager
def watched(instrumentor: Any) -> Iterator[Seen]:
    """An SDK instrumented, with what is reported kept in memory."""
    collected, reader = Collected(), InMemoryMetricReader()
    provider, meters = TracerProvider(), MeterProvider([reader])
    provider.add_span_processor(collected)
    instrumentor.instrument(tracer_provider=provider, meter_provider=meters)
    try:
        yield Seen(collected, reader, provider, meters)
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
        meters.shutdown()
