"""OTLP receivers of a few lines: they keep what they are sent, and answer as they are told."""

from __future__ import annotations

import gzip
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

EXPORT = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass
class Got:
    """One request as it arrived."""

    body: bytes
    headers: dict[str, str]

    @property
    def request(self) -> ExportTraceServiceRequest:
        found: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(self.body)
        return found


@dataclass
class Receiver:
    """What arrived; `answers` are given in turn, and when there are none left all is well."""

    address: str = ""
    got: queue.Queue[Got] = field(default_factory=queue.Queue)
    answers: queue.Queue[Any] = field(default_factory=queue.Queue)
    hold: threading.Event = field(default_factory=threading.Event)
    """Cleared: nothing is answered."""

    def next(self, timeout: float = 5.0) -> Got:
        return self.got.get(timeout=timeout)

    def answer(self) -> Any:
        self.hold.wait(20)
        try:
            return self.answers.get_nowait()
        except queue.Empty:
            return None


@contextmanager
def http_receiver(context: Any = None) -> Iterator[Receiver]:
    """Answers are pairs of a status and headers, or of 200 and the number of rejected spans."""
    receiver = Receiver()
    receiver.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["content-encoding"] == "gzip"
            assert self.headers["content-type"] == "application/x-protobuf"
            headers = {name.lower(): value for name, value in self.headers.items()} | {":path": self.path}
            receiver.got.put(Got(gzip.decompress(body), headers))
            status, told = receiver.answer() or (200, 0)
            said = _partial(told) if isinstance(told, int) else b""
            self.send_response(status)
            for name, value in ({} if isinstance(told, int) else told).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that went away
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.address = f"http{'s' if context else ''}://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hold.set()
        server.shutdown()
        server.server_close()


def _partial(rejected: int) -> bytes:
    said: bytes = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=rejected)
    ).SerializeToString()
    return said


@contextmanager
def grpc_receiver(credentials: Any = None, options: Any = ()) -> Iterator[Receiver]:
    """Answers are pairs of a status code and seconds to wait (None: unsaid), or the number of rejected spans."""
    receiver = Receiver()
    receiver.hold.set()

    def export(body: bytes, context: Any) -> bytes:
        receiver.got.put(Got(body, dict(context.invocation_metadata())))
        told = receiver.answer()
        if isinstance(told, tuple):
            code, seconds = told
            if seconds is not None:
                status = RpcStatus(code=code.value[0])
                whole = int(seconds)
                delay = Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))
                status.details.add().Pack(RetryInfo(retry_delay=delay))
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(code, "as told")
        return _partial(told or 0)

    server = grpc.server(ThreadPoolExecutor(4), options=options)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(EXPORT, {"Export": grpc.unary_unary_rpc_method_handler(export)}),)
    )
    if credentials is None:
        receiver.address = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    else:
        receiver.address = f"grpcs://localhost:{server.add_secure_port('localhost:0', credentials)}"
    server.start()
    try:
        yield receiver
    finally:
        receiver.hold.set()
        server.stop(0).wait()
