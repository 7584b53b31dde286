"""One variant on one SDK, in a process of its own: instrumentations do not put everything back when switched off.

    python -m benchmarks.instrumentation.worker VARIANT SDK

Each line of stdin asks for `[workload, calls]`; the answer is `[microseconds per call, spans per call]`.  They are
microseconds of the processor, of all threads: nothing here waits, and what else the machine does is not counted.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from benchmarks.peers import VARIANTS
from benchmarks.telemetry import start


class Counter(SpanExporter):
    """Throws spans away, and knows how many there were."""

    seen = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Count them."""
        self.seen += len(spans)
        return SpanExportResult.SUCCESS


def workloads(sdk: str) -> dict[str, Callable[[int], None]]:
    """Name → what does it so many times."""
    calls = importlib.import_module(f"benchmarks.instrumentation.calls_{sdk}")
    return _sync(calls, calls.client(asynchronous=False)) | _async(calls, calls.client(asynchronous=True))


def _sync(calls: Any, client: Any) -> dict[str, Callable[[int], None]]:
    def call(count: int) -> None:
        for _ in range(count):
            calls.whole(client)

    def stream(count: int) -> None:
        for _ in range(count):
            for _ in calls.stream(client):
                pass

    return {"sync call": call, "sync stream": stream}


def _async(calls: Any, client: Any) -> dict[str, Callable[[int], None]]:
    loop = asyncio.new_event_loop()

    async def call(count: int) -> None:
        for _ in range(count):
            await calls.whole(client)

    async def stream(count: int) -> None:
        for _ in range(count):
            async for _ in await calls.stream(client):
                pass

    return {
        "async call": lambda count: loop.run_until_complete(call(count)),
        "async stream": lambda count: loop.run_until_complete(stream(count)),
    }


def serve(variant: str, sdk: str, asked: TextIO, answers: TextIO) -> None:
    """Instrument this process, then do what is asked until no more is."""
    exporter = Counter()
    start(VARIANTS[variant], sdk, exporter, sdk_spans=False)
    does = workloads(sdk)
    for line in asked:
        workload, calls = json.loads(line)
        before = exporter.seen
        began = time.process_time()
        does[workload](calls)
        took: Any = (time.process_time() - began) / calls * 1e6
        print(json.dumps([took, (exporter.seen - before) / calls]), file=answers, flush=True)


if __name__ == "__main__":
    out, sys.stdout = sys.stdout, sys.stderr  # an SDK or a peer may print
    serve(sys.argv[1], sys.argv[2], sys.stdin, out)
