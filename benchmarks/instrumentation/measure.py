"""Interleaved, paired measuring.

Every round runs each variant once, in random order; a variant's figure is the median over rounds of (variant − bare of
the same round), so whatever slows the machine for a while slows both.  A chunk's figure is what a stream adds beyond a
whole call, shared among its chunks.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
from collections.abc import Iterable
from typing import Any, Final

from benchmarks.instrumentation.wire import CHUNKS
from benchmarks.peers import BARE, Variant, environ_of, python_of

WORKLOADS: Final = ("sync call", "async call", "sync stream", "async stream")
_WARM_UP: Final = 2

Figures = dict[str, dict[str, float]]
"""Measured thing → variant → microseconds: what `bare` takes, and what each of the others adds."""


class _Worker:
    """One variant's process."""

    def __init__(self, variant: Variant, sdk: str) -> None:
        command = [python_of(variant), "-m", "benchmarks.instrumentation.worker", variant.name, sdk]
        self._process = subprocess.Popen(  # noqa: S603
            command,
            env=environ_of(variant),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, workload: str, calls: int) -> list[float]:
        """Microseconds and spans per call; nothing when the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([workload, calls]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return []
        line = self._process.stdout.readline()
        return [float(each) for each in json.loads(line)] if line else []

    def stop(self) -> None:
        """Let it end, whatever state it is in."""
        self._process.kill()
        self._process.wait()


def measure(sdk: str, variants: Iterable[Variant], rounds: int, calls: int) -> tuple[Figures, dict[str, float]]:
    """The figures, and each variant's spans per call: one that emits none is cheap for a reason."""
    workers = {each.name: _Worker(each, sdk) for each in variants}
    spans: dict[str, float] = {}
    took: dict[str, dict[str, list[float]]] = {workload: {name: [] for name in workers} for workload in WORKLOADS}
    try:
        for number in range(rounds + _WARM_UP):
            for workload in WORKLOADS:
                repeat = max(2, calls // 8) if "stream" in workload else calls
                for name in random.sample(list(workers), len(workers)):
                    answer = workers[name].run(workload, repeat)
                    if not answer:
                        workers.pop(name).stop()
                    elif number >= _WARM_UP:
                        took[workload][name].append(answer[0])
                        spans[name] = answer[1]
    finally:
        for each in workers.values():
            each.stop()
    kept = {workload: {name: times[name] for name in workers} for workload, times in took.items()}
    return _per_chunk({workload: _added(times) for workload, times in kept.items()}), spans


def _added(times: dict[str, list[float]]) -> dict[str, float]:
    bare = times[BARE.name]
    return {BARE.name: statistics.median(bare)} | {
        name: statistics.median(a - b for a, b in zip(taken, bare, strict=True))
        for name, taken in times.items()
        if name != BARE.name
    }


def _per_chunk(figures: Figures) -> Figures:
    out: Any = {name: row for name, row in figures.items() if name.endswith("call")}
    for mode in ("sync", "async"):
        call, stream = figures[f"{mode} call"], figures[f"{mode} stream"]
        out[f"{mode} chunk"] = {name: (stream[name] - call[name]) / CHUNKS for name in stream}
    return dict(out)
