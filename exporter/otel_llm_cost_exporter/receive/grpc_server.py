"""OTLP over gRPC: the trace service, and metrics and logs that are taken and thrown away.

Messages stay bytes up to `Ingest`, so gRPC and HTTP share every line after the transport.  Who sends is asked when a
call arrives and its message is not read yet; a call that may not come in never has it read.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import grpc

from otel_llm_cost_exporter import logs
from otel_llm_cost_exporter.access.gate import Gate, Visitor
from otel_llm_cost_exporter.ports import taken

from . import answers
from .deadlines import Deadlines
from .discard import Discard
from .door import Door, TurnedAway
from .ingest import Ingest
from .outcome import Outcome, Status
from .tls import TLS, grpc_credentials

_THREADS: Final = 96
"""Calls at once; each waits for its message to come and for its batch to be safe.  More wait their turn unread."""
_UNREAD: Final = 24
"""Calls of one sender whose message has not come yet: one that sends none leaves threads to the others."""
_READ_WITHIN: Final = 30.0
"""Seconds for a message to come."""
_MOST_METADATA: Final = 32 * 1024
"""Bytes of a call's metadata: over it a call is refused by the transport, below it never."""
_PACKAGE: Final = "opentelemetry.proto.collector"
_TRACES: Final = "trace.v1.TraceService"
_STATUS_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_REQUEST_ID: Final = "x-request-id"

_Export = Callable[[bytes, Visitor], Outcome | None]
"""A message and its sender → what became of it; None where it was thrown away."""


def grpc_server(ingest: Ingest, discard: Discard, *, gate: Gate | None = None) -> grpc.Server:
    """A server with no port yet; the caller adds one, starts and stops it.  Without a gate everybody may write."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="llm-cost-grpc"),
        options=[
            ("grpc.max_receive_message_length", ingest.limit),
            ("grpc.max_metadata_size", _MOST_METADATA),
            ("grpc.absolute_max_metadata_size", _MOST_METADATA),
            ("grpc.so_reuseport", 0),
        ],
    )
    exports: dict[str, _Export] = {
        _TRACES: lambda body, who: ingest.accept(body, "protobuf", who.sender, who.bucket),
        "metrics.v1.MetricsService": lambda *_: discard.note("metrics"),
        "logs.v1.LogsService": lambda *_: discard.note("logs"),
    }
    server.add_generic_rpc_handlers((_Services(exports, Door(gate or Gate(), ingest.counters)),))
    return server


def listen_grpc(server: Any, host: str, port: int, tls: TLS | None) -> int:
    """Have the server listen; the port, PortTaken where it cannot be had."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if tls is None:
            bound = int(server.add_insecure_port(address))
        else:
            bound = int(server.add_secure_port(address, grpc_credentials(tls)))
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise taken(host, port, "OTLP over gRPC", "--grpc-port", "the address is in use or not ours")
    return bound


class _Services(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no type information
    """Finds a call's handler by its name, once its sender is known."""

    def __init__(self, exports: Mapping[str, _Export], door: Door) -> None:
        self._exports = {f"/{_PACKAGE}.{name}/Export": (name, export) for name, export in exports.items()}
        self._door = door
        self._unread: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._deadlines = Deadlines(_READ_WITHIN)

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call, None for a method that there is none of."""
        found = self._exports.get(handler_call_details.method)
        if found is None:
            return None
        name, export = found
        told = {pair.key: pair.value for pair in handler_call_details.invocation_metadata or ()}
        identity, via = logs.request_id(_text(told.get(_REQUEST_ID))), f"gRPC {name}"
        with logs.of_request(identity):
            try:
                visitor = self._door.enter(
                    via,
                    _text(told.get("authorization")),
                    _text(told.get("x-api-key")),
                    with_spans=name == _TRACES,
                )
            except TurnedAway as turned:
                # a handler of a stream is called before anything is read
                return grpc.stream_unary_rpc_method_handler(partial(_turn_away, turned.outcome, identity))
        # without (de)serializers the handler gets and gives bytes
        # and one of a stream reads its message itself, so that the wait for it has an end
        return grpc.stream_unary_rpc_method_handler(partial(self._read, export, visitor, identity, via))

    def _read(
        self, export: _Export, visitor: Visitor, identity: str, via: str, messages: Any, context: Any
    ) -> bytes | None:
        key = visitor.sender.key
        with self._lock:
            self._unread[key] += 1
            many = self._unread[key] > _UNREAD
        try:
            with self._deadlines.watched(context.cancel):
                body = None if many else next(messages, None)
        finally:
            with self._lock:
                self._unread[key] -= 1
        if body is None and not many:
            _abort(context, Outcome(Status.UNDECODABLE, "the call brought no message"), identity)
        if many:
            told = "too many calls whose message has not come yet"
            _abort(context, Outcome(Status.UNAVAILABLE, told, retry_after=1.0), identity)
        return self._export(export, visitor, identity, via, body or b"", context)

    def _export(
        self, export: _Export, visitor: Visitor, identity: str, via: str, body: bytes, context: Any
    ) -> bytes | None:
        with logs.of_request(identity):
            logs.sent_by(visitor.sender)
            outcome = export(body, visitor)
            if outcome is None:
                context.set_trailing_metadata(((_REQUEST_ID, identity),))
                return b""
            self._door.told(via, outcome)
        if outcome.status is not Status.STORED:
            _abort(context, outcome, identity)
        context.set_trailing_metadata(_metadata(outcome, identity))
        answer: bytes = answers.response(outcome).SerializeToString()
        return answer


def _turn_away(outcome: Outcome, identity: str, messages: Any, context: Any) -> None:
    del messages
    _abort(context, outcome, identity)


def _abort(context: Any, outcome: Outcome, identity: str) -> None:
    """End the call with a status; the details carry RetryInfo where the sender may try again."""
    status = answers.failure(outcome)
    details = [("grpc-status-details-bin", status.SerializeToString())]
    # Python's OTLP exporter looks for the retry alone
    details += [("google.rpc.retryinfo-bin", detail.value) for detail in status.details]
    context.set_trailing_metadata((*_metadata(outcome, identity), *details))
    context.abort(_STATUS_CODES[status.code], status.message)


def _metadata(outcome: Outcome, identity: str) -> tuple[tuple[str, str], ...]:
    limits = outcome.standing.headers() if outcome.standing else {}
    return ((_REQUEST_ID, identity), *((name.lower(), told) for name, told in limits.items()))


def _text(value: str | bytes | None) -> str | None:
    """A header's value; names that end in -bin have bytes, ours do not."""
    return value.decode("latin-1") if isinstance(value, bytes) else value
