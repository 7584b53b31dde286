"""The collector's road inside the instrumented process.

    OTEL_TRACES_EXPORTER=llm_cost OTEL_LLM_COST_STORE=chdb:///./llm_cost.db opentelemetry-instrument python app.py

Spans are encoded as OTLP and go through the same `Ingest`, so the rows are those that a collector would write.  There
is no thread here but the caller's (a BatchSpanProcessor's), and the store is opened by the first export: a server that
loads the program and then forks its workers opens nothing before the fork.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .config import DEFAULT_STORE, STORE_VARIABLE, provider_hosts
from .pipeline import Pipeline
from .prices.data import load_book
from .receive.ingest import Ingest, Outcome, Status
from .store import Store, StoreError

_log = logging.getLogger(__name__)


class LLMCostSpanExporter(SpanExporter):
    """Prices LLM calls and writes them to the store named by `store`, else by OTEL_LLM_COST_STORE."""

    def __init__(self, store: str | None = None) -> None:
        self._dsn = store or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
        self._lock = threading.Lock()
        self._opened: tuple[Store, Ingest] | None = None
        self._pid = 0
        self._complained: set[str] = set()
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the calls among the spans; SUCCESS when they are stored."""
        with self._lock:
            if self._closed:
                return SpanExportResult.FAILURE
            try:
                outcome = self._ingest().accept_request(_encode(spans))
            except StoreError as error:
                outcome = Outcome(Status.UNAVAILABLE, str(error))
        if outcome.message:
            self._complain(outcome.message, len(spans))
        return SpanExportResult.SUCCESS if outcome.status is Status.STORED else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """True: an export returns only when its calls are stored, so nothing waits here."""
        del timeout_millis
        return True

    def shutdown(self) -> None:
        """Close the store; later exports fail."""
        with self._lock:
            self._closed = True
            if self._opened is not None and self._pid == os.getpid():
                self._opened[0].close()
            self._opened = None

    def _ingest(self) -> Ingest:
        if self._opened is None:
            store = Store.open(self._dsn)
            try:
                pipeline = Pipeline(store, load_book(), hosts=provider_hosts())
                pipeline.recall(store)
                self._opened = store, Ingest(pipeline)
            except BaseException:
                store.close()
                raise
            self._pid = os.getpid()
        elif self._pid != os.getpid():
            raise StoreError(
                "the process was forked after its first export, and an open store does not survive that. Fork before"
                " the first LLM call (gunicorn: without --preload), or send to a collector: otel-llm-cost serve."
            )
        return self._opened[1]

    def _complain(self, message: str, spans: int) -> None:
        """One clear line for each kind of trouble; the log is not filled by a store that stays away."""
        if message not in self._complained and len(self._complained) < 100:
            self._complained.add(message)
            _log.error("an export of %d spans went wrong: %s", spans, message)


def _encode(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """The spans as OTLP; where one of them cannot be encoded (half a surrogate pair), all but that one."""
    try:
        return encode_spans(spans)
    except (ValueError, TypeError):
        request = ExportTraceServiceRequest()
        for span in spans:
            try:
                request.MergeFrom(encode_spans([span]))
            except (ValueError, TypeError):
                _log.warning("span %r has an attribute that OTLP cannot carry, and is left out", span.name[:100])
        return request
