"""What the road costs from OTLP bytes to stored and rolled-up rows, on one core and an embedded store.

    python -m benchmarks.collector [--rounds 5] [--json] [--million]

One process and one batch at a time: bytes → calls → judged and priced → columns → block → insert, with every rollup,
and the store asked about every batch as a collector does.  Times are CPU time of all threads, the engine's too, so
that spans a second are those of one core.  `--million` sends a million spans and tells what the process has grown to.
The journal in front of this road has a benchmark of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_llm_cost import attributes
from otel_llm_cost.record import Call, Request, Response, Tags, Usage
from otel_llm_cost_exporter.commit import Block
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import decode_body
from otel_llm_cost_exporter.dedupe import Window
from otel_llm_cost_exporter.gc_pause import paused, settle
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.recall import kept
from otel_llm_cost_exporter.rows import TABLE, PricedCall, to_columns
from otel_llm_cost_exporter.store import Store

SIZES: Final = (1_000, 10_000, 50_000)
_MODELS: Final = ("gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-5-mini-2025-08-07", "o4-mini", "text-embedding-3-small")
_WINDOW: Final = 100_000
_ON_DISK: Final = """
    SELECT sum(bytes_on_disk) / (SELECT count() FROM llm_calls) AS bytes
    FROM system.parts
    WHERE active AND database = currentDatabase() AND (table = {table:String} OR {table:String} = '')
"""


class Bodies:
    """Export requests as our own instrumentation sends them, serialized; every call in them is a new one."""

    def __init__(self, spans: int) -> None:
        made = [
            Span(name="chat", attributes=[_pair(n, v) for n, v in attributes.encode(_call(number)).items()])
            for number in range(spans)
        ]
        scope = ScopeSpans(scope=InstrumentationScope(name="otel_llm_cost"), spans=made)
        self._export = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope])])

    def __next__(self) -> bytes:
        now = time.time_ns()
        for span in self._export.resource_spans[0].scope_spans[0].spans:
            span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
            span.start_time_unix_nano, span.end_time_unix_nano = now - 10**9, now
            for pair in span.attributes:
                if pair.key == "gen_ai.response.id":
                    pair.value.string_value = f"chatcmpl-{os.urandom(12).hex()}"
        return bytes(self._export.SerializeToString())

    def __iter__(self) -> Iterator[bytes]:
        return self


def body(spans: int) -> bytes:
    """One such request."""
    return next(Bodies(spans))


def _call(number: int) -> Call:
    model = _MODELS[number % len(_MODELS)]
    embeds = "embedding" in model
    usage = Usage(
        input_tokens=1000 + number % 500,
        output_tokens=None if embeds else 100 + number % 50,
        cache_read_input_tokens=None if embeds else 800,
        reasoning_output_tokens=None if embeds else 40,
    )
    return Call(
        request=Request(
            operation="embeddings" if embeds else "chat",
            provider="openai",
            model=model,
            server_address="api.openai.com",
            api_type="chat_completions",
            max_tokens=512,
            temperature=0.5,
        ),
        response=Response(
            id="chatcmpl-",
            model=model,
            finish_reasons=None if embeds else ((0, "stop"),),
            service_tier="default",
            system_fingerprint="fp_1",
            usage=usage,
        ),
        tags=Tags(feature=f"feature-{number % 7}", user=f"u-{number % 300}"),
    )


def _pair(name: str, value: Any) -> KeyValue:
    return KeyValue(key=name, value=_any(value))


def _any(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))


def measure(rounds: int) -> dict[str, Any]:
    """Batch size → part → median µs of CPU per span; and the bytes that a call takes on disk."""
    parts: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, Store.open(f"chdb://{Path(folder) / 'store'}") as store:
        road = _Road(store)
        road.go(body(100), 100)  # the first insert loads libraries
        settle()
        for spans in SIZES:
            bodies = Bodies(spans)
            figures = [road.go(next(bodies), spans) for _ in range(rounds)]
            parts[spans] = {name: statistics.median(one[name] for one in figures) for name in figures[0]}
        store.command("OPTIMIZE TABLE llm_calls FINAL")
        stored = {table or "all": store.query(_ON_DISK, {"table": table})[0]["bytes"] for table in (TABLE, "")}
    return {"µs a span": parts, "bytes a call": stored}


class _Road:
    """The steps of `Pipeline`, each timed."""

    def __init__(self, store: Store) -> None:
        self._store, self._book, self._window = store, load_book(), Window(_WINDOW)

    def go(self, payload: bytes, spans: int) -> dict[str, float]:
        """µs a span by part, and `in all` with what is between them."""
        told: dict[str, float] = {}

        def timed(name: str, run: Callable[[], Any]) -> Any:
            began = time.process_time()
            result = run()
            told[name] = (time.process_time() - began) / spans * 1e6
            return result

        with paused():
            timed("in all", lambda: self._steps(payload, timed))
        return told

    def _steps(self, payload: bytes, timed: Callable[[str, Callable[[], Any]], Any]) -> None:
        store, book, window = self._store, self._book, self._window
        calls = timed("decode", lambda: decode_body(payload, time.time_ns())).calls
        timed("ask", lambda: kept(store, window.strangers(calls)))
        judged = timed("judge", lambda: window.judge(calls))
        priced = timed("price", lambda: [PricedCall(call, price(book, call), why) for call, why in judged.kept])
        columns = timed("columns", lambda: to_columns(priced))
        block = timed("encode", lambda: Block(tuple(columns), store.encode(TABLE, columns), len(priced)))
        timed("insert", lambda: store.insert_block(TABLE, block.names, block.content, block.token))
        timed("remember", lambda: window.remember(judged.kept))


def million() -> dict[str, float]:
    """What a process has grown to, in MiB, before its first batch and after so many spans in batches of 10,000."""
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, Store.open(f"chdb://{Path(folder) / 'store'}") as store:
        pipeline, bodies = Pipeline(store, load_book()), Bodies(10_000)
        pipeline.recall(store)
        for sent in range(0, 1_000_001, 10_000):
            if sent in (0, 200_000, 1_000_000):
                told[f"{sent:,}"] = _resident()
            with paused():
                assert pipeline.write(decode_body(next(bodies), time.time_ns()).calls) == 0
    return told


def _resident() -> float:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--million", action="store_true", help="memory at a million spans, which takes a minute")
    options = parser.parse_args()
    if options.million:
        figures: dict[str, Any] = {"MiB at spans": million()}
    else:
        figures = measure(options.rounds)
    if options.json:
        print(json.dumps(figures))
    elif options.million:
        print(", ".join(f"{sent} spans: {size:,.0f} MiB" for sent, size in figures["MiB at spans"].items()))
    else:
        _show(figures, options.rounds)


def _show(figures: dict[str, Any], rounds: int) -> None:
    table = figures["µs a span"]
    print(f"µs of CPU a span, median of {rounds}, embedded store on disk with all its rollups")
    print(f"{'spans a batch':>15}" + "".join(f"{spans:>10,}" for spans in table))
    for name in next(iter(table.values())):
        print(f"{name:>15}" + "".join(f"{row[name]:>10.1f}" for row in table.values()))
    print(f"{'spans/s/core':>15}" + "".join(f"{1e6 / row['in all']:>10,.0f}" for row in table.values()))
    for what, size in figures["bytes a call"].items():
        print(f"bytes a call on disk, {what}: {size:.0f}")


if __name__ == "__main__":
    main()
