"""One export request in, one outcome out.  Both transports and the in-process exporter go through here.

What a request may become in memory is bounded before it is made: by its bytes, by what `wire` counts in them, and by
how many large ones are worked on at once.  A request is parsed whole before it is handed on, so that what is
acknowledged is known to parse; what is handed on is its bytes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost_exporter import logs
from otel_llm_cost_exporter.access.rates import Bucket
from otel_llm_cost_exporter.decode import MOST_SPANS, has_ids
from otel_llm_cost_exporter.entry import ANONYMOUS, Entry, Overloaded, Sender, Sink
from otel_llm_cost_exporter.store import StoreError

from . import otlp_json, wire
from .counters import IngestCounters
from .outcome import Outcome, Status, limited

__all__ = ["DEFAULT_LIMIT", "Encoding", "Ingest", "Outcome", "Status"]

_log = logging.getLogger(__name__)

Encoding = Literal["protobuf", "json"]
DEFAULT_LIMIT = 64 * 1024 * 1024
"""Bytes of one request, after decompression."""
JSON_LIMIT = 8 * 1024 * 1024
"""Bytes of one request in JSON, where three bytes can become seventy before anything can be counted."""
_LARGE = 4 * 1024 * 1024
_LARGE_AT_ONCE = 2
_SPAN_BYTES: Final = 16 * 1024
"""So much counts as a span at least where spans are limited: a few huge ones fill a journal as well as many."""
_SMALLER: Final = "let the exporter send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)"


class _TooMany(Exception):
    """More spans than one request may hold."""


class Ingest:
    """Parse, count, hand on, and turn everything that can happen into an outcome.

    `limit`: bytes of one request; `counters`: where every request that comes this far is counted.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        limit: int = DEFAULT_LIMIT,
        now_ns: Callable[[], int] = time.time_ns,
        counters: IngestCounters | None = None,
    ) -> None:
        self.limit = limit
        self.counters = counters or IngestCounters()
        self._sink = sink
        self._now_ns = now_ns
        self._room = threading.BoundedSemaphore(_LARGE_AT_ONCE)

    def accept(
        self, body: bytes, encoding: Encoding, sender: Sender = ANONYMOUS, bucket: Bucket | None = None
    ) -> Outcome:
        """Take an uncompressed body.  Returns when it is safe where the sink put it, or with the reason why not.

        `bucket`: the rate limit of its sender.
        """
        if len(body) > self.limit_of(encoding):
            return self._counted(self.too_large(encoding))
        try:
            with self._admitted(len(body)):
                request = _parse(body, encoding)
                spans, rejected = _spans(request), _without_ids(request)
                if encoding == "json":
                    body = request.SerializeToString()
                del request
        except _TooMany:
            many = f"the request holds more than {MOST_SPANS:,} spans: {_SMALLER}"
            return self._counted(Outcome(Status.TOO_LARGE, many))
        except (ValueError, DecodeError) as error:
            told = f"the body is no OTLP trace export in {encoding}: {error}"
            return self._counted(Outcome(Status.UNDECODABLE, told))
        except Exception as error:  # noqa: BLE001  # the guard of this boundary, as below
            return self._counted(_fault(error))
        return self._within_its_rate(Entry(body, self._now_ns(), spans - rejected, sender), rejected, bucket)

    def accept_request(self, request: ExportTraceServiceRequest, sender: Sender = ANONYMOUS) -> Outcome:
        """Take a request that is parsed already."""
        try:
            rejected = _without_ids(request)
            entry = Entry(request.SerializeToString(), self._now_ns(), _spans(request) - rejected, sender)
        except Exception as error:  # noqa: BLE001  # the guard of this boundary, as below
            return self._counted(_fault(error))
        return self._within_its_rate(entry, rejected, None)

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

    def _within_its_rate(self, entry: Entry, rejected: int, bucket: Bucket | None) -> Outcome:
        """Hand on what the sender's limit admits; what is not taken for our own reasons does not count against it."""
        spans = entry.spans + rejected
        if bucket is None:
            return self._counted(self._hand_on(entry, rejected), spans)
        weight = max(spans, len(entry.body) // _SPAN_BYTES)
        standing = bucket.take(weight)
        if not standing.admitted:
            return self._counted(limited(standing))
        outcome = self._hand_on(entry, rejected)
        if outcome.status is not Status.STORED:
            bucket.give_back(weight)
        return self._counted(replace(outcome, standing=bucket.look()), spans)

    def _hand_on(self, entry: Entry, rejected: int) -> Outcome:
        try:
            refused = self._sink.take(entry) if entry.spans else 0
        except Overloaded as error:
            return Outcome(Status.UNAVAILABLE, str(error), retry_after=error.retry_after)
        except StoreError as error:
            return Outcome(Status.UNAVAILABLE, str(error), retry_after=5.0)
        except Exception as error:  # noqa: BLE001  # the one guard of this boundary: a fault of ours is an answer too
            return _fault(error)
        return Outcome(Status.STORED, _why_rejected(rejected, refused), rejected + refused)

    def _counted(self, outcome: Outcome, spans: int = 0) -> Outcome:
        self.counters.note(outcome, spans - outcome.rejected if outcome.status is Status.STORED else 0)
        return outcome


def _fault(error: Exception) -> Outcome:
    _log.error("an export was lost to a fault in otel-llm-cost: %s", logs.where(error))
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


def _without_ids(request: ExportTraceServiceRequest) -> int:
    return sum(
        not has_ids(span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


def _why_rejected(without_ids: int, refused: int) -> str:
    reasons = []
    if without_ids:
        reasons.append(f"{without_ids} spans have no valid trace id and span id")
    if refused:
        reasons.append(f"{refused} spans hold values that the store cannot take")
    return "; ".join(reasons)
