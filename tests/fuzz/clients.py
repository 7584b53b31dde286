"""Senders that keep their connections, and what each answer means."""

from __future__ import annotations

import http.client
import socket
from types import TracebackType
from typing import Final, NamedTuple, Self

import grpc
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_llm_cost_exporter.receive.outcome import Status
from tests.access.receivers import PROTOBUF, TRACES

JSON: Final = "application/json"
WITHIN: Final = 30.0
"""Seconds for an answer; a receiver that hangs is found out so."""
_BY_HTTP: Final = {
    200: Status.STORED,
    400: Status.UNDECODABLE,
    413: Status.TOO_LARGE,
    415: Status.UNSUPPORTED,
    500: Status.FAULT,
    503: Status.UNAVAILABLE,
}
_BY_GRPC: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: Status.UNDECODABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Status.TOO_LARGE,
}


class Answer(NamedTuple):
    """What the receiver said; None for a code that no mutant should get."""

    status: Status | None
    rejected: int
    raw: str


class Http:
    """One connection, used for all that is sent."""

    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN)

    def send(self, body: bytes, kind: str = PROTOBUF, encoding: str = "") -> Answer:
        headers = {"Content-Type": kind} | ({"Content-Encoding": encoding} if encoding else {})
        self._line.request("POST", "/v1/traces", body, headers)
        answer = self._line.getresponse()
        told, code = answer.read(), answer.status
        status = _BY_HTTP.get(code)
        rejected = _rejected(told, kind) if status is Status.STORED else 0
        return Answer(status, rejected, f"{code} {told[:300]!r}")

    def close(self) -> None:
        self._line.close()


class Grpc:
    """One channel, used for all that is sent."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)])
        self._call = self._channel.unary_unary(TRACES)

    def send(self, body: bytes, compression: grpc.Compression = grpc.Compression.NoCompression) -> Answer:
        try:
            told = self._call(body, timeout=WITHIN, compression=compression)
        except grpc.RpcError as refused:
            return Answer(_BY_GRPC.get(refused.code()), 0, f"{refused.code()} {refused.details()[:300]}")
        return Answer(Status.STORED, _rejected(told, PROTOBUF), "OK")

    def close(self) -> None:
        self._channel.close()


class Senders:
    """One of each, for one thread."""

    def __init__(self, http_port: int, grpc_port: int) -> None:
        self.http, self.grpc = Http(http_port), Grpc(grpc_port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()
        self.grpc.close()


def raw(port: int, said: bytes) -> bytes:
    """All that is answered to these bytes, as a connection of its own that ends after them."""
    with socket.create_connection(("127.0.0.1", port), WITHIN) as line:
        try:
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: line.recv(65_536), b""))
        except (ConnectionResetError, BrokenPipeError):
            return b""


def _rejected(told: bytes, kind: str) -> int:
    said = Parse(told, ExportTraceServiceResponse()) if kind == JSON else ExportTraceServiceResponse.FromString(told)
    rejected: int = said.partial_success.rejected_spans
    assert bool(rejected) == bool(said.partial_success.error_message)
    return rejected
