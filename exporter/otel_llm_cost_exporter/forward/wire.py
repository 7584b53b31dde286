"""One request over the network and what became of it: OTLP over HTTP or gRPC.

What may be sent again is what the protocol says (https://opentelemetry.io/docs/specs/otlp/, Failures): over HTTP 429,
502, 503 and 504, over gRPC the codes below, and RESOURCE_EXHAUSTED only where the answer says when.  A connection that
fails is one of them.  What the other side wrote in words is not kept: it might quote what it was sent.
"""

from __future__ import annotations

import gzip
from typing import Any, Final, NamedTuple, Protocol

import grpc
import urllib3
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from .target import Target

_MOST_ANSWER: Final = 64 * 1024
_RETRYABLE_HTTP: Final = frozenset({429, 502, 503, 504})
_RETRYABLE_GRPC: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Answer(NamedTuple):
    """What became of a request: taken (with some spans rejected, perhaps), to be sent again, or refused for good."""

    taken: bool
    again: bool = False
    why: str = ""
    retry_after: float | None = None
    """Seconds that the other side asks for."""
    rejected: int = 0


class Wire(Protocol):
    """`send` blocks for at most `timeout` seconds and raises nothing that the network can cause."""

    def send(self, body: bytes, timeout: float) -> Answer: ...

    def close(self) -> None: ...


def wire_to(target: Target) -> Wire:
    """The wire of a target's scheme; nothing is connected yet.  Raises OSError where the `ca_file` cannot be read."""
    return _Grpc(target) if target.speaks_grpc else _Http(target)


class _Http:
    def __init__(self, target: Target) -> None:
        self._url = target.url()
        self._headers = {
            "user-agent": "otel-llm-cost-collector",
            **target.headers,
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
        }
        trusted = target.ca_file.read_text(encoding="ascii") if target.ca_file else None
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, ca_cert_data=trusted)

    def send(self, body: bytes, timeout: float) -> Answer:
        packed = gzip.compress(body, compresslevel=1, mtime=0)
        try:
            return self._post(packed, timeout)
        except urllib3.exceptions.HTTPError as error:
            return Answer(False, again=True, why=_cause(error))

    def _post(self, packed: bytes, timeout: float) -> Answer:
        answer = self._pool.request(
            "POST",
            self._url,
            body=packed,
            headers=self._headers,
            timeout=urllib3.Timeout(total=timeout),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            said = answer.read(_MOST_ANSWER)
            if answer.status // 100 == 2:
                return _accepted(said)
            again = answer.status in _RETRYABLE_HTTP
            return Answer(False, again, f"HTTP {answer.status}", _seconds(answer.headers.get("Retry-After")))
        finally:
            answer.close()  # one that was read to its end has given its connection back already

    def close(self) -> None:
        self._pool.clear()


def _cause(error: BaseException) -> str:
    """The kind of fault, the innermost one: a certificate that is not trusted, a name that is not known."""
    reason = getattr(error, "reason", None)
    return _cause(reason) if isinstance(reason, BaseException) else type(error).__name__


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in either of its forms; what is neither says nothing."""
    if retry_after is None:
        return None
    try:
        return float(urllib3.Retry().parse_retry_after(retry_after))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def _accepted(said: bytes) -> Answer:
    try:
        rejected = ExportTraceServiceResponse.FromString(said).partial_success.rejected_spans
    except DecodeError:  # some answer with an empty text of JSON, whatever they are asked in
        rejected = 0
    return Answer(True, rejected=max(rejected, 0))


class _Grpc:
    def __init__(self, target: Target) -> None:
        options = [
            ("grpc.enable_retries", 0),  # they are ours to make and to count
            ("grpc.max_reconnect_backoff_ms", 10_000),
            ("grpc.primary_user_agent", "otel-llm-cost-collector"),
        ]
        if target.secure:
            trusted = target.ca_file.read_bytes() if target.ca_file else None
            credentials = grpc.ssl_channel_credentials(root_certificates=trusted)
            self._channel: Any = grpc.secure_channel(target.authority, credentials, options)
        else:
            self._channel = grpc.insecure_channel(target.authority, options)
        self._export: Any = self._channel.unary_unary(_EXPORT)
        self._headers = tuple(target.headers.items())

    def send(self, body: bytes, timeout: float) -> Answer:
        try:
            said = self._export(
                body, timeout=timeout, metadata=self._headers, compression=grpc.Compression.Gzip, wait_for_ready=False
            )
        except grpc.RpcError as error:
            return _of_failure(error)
        except ValueError:  # the channel was closed under it
            return Answer(False, again=True, why="closed")
        return _accepted(said)

    def close(self) -> None:
        self._channel.close()


def _of_failure(error: Any) -> Answer:
    code = error.code()
    retry_after = _retry_delay(error.trailing_metadata() or ())
    again = code in _RETRYABLE_GRPC or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and retry_after is not None)
    return Answer(False, again, f"gRPC {code.name}", retry_after)


def _retry_delay(metadata: Any) -> float | None:
    """The seconds of a RetryInfo among the details of a status."""
    info = RetryInfo()
    for name, value in metadata:
        if name != "grpc-status-details-bin":
            continue
        try:
            details = RpcStatus.FromString(value).details
        except DecodeError:
            return None
        for detail in details:
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None
