"""The OTLP messages that answer a request."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from .outcome import Outcome, Status

CODES = {
    Status.UNDECODABLE: Code.INVALID_ARGUMENT,
    Status.UNSUPPORTED: Code.INVALID_ARGUMENT,
    Status.TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Status.UNAUTHENTICATED: Code.UNAUTHENTICATED,
    Status.FORBIDDEN: Code.PERMISSION_DENIED,
    Status.LIMITED: Code.RESOURCE_EXHAUSTED,
    Status.UNAVAILABLE: Code.UNAVAILABLE,
    Status.FAULT: Code.INTERNAL,
}
"""google.rpc codes, which are gRPC's own status codes too."""


def response(outcome: Outcome) -> ExportTraceServiceResponse:
    """The answer to a stored request; rejected spans are told in `partial_success`, and never sent again."""
    if not outcome.rejected:
        return ExportTraceServiceResponse()
    return ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=outcome.rejected, error_message=outcome.message)
    )


def failure(outcome: Outcome) -> RpcStatus:
    """The answer to any other request; one that may be sent again says when."""
    status = RpcStatus(code=CODES[outcome.status], message=outcome.message)
    if outcome.retry_after:
        nanos = round(outcome.retry_after * 1e9)
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)))
    return status
