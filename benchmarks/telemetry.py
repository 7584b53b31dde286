"""Switches one variant on in the process it has for itself, as its users do, and keeps what it says meanwhile."""

from __future__ import annotations

import importlib
import logging
import os
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from benchmarks.peers import BARE, OURS, Variant


class Heard(logging.Handler):
    """The distinct warnings of a process, first lines only."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Count the line."""
        line = f"{record.name}: {record.getMessage()}".split("\n", 1)[0][:200]
        self.lines[line] = self.lines.get(line, 0) + 1


def start(variant: Variant, sdk: str, exporter: SpanExporter, *, sdk_spans: bool) -> Heard:
    """Instrument this process as `variant`; its spans go to `exporter`, its metrics nowhere.

    A global provider is set, as programs do, except for the bare SDK.  `sdk_spans` says whether the Anthropic SDK is
    left to emit spans of its own beside a peer's.
    """
    heard = Heard()
    logging.getLogger().addHandler(heard)
    if not (sdk_spans or variant.sdk_spans or variant is OURS):
        os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    if variant is BARE:
        return heard
    tracer, meter = TracerProvider(), MeterProvider([InMemoryMetricReader()])
    tracer.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracer)
    metrics.set_meter_provider(meter)
    for entry in variant.entries[sdk]:
        _switch_on(entry, tracer, meter, exporter)
    return heard


def _switch_on(entry: str, tracer: TracerProvider, meter: MeterProvider, exporter: SpanExporter) -> None:
    module, _, name = entry.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
        if hasattr(found, "instrument"):
            found().instrument(tracer_provider=tracer, meter_provider=meter)
        else:
            found(tracer, exporter)
    except Exception as exc:  # noqa: BLE001  # a peer that cannot be switched on is a result, not our failure
        logging.getLogger(__name__).warning("%s cannot be switched on: %s: %s", entry, type(exc).__name__, exc)


def openlit(_tracer: Any, _exporter: SpanExporter) -> None:
    """OpenLIT takes the global provider; its instrumentations of HTTP clients stay off."""
    http = ["httpx", "requests", "urllib", "urllib3", "aiohttp-client"]
    options = {"disable_events": True, "capture_message_content": False, "disabled_instrumentors": http}
    importlib.import_module("openlit").init(**options)


def langfuse(tracer: Any, exporter: SpanExporter) -> None:
    """Langfuse patches the OpenAI SDK when its wrapper is imported; spans go to our exporter, not to its server."""
    keys = {"public_key": "pk-lf-none", "secret_key": "sk-lf-none", "base_url": "http://127.0.0.1:9"}
    importlib.import_module("langfuse").Langfuse(**keys, tracer_provider=tracer, span_exporter=exporter)
    importlib.import_module("langfuse.openai")
