"""Spans as an SDK makes them."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .otlp import chat


def spans() -> list[ReadableSpan]:
    """A call, a failed one, one nobody prices, and something else."""
    kept = InMemorySpanExporter()
    resource = Resource({"service.name": "shop", "deployment.environment.name": "prod", "llm_cost.project": "p"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test", "1")
    for attributes in (
        chat(**{"gen_ai.response.finish_reasons": ["stop"], "llm_cost.feature": "answer"}),
        chat(**{"error.type": "timeout", "gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}),
        chat(**{"gen_ai.request.model": "nobody-1", "gen_ai.response.model": None}),
        {"http.request.method": "GET"},
    ):
        with tracer.start_as_current_span("x", attributes=attributes):
            pass
    provider.shutdown()
    return list(kept.get_finished_spans())
