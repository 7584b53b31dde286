"""One export request in, one outcome out.  Both transports and the in-process exporter go through here.

What a request may become in memory is bounded before it is made: by its bytes, by what `wire` counts in them, and by
how many large ones are worked on at once.  Once decoded a request is let go; only its calls wait to be stored.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost_exporter.decode import MOST_SPANS, Decoded, decode
from otel_llm_cost_exporter.pipeline import Sink
from otel_llm_cost_exporter.store import StoreError
from otel_llm_cost_exporter.writer import Overloaded

from . import otlp_json, wire

_log = logging.getLogger(__name__)

Encoding = Literal["protobuf", "json"]
DEFAULT_LIMIT = 64 * 1024 * 1024
"""Bytes of one request, after decompression."""
JSON_LIMIT = 8 * 1024 * 1024
"""Bytes of one request in JSON, where three bytes can become seventy before anything can be counted."""
_LARGE = 4 * 1024 * 1024
_LARGE_AT_ONCE = 2
_SMALLER = "let the exporter send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)"


class Status(Enum):
    """What became of a request."""

    STORED = auto()
    UNDECODABLE = auto()
    UNSUPPORTED = auto()
    TOO_LARGE = auto()
    UNAVAILABLE = auto()
    """Nothing is wrong with the request: send it again later."""
    FAULT = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer.  `rejected` spans of a stored request are bad for good, and `message` says why."""

    status: Status
    message: str = ""
    rejected: int = 0
    retry_after: float = 0.0


class _TooMany(Exception):
    """More spans than one request may hold."""


class Ingest:
    """Decode, hand on, and turn everything that can happen into an outcome.

    `hosts`: who is behind a host that nobody knows, as `otel_llm_cost.hosts.named` reads it.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        limit: int = DEFAULT_LIMIT,
        now_ns: Callable[[], int] = time.time_ns,
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        self.limit = limit
        self._hosts = hosts or {}
        self._sink = sink
        self._now_ns = now_ns
        self._room = threading.BoundedSemaphore(_LARGE_AT_ONCE)

    def accept(self, body: bytes, encoding: Encoding) -> Outcome:
        """Take an uncompressed body.  Returns when its calls are stored, or with the reason why they are not."""
        if len(body) > self.limit_of(encoding):
            return self.too_large(encoding)
        try:
            with self._admitted(len(body)):
                decoded = decode(_parse(body, encoding), self._now_ns(), self._hosts)
        except _TooMany:
            return Outcome(Status.TOO_LARGE, f"the request holds more than {MOST_SPANS:,} spans: {_SMALLER}")
        except (ValueError, DecodeError) as error:
            return Outcome(Status.UNDECODABLE, f"the body is no OTLP trace export in {encoding}: {error}")
        except Exception as error:  # noqa: BLE001  # the guard of this boundary, as below
            return _fault(error)
        return self._hand_on(decoded)

    def accept_request(self, request: ExportTraceServiceRequest) -> Outcome:
        """Take a request that is parsed already."""
        try:
            decoded = decode(request, self._now_ns(), self._hosts)
        except Exception as error:  # noqa: BLE001  # the guard of this boundary, as below
            return _fault(error)
        return self._hand_on(decoded)

    def limit_of(self, encoding: Encoding) -> int:
        """Bytes of one request in an encoding, after decompression."""
        return min(self.limit, JSON_LIMIT) if encoding == "json" else self.limit

    def too_large(self, encoding: Encoding) -> Outcome:
        """The answer to a body over the limit, for a transport that can tell without reading all of it."""
        mebibytes = self.limit_of(encoding) / (1024 * 1024)
        instead = " or protobuf" if encoding == "json" else ""
        return Outcome(
            Status.TOO_LARGE, f"the request is larger than {mebibytes:g} MiB uncompressed: {_SMALLER}{instead}"
        )

    @contextmanager
    def _admitted(self, size: int) -> Iterator[None]:
        """Wait for room where a body is large: parsed, it is many times its size."""
        if size <= _LARGE:
            yield
            return
        with self._room:
            yield

    def _hand_on(self, decoded: Decoded) -> Outcome:
        try:
            refused = self._sink.write(decoded.calls) if decoded.calls else 0
        except Overloaded as error:
            return Outcome(Status.UNAVAILABLE, str(error), retry_after=error.retry_after)
        except StoreError as error:
            return Outcome(Status.UNAVAILABLE, str(error), retry_after=5.0)
        except Exception as error:  # noqa: BLE001  # the one guard of this boundary: a fault of ours is an answer too
            return _fault(error)
        return Outcome(Status.STORED, _why_rejected(decoded.rejected, refused), decoded.rejected + refused)


def _fault(error: Exception) -> Outcome:
    _log.error("an export was lost to a fault in otel-llm-cost", exc_info=error)
    return Outcome(Status.FAULT, f"internal error ({type(error).__name__})")


def _parse(body: bytes, encoding: Encoding) -> ExportTraceServiceRequest:
    if encoding == "json":
        request = otlp_json.parse(body)
        if _spans(request) > MOST_SPANS:
            raise _TooMany
        return request
    if wire.holds_more(body, MOST_SPANS):
        raise _TooMany
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return request


def _spans(request: ExportTraceServiceRequest) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def _why_rejected(without_ids: int, refused: int) -> str:
    reasons = []
    if without_ids:
        reasons.append(f"{without_ids} spans have no valid trace id and span id")
    if refused:
        reasons.append(f"{refused} spans hold values that the store cannot take")
    return "; ".join(reasons)
