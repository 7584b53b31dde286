"""OpenTelemetry, broken: whatever a user's processors, samplers, exporters, tracers and meters can do wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult

SECRET = "a text that no log may hold"


class Fault(Exception):
    """What goes wrong."""


def fail(*_args: Any, **_kwargs: Any) -> NoReturn:
    """Stand in for anything."""
    raise Fault(SECRET)


class _FailsAtStart(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        fail()


class _FailsAtEnd(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        fail()


class _FailsToExport(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        fail()


class _FailsToSample(Sampler):
    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        fail()

    def get_description(self) -> str:
        return "fails"


class _Drops(Sampler):
    """Records some spans and drops the rest, by turns."""

    def __init__(self) -> None:
        self.count = 0

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.count += 1
        return SamplingResult(Decision.RECORD_AND_SAMPLE if self.count % 2 else Decision.DROP)

    def get_description(self) -> str:
        return "drops"


class _BrokenSpan(trace.NonRecordingSpan):
    """A span of which nothing works but its identity."""

    set_attribute = set_attributes = add_event = set_status = update_name = record_exception = end = fail


class _BrokenTracer(trace.NoOpTracer):
    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
        return _BrokenSpan(trace.SpanContext(1, 2, is_remote=False))


class _FailingTracer(trace.NoOpTracer):
    start_span = fail


class _Provider(trace.TracerProvider):
    def __init__(self, tracer: trace.Tracer) -> None:
        self.tracer = tracer

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return self.tracer


class _BrokenHistogram(metrics.NoOpHistogram):
    record = fail


class _BrokenMeter(metrics.NoOpMeter):
    def create_histogram(self, name: str, *args: Any, **kwargs: Any) -> metrics.Histogram:
        return _BrokenHistogram(name)


class _BrokenMeters(metrics.NoOpMeterProvider):
    def get_meter(self, name: str, *args: Any, **kwargs: Any) -> metrics.Meter:
        return _BrokenMeter(name)


def _processed(processor: SpanProcessor) -> dict[str, Any]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return {"tracer_provider": provider}


def telemetry() -> dict[str, dict[str, Any]]:
    """What is broken → the arguments of `instrument()` that make it so."""
    everything = {"tracer_provider": _Provider(_BrokenTracer()), "meter_provider": _BrokenMeters()}
    return {
        "on_start raises": _processed(_FailsAtStart()),
        "on_end raises": _processed(_FailsAtEnd()),
        "the exporter raises": _processed(SimpleSpanProcessor(_FailsToExport())),
        "the sampler raises": {"tracer_provider": TracerProvider(sampler=_FailsToSample(), shutdown_on_exit=False)},
        "the sampler drops": {"tracer_provider": TracerProvider(sampler=_Drops(), shutdown_on_exit=False)},
        "sampling is off": {"tracer_provider": TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)},
        "the provider was shut down": _shut_down(),
        "the provider does nothing": {"tracer_provider": trace.NoOpTracerProvider()},
        "the tracer raises": {"tracer_provider": _Provider(_FailingTracer())},
        "the span raises": {"tracer_provider": _Provider(_BrokenTracer())},
        "the histogram raises": {"meter_provider": _BrokenMeters()},
        "everything raises, content asked for": {**everything, "capture_content": "span_and_event"},
    }


def _shut_down() -> dict[str, Any]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.shutdown()
    return {"tracer_provider": provider}
