"""Added microseconds per call and per chunk over the bare SDK, next to peers, in one interleaved run with no network.

    python -m benchmarks.instrumentation [--rounds 40] [--calls 40] [--json]

Every round runs each variant once, in random order, each in a process of its own, on the same answers from memory; a
variant's figure is the median over rounds of (variant − bare of the same round).  A chunk's figure is what a stream of
200 adds beyond a whole call, per chunk.  Spans and metrics are on, and thrown
away by a null exporter.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx2
import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

CHUNKS = 200
WORKLOADS = ("sync call", "async call", "sync stream", "async stream")
VARIANTS = {
    "bare": "",
    "otel-llm-cost": "otel_llm_cost.instrumentor:OpenAIInstrumentor",
    "opentelemetry-instrumentation-genai-openai": "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    "opentelemetry-instrumentation-openai": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
    "openinference-instrumentation-openai": "openinference.instrumentation.openai:OpenAIInstrumentor",
}
_HEAD = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06", "service_tier": "default"}
_USAGE = {"prompt_tokens": 120, "completion_tokens": 45, "total_tokens": 165}
_USAGE |= {"prompt_tokens_details": {"cached_tokens": 100}, "completion_tokens_details": {"reasoning_tokens": 30}}  # type: ignore[dict-item]
_ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Where is it?"}]}


class _Null(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


def _whole() -> bytes:
    message = {"role": "assistant", "content": "In Oslo. " * 20}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()


def _stream() -> list[bytes]:
    def event(choices: list[Any], usage: Any = None) -> bytes:
        body = {**_HEAD, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
        return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"

    def delta(content: str, finish: str | None = None) -> list[Any]:
        return [{"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": finish}]

    return [
        *(event(delta(" word")) for _ in range(CHUNKS)),
        event(delta("", "stop")),
        event([], _USAGE),
        b"data: [DONE]\n\n",
    ]


class _Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    parts = _stream()

    def __iter__(self) -> Any:
        return iter(self.parts)

    async def __aiter__(self) -> Any:
        for part in self.parts:
            yield part


def _answer(request: httpx2.Request) -> httpx2.Response:
    if b'"stream":true' in request.content.replace(b" ", b""):
        return httpx2.Response(200, stream=_Body(), headers={"content-type": "text/event-stream"})
    return httpx2.Response(200, content=_WHOLE, headers={"content-type": "application/json"})


_WHOLE = _whole()
_STREAM_ASK = {**_ASK, "stream": True, "stream_options": {"include_usage": True}}


def _workloads() -> dict[str, Callable[[int], None]]:
    transport = httpx2.MockTransport(_answer)
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))
    other = openai.AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=transport))
    loop = asyncio.new_event_loop()

    def sync_stream(calls: int) -> None:
        for _ in range(calls):
            _drain(client.chat.completions.create(**_STREAM_ASK))

    async def whole(calls: int) -> None:
        for _ in range(calls):
            await other.chat.completions.create(**_ASK)

    async def stream(calls: int) -> None:
        for _ in range(calls):
            await _adrain(await other.chat.completions.create(**_STREAM_ASK))

    return {
        "sync call": lambda n: _drain(client.chat.completions.create(**_ASK) for _ in range(n)),
        "async call": lambda n: loop.run_until_complete(whole(n)),
        "sync stream": sync_stream,
        "async stream": lambda n: loop.run_until_complete(stream(n)),
    }


def _drain(stream: Any) -> None:
    for _ in stream:
        pass


async def _adrain(stream: Any) -> None:
    async for _ in stream:
        pass


def worker(name: str) -> None:
    """Instrument this process as `name`, then run what each line of stdin asks for and answer with µs per call."""
    if VARIANTS[name]:
        tracer, meter = TracerProvider(), MeterProvider([InMemoryMetricReader()])
        tracer.add_span_processor(SimpleSpanProcessor(_Null()))
        module, _, kind = VARIANTS[name].partition(":")
        getattr(importlib.import_module(module), kind)().instrument(tracer_provider=tracer, meter_provider=meter)
    workloads = _workloads()
    for line in sys.stdin:
        workload, calls = json.loads(line)
        began = time.perf_counter()
        workloads[workload](calls)
        print((time.perf_counter() - began) / calls * 1e6, flush=True)


class _Worker:
    """One variant in a process of its own: instrumentations do not put everything back when switched off."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, "-m", "benchmarks.instrumentation", "--worker", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603

    def run(self, workload: str, calls: int) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([workload, calls]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.communicate()


def measure(rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """Call or chunk → variant → microseconds: what `bare` takes, and what each of the others adds."""
    workers = {name: _Worker(name) for name in VARIANTS if _installed(name)}
    took: dict[str, dict[str, list[float]]] = {w: {name: [] for name in workers} for w in WORKLOADS}
    for number in range(rounds + 2):
        for workload, times in took.items():
            repeat = max(2, calls // 8) if "stream" in workload else calls
            for name in random.sample(list(workers), len(workers)):
                elapsed = workers[name].run(workload, repeat)
                if number >= 2:
                    times[name].append(elapsed)
    for each in workers.values():
        each.stop()
    figures = {workload: _added(times) for workload, times in took.items()}
    for mode in ("sync", "async"):  # what a stream adds beyond its call, shared among its chunks
        call, stream = figures[f"{mode} call"], figures.pop(f"{mode} stream")
        added = {name: (stream[name] - call[name]) / CHUNKS for name in stream if name != "bare"}
        figures[f"{mode} chunk"] = {"bare": (stream["bare"] - call["bare"]) / CHUNKS, **added}
    return figures


def _installed(name: str) -> bool:
    return name == "bare" or bool(_version(name))


def _added(times: dict[str, list[float]]) -> dict[str, float]:
    bare = times["bare"]
    return {"bare": statistics.median(bare)} | {
        name: statistics.median(a - b for a, b in zip(taken, bare, strict=True))
        for name, taken in times.items()
        if name != "bare"
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", choices=list(VARIANTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    figures = measure(options.rounds, options.calls)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"openai {openai.__version__}; added µs (median of {options.rounds} paired rounds), metrics on, no network")
    for measured, row in figures.items():
        print(f"\n{measured} (bare {row['bare']:.0f} µs), added µs")
        for name, added in row.items():
            if name != "bare":
                print(f"  {name + ' ' + _version(name):55} {added:8.2f}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main()
