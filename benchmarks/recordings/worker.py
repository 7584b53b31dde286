"""One variant on one SDK, in a process of its own: every recording again, in every mode, with what came of it.

    python -m benchmarks.recordings.worker --variant NAME --sdk openai --jobs FILE --out FILE sync async …

`--out` gets a line per call: the outcome and a digest of what the program got, what went over the wire, the spans.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import gc
import hashlib
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.peers import BARE, VARIANTS
from benchmarks.recordings.exchange import Job, load
from benchmarks.recordings.flow import MODES, Mode, NotDriven, run
from benchmarks.recordings.wire import Wire
from benchmarks.telemetry import start


def _result(items: list[Any]) -> str:
    """What the program got, in few bytes: the types, and a digest of all they hold."""
    digest = hashlib.sha256()
    for item in items:
        dump = getattr(item, "model_dump_json", None)
        digest.update(f"{type(item).__name__} {dump(warnings=False) if dump else item!r}\n".encode())
    kinds = sorted({type(item).__name__ for item in items})
    return f"{len(items)} {'/'.join(kinds)} {digest.hexdigest()[:16]}"


def _shown(span: ReadableSpan) -> dict[str, Any]:
    scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
    return {
        "name": span.name,
        "scope": scope,
        "status": span.status.status_code.name,
        "attributes": {k: list(v) if isinstance(v, tuple) else v for k, v in (span.attributes or {}).items()},
    }


class _Replay:
    """One mode on one SDK."""

    def __init__(self, variant: str, sdk: str, name: str, memory: InMemorySpanExporter, out: TextIO) -> None:
        self._name, mode = name, MODES[name]
        self._watched = variant != BARE.name
        self._wire, self._memory, self._out = Wire(), memory, out
        self._loop = asyncio.new_event_loop() if mode.asynchronous else None
        self._drive = importlib.import_module(f"benchmarks.recordings.drive_{sdk}").Driver(self._wire, mode)
        self._mode: Mode = mode

    def __call__(self, job: Job) -> None:
        """Send one recording and write the line."""
        if self._mode.way == "early" and not job.is_cuttable:
            return
        self._wire.now, self._wire.sent = job.exchange, []
        given, failed = copy.deepcopy(job.exchange.request), True
        try:
            asked = Job(job.row, replace(job.exchange, request=given))
            outcome = _result(run(self._drive(asked), self._loop))
            failed = False
        except NotDriven as exc:
            outcome = f"not driven: {exc}"
        except Exception as exc:  # noqa: BLE001  # whatever the SDK raises is the outcome
            outcome = f"{type(exc).__module__}.{type(exc).__name__} {getattr(exc, 'status_code', '')} {exc}"[:300]
        late = bool(job.row["streaming"]) and self._watched and not self._memory.get_finished_spans()
        if late:
            gc.collect()  # a span that ends only when its stream is collected must not be taken for the next call's
        spans = [_shown(span) for span in self._memory.get_finished_spans()]
        self._memory.clear()
        line = {
            "mode": self._name,
            "id": job.id,
            "failed": failed,
            "outcome": outcome,
            "sent": self._wire.sent,
            "late": late and bool(spans),
            "arguments kept": given == job.exchange.request,
            "spans": spans,
        }
        self._out.write(json.dumps(line, default=str) + "\n")

    def close(self) -> None:
        """Let what is left of streams end."""
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


def main() -> None:
    """Replay, then write what the variant said into the log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--sdk", required=True)
    parser.add_argument("--jobs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("modes", nargs="+", choices=list(MODES))
    options = parser.parse_args()
    memory = InMemorySpanExporter()
    heard = start(VARIANTS[options.variant], options.sdk, memory, sdk_spans=True)
    jobs = list(load(options.jobs))
    gc.freeze()  # what is here already stays: collecting is cheap from now on
    with options.out.open("w") as out:
        for name in options.modes:
            replay = _Replay(options.variant, options.sdk, name, memory, out)
            for job in jobs:
                replay(job)
            replay.close()
        out.write(json.dumps({"heard": heard.lines}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
