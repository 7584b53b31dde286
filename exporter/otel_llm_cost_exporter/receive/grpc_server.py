"""OTLP over gRPC: the trace service, and metrics and logs that are taken and thrown away.

Messages stay bytes up to `Ingest`, so gRPC and HTTP share every line after the transport.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from . import answers
from .discard import Discard
from .ingest import Ingest, Outcome, Status

_THREADS: Final = 32
"""Requests at once; each waits for its batch to be stored.  More wait their turn unread."""
_PACKAGE: Final = "opentelemetry.proto.collector"
_STATUS_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def grpc_server(ingest: Ingest, discard: Discard) -> grpc.Server:
    """A server with no port yet; the caller adds one, starts and stops it."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="llm-cost-grpc"),
        options=[("grpc.max_receive_message_length", ingest.limit), ("grpc.so_reuseport", 0)],
    )
    server.add_generic_rpc_handlers(
        (
            _service("trace.v1.TraceService", _export_traces(ingest)),
            _service("metrics.v1.MetricsService", _export_nothing(discard, "metrics")),
            _service("logs.v1.LogsService", _export_nothing(discard, "logs")),
        )
    )
    return server


def _service(name: str, export: Any) -> Any:
    # without (de)serializers the handler gets and gives bytes
    return grpc.method_handlers_generic_handler(
        f"{_PACKAGE}.{name}", {"Export": grpc.unary_unary_rpc_method_handler(export)}
    )


def _export_traces(ingest: Ingest) -> Any:
    def export(body: bytes, context: Any) -> bytes:
        outcome = ingest.accept(body, "protobuf")
        if outcome.status is not Status.STORED:
            _abort(context, outcome)
        answer: bytes = answers.response(outcome).SerializeToString()
        return answer

    return export


def _export_nothing(discard: Discard, kind: str) -> Any:
    def export(body: bytes, context: Any) -> bytes:
        del body, context
        discard.note(kind)
        return b""

    return export


def _abort(context: Any, outcome: Outcome) -> None:
    """End the call with a status; the details carry RetryInfo where the sender may try again."""
    status = answers.failure(outcome)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(_STATUS_CODES[status.code], status.message)
