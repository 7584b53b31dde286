"""Microseconds per span from OTLP bytes to stored and rolled-up rows, on an embedded store in memory.

    python -m benchmarks.collector [--rounds 5] [--json]

One process, one core: bytes → protobuf → calls → prices → columns → insert with the hourly rollup.  `decode` and
`price` are the parts of it that no store has a share in.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_llm_cost import attributes
from otel_llm_cost.record import Call, Request, Response, Tags, Usage
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.receive.ingest import Ingest, Status
from otel_llm_cost_exporter.store import Store

_MODELS = ("gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-5-mini-2025-08-07", "o4-mini", "text-embedding-3-small")


def body(spans: int) -> bytes:
    """An export request as our own instrumentation sends it, serialized."""
    now = time.time_ns()
    made = [
        Span(
            trace_id=os.urandom(16),
            span_id=os.urandom(8),
            name="chat",
            start_time_unix_nano=now - 10**9,
            end_time_unix_nano=now,
            attributes=[_pair(name, value) for name, value in attributes.encode(_call(number)).items()],
        )
        for number in range(spans)
    ]
    scope = ScopeSpans(spans=made)
    export = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])])
    return bytes(export.SerializeToString())


def _call(number: int) -> Call:
    model = _MODELS[number % len(_MODELS)]
    usage = Usage(
        input_tokens=1000 + number % 500,
        output_tokens=100 + number % 50,
        cache_read_input_tokens=800,
        reasoning_output_tokens=40,
    )
    return Call(
        request=Request(
            operation="chat",
            provider="openai",
            model=model,
            server_address="api.openai.com",
            api_type="chat_completions",
            max_tokens=512,
            temperature=0.5,
        ),
        response=Response(
            id=f"chatcmpl-{os.urandom(12).hex()}",
            model=model,
            finish_reasons=((0, "stop"),),
            service_tier="default",
            system_fingerprint="fp_1",
            usage=usage,
        ),
        tags=Tags(feature=f"feature-{number % 7}", user=f"u-{number % 300}"),
    )


def _pair(name: str, value: Any) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=name, value=AnyValue(double_value=value))
    return KeyValue(key=name, value=AnyValue(string_value=str(value)))


def measure(rounds: int) -> dict[int, dict[str, float]]:
    """Batch size → part → median µs per span."""
    book = load_book()
    figures: dict[int, dict[str, float]] = {}
    with Store.open("chdb://memory") as store:
        ingest = Ingest(Pipeline(store, book, patience=0.0))
        assert ingest.accept(body(100), "protobuf").status is Status.STORED  # the first insert loads libraries
        for spans in (100, 1_000, 10_000):
            figures[spans] = _median(lambda spans=spans: _once(ingest, book, body(spans), spans), rounds)  # type: ignore[misc]
    return figures


def _once(ingest: Ingest, book: Any, payload: bytes, spans: int) -> dict[str, float]:
    def timed(run: Callable[[], Any]) -> tuple[float, Any]:
        began = time.perf_counter()
        result = run()
        return (time.perf_counter() - began) / spans * 1e6, result

    parsed = ExportTraceServiceRequest.FromString(payload)
    decoding, decoded = timed(lambda: decode(parsed, time.time_ns()))
    pricing, _ = timed(lambda: [price(book, call) for call in decoded.calls])
    whole, outcome = timed(lambda: ingest.accept(payload, "protobuf"))
    assert outcome.status is Status.STORED
    return {"decode": decoding, "price": pricing, "bytes to rows": whole, "bytes per span": len(payload) / spans}


def _median(run: Callable[[], dict[str, float]], rounds: int) -> dict[str, float]:
    results = [run() for _ in range(rounds)]
    return {name: statistics.median(result[name] for result in results) for name in results[0]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.rounds)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"µs per span, median of {options.rounds}, embedded store in memory, one hourly rollup")
    for spans, row in figures.items():
        rate = 1e6 / row["bytes to rows"]
        parts = ", ".join(f"{name} {value:.1f}" for name, value in row.items())
        print(f"  {spans:6,} spans a request: {parts}; {rate:,.0f} spans/s")


if __name__ == "__main__":
    main()
