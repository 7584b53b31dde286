"""One export request in, one outcome out.  Both transports and the in-process exporter go through here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.pipeline import Sink
from otel_llm_cost_exporter.store import StoreError
from otel_llm_cost_exporter.writer import Overloaded

from . import otlp_json

_log = logging.getLogger(__name__)

Encoding = Literal["protobuf", "json"]
DEFAULT_LIMIT = 64 * 1024 * 1024
"""Bytes of one request, after decompression."""


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


class Ingest:
    """Decode, hand on, and turn everything that can happen into an outcome."""

    def __init__(self, sink: Sink, *, limit: int = DEFAULT_LIMIT, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.limit = limit
        self._sink = sink
        self._now_ns = now_ns

    def accept(self, body: bytes, encoding: Encoding) -> Outcome:
        """Take an uncompressed body.  Returns when its calls are stored, or with the reason why they are not."""
        if len(body) > self.limit:
            return self.too_large()
        try:
            request = _parse(body, encoding)
        except (ValueError, DecodeError) as error:
            return Outcome(Status.UNDECODABLE, f"the body is no OTLP trace export in {encoding}: {error}")
        return self.accept_request(request)

    def accept_request(self, request: ExportTraceServiceRequest) -> Outcome:
        """Take a request that is parsed already."""
        try:
            decoded = decode(request, self._now_ns())
            refused = self._sink.write(decoded.calls) if decoded.calls else 0
        except Overloaded as error:
            return Outcome(Status.UNAVAILABLE, str(error), retry_after=error.retry_after)
        except StoreError as error:
            return Outcome(Status.UNAVAILABLE, str(error), retry_after=5.0)
        except Exception as error:  # noqa: BLE001  # the one guard of this boundary: a fault of ours is an answer too
            _log.error("an export was lost to a fault in otel-llm-cost", exc_info=error)
            return Outcome(Status.FAULT, f"internal error ({type(error).__name__})")
        return Outcome(Status.STORED, _why_rejected(decoded.rejected, refused), decoded.rejected + refused)

    def too_large(self) -> Outcome:
        """The answer to a body over the limit, for a transport that can tell without reading all of it."""
        mebibytes = self.limit / (1024 * 1024)
        return Outcome(
            Status.TOO_LARGE,
            f"the request is larger than {mebibytes:g} MiB uncompressed: let the exporter send smaller batches"
            " (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
        )


def _parse(body: bytes, encoding: Encoding) -> ExportTraceServiceRequest:
    if encoding == "json":
        return otlp_json.parse(body)
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return request


def _why_rejected(without_ids: int, refused: int) -> str:
    reasons = []
    if without_ids:
        reasons.append(f"{without_ids} spans have no valid trace id and span id")
    if refused:
        reasons.append(f"{refused} spans hold values that the store cannot take")
    return "; ".join(reasons)
