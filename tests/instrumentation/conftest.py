"""Spans and metrics of one test, in memory."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from otel_llm_cost.instrumentor import OpenAIInstrumentor


class Collected(SpanProcessor):
    """Keeps ended spans and lets a test wait for one."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self._arrived = threading.Condition()

    def on_end(self, span: ReadableSpan) -> None:
        """Called by the SDK."""
        with self._arrived:
            self.spans.append(span)
            self._arrived.notify_all()

    def wait(self, count: int = 1) -> list[ReadableSpan]:
        """The spans, as soon as there are `count` of them."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.spans) >= count, timeout=10), f"{len(self.spans)} spans"
            return list(self.spans)


@dataclass
class Seen:
    """What the instrumentation reported."""

    collected: Collected
    reader: InMemoryMetricReader
    provider: TracerProvider
    meters: MeterProvider

    @property
    def spans(self) -> list[ReadableSpan]:
        """Every span that has ended."""
        return self.collected.spans

    @property
    def span(self) -> ReadableSpan:
        """The only span."""
        assert len(self.spans) == 1, [s.name for s in self.spans]
        return self.spans[0]

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the only span."""
        return dict(self.span.attributes or {})

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], int, float]]]:
        """Histogram name → points as (labels, count, sum)."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: [(dict(p.attributes or {}), p.count, p.sum) for p in metric.data.data_points]  # type: ignore[union-attr]  # all are histograms
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def watching(*instrumentors: type[Any], **settings: Any) -> Iterator[Seen]:
    """The SDKs instrumented, with what is reported kept in memory."""
    collected, reader = Collected(), InMemoryMetricReader()
    provider, meters = TracerProvider(), MeterProvider([reader])
    provider.add_span_processor(collected)
    for instrumentor in instrumentors:
        instrumentor().instrument(tracer_provider=provider, meter_provider=meters, **settings)
    try:
        yield Seen(collected, reader, provider, meters)
    finally:
        for instrumentor in instrumentors:
            instrumentor().uninstrument()
        provider.shutdown()
        meters.shutdown()


@pytest.fixture
def seen() -> Iterator[Seen]:
    """The OpenAI SDK instrumented for the length of a test."""
    with watching(OpenAIInstrumentor) as seen:
        yield seen


@pytest.fixture(autouse=True)
def _what_is_there_already() -> Iterator[None]:
    """None of it is the test's, and a test that calls the garbage collector need not have it searched."""
    gc.freeze()
    yield
    gc.unfreeze()
