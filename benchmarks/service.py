"""The collector as a process of its own, under load over loopback: what it takes, how fast it says so, what it keeps.

    python -m benchmarks.service                 # requests/s, latency of the acknowledgement, spans/s, bytes per call
    python -m benchmarks.service --soak 10       # so many minutes at half of that, and whether memory stays flat

`otel-llm-cost serve` runs on an embedded store in a folder of its own.  Bodies are made beforehand; each is sent once.
CPU is that of the collector's process (user and system), so "a core" is one second of it.  The senders share the
machine with it: wall-clock figures are those of a machine that does both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.collector import body

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_WAITING = "llm_cost_collector_journal_waiting_spans"
_HEADERS = {"Content-Type": "application/x-protobuf"}


@dataclass
class Running:
    """A collector that runs."""

    process: subprocess.Popen[bytes]
    port: int
    query_url: str
    folder: Path

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory(self) -> float:
        """MiB in RAM."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * _PAGE / 2**20

    def ask(self, sql: str) -> Any:
        with urlopen(f"{self.query_url}/?default_format=JSONCompact", sql.encode()) as answer:  # noqa: S310  # loopback
            return json.load(answer)["data"]

    def waiting(self) -> int:
        """Spans that are acknowledged and not stored."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            page = answer.read().decode()
        for line in page.splitlines():
            if line.startswith(_WAITING):
                return int(float(line.rsplit(" ", 1)[1]))
        raise RuntimeError("/metrics does not say what waits")

    def drained(self) -> None:
        while self.waiting():
            time.sleep(0.05)


@dataclass
class Sent:
    """What senders did."""

    seconds: float = 0.0
    spans: int = 0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


@contextmanager
def collector() -> Iterator[Running]:
    """A collector on an embedded store in a new folder."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        command = [sys.executable, "-m", "otel_llm_cost_exporter.cli", "serve", "--store", f"chdb://{folder}/db"]
        command += ["--http-port", "0", "--grpc-port", "0", "--query-port", "0", "--ready-file", str(folder / "ready")]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:  # noqa: S603  # ours
            while not (folder / "ready").exists():
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            told = json.loads((folder / "ready").read_text())
            try:
                yield Running(process, told["http_port"], told["query_url"], folder)
            finally:
                process.terminate()
                process.wait()


def send(port: int, bodies: Sequence[tuple[bytes, int]], senders: int, pace: float = 0.0) -> Sent:
    """Send every body once, from so many connections; `pace`: spans a second in all, 0 for as fast as it goes."""
    sent, lock, left = Sent(), threading.Lock(), iter(bodies)
    began = time.perf_counter()

    def sender() -> None:
        connection = HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                made = next(left, None)
                if made is None:
                    return
                due = began + sent.spans / pace if pace else 0.0
                sent.spans += made[1]
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            start = time.perf_counter()
            connection.request("POST", "/v1/traces", made[0], _HEADERS)
            answer = connection.getresponse()
            answer.read()
            with lock:
                sent.latencies.append(time.perf_counter() - start)
                sent.refused += answer.status != 200

    threads = [threading.Thread(target=sender) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.seconds = time.perf_counter() - began
    return sent


def _bodies(total: int, size: int) -> list[tuple[bytes, int]]:
    """Requests of so many spans; each call in them is another."""
    made = ExportTraceServiceRequest.FromString(body(size))
    spans = made.resource_spans[0].scope_spans[0].spans
    ids = [next(pair.value for pair in span.attributes if pair.key == "gen_ai.response.id") for span in spans]
    return [(_anew(made, spans, ids), size) for _ in range(max(1, total // size))]


def _anew(made: ExportTraceServiceRequest, spans: Any, ids: Sequence[Any]) -> bytes:
    now = time.time_ns()
    for span, response_id in zip(spans, ids, strict=True):
        span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
        span.start_time_unix_nano, span.end_time_unix_nano = now - 10**9, now
        response_id.string_value = f"chatcmpl-{os.urandom(12).hex()}"
    return bytes(made.SerializeToString())


def _load(running: Running, total: int, size: int, senders: int) -> dict[str, float]:
    bodies = _bodies(total, size)
    cpu, began = running.cpu, time.perf_counter()
    sent = send(running.port, bodies, senders)
    running.drained()
    took = time.perf_counter() - began
    assert sent.refused == 0
    return {
        "spans a request": size,
        "senders": senders,
        "requests/s acknowledged": round(len(bodies) / sent.seconds),
        "ack p50 ms": round(sent.percentile(0.5), 2),
        "ack p99 ms": round(sent.percentile(0.99), 2),
        "spans/s stored (wall)": round(sent.spans / took),
        "spans/s/core": round(sent.spans / (running.cpu - cpu)),
        "µs of CPU a span": round((running.cpu - cpu) / sent.spans * 1e6, 1),
        "MiB": round(running.memory),
    }


def measure(total: int) -> list[dict[str, float]]:
    """A line for each shape of load."""
    lines = []
    with collector() as running:
        send(running.port, _bodies(2_000, 200), 2)  # the first inserts load libraries
        running.drained()
        shapes = ((total // 10, 10, 1), (total // 5, 10, 32), (total, 512, 4), (total, 1_000, 4), (total, 10_000, 2))
        for many, size, senders in (*shapes, (total, 49_000, 2)):
            lines.append(_load(running, many, size, senders))
            print("  " + ", ".join(f"{name} {value:,}" for name, value in lines[-1].items()), flush=True)
        print(f"  {_per_call(running)}")
    return lines


def _per_call(running: Running) -> str:
    calls = int(running.ask("SELECT count() FROM llm_calls")[0][0])
    sizes = running.ask(
        "SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND table IN"
        " ('llm_calls', 'cost_hourly', 'call_keys') GROUP BY table ORDER BY table"
    )
    told = ", ".join(f"{table} {int(size) / calls:.0f}" for table, size in sizes)
    return f"{calls:,} calls stored; bytes a call on disk: {told}; {running.memory:,.0f} MiB in RAM"


def million(total: int = 1_000_000) -> None:
    """Memory while so many spans go through."""
    with collector() as running:
        before, most = running.memory, 0.0
        for _ in range(total // 50_000):
            send(running.port, _bodies(50_000, 1_000), 2)
            most = max(most, running.memory)
        running.drained()
        print(f"  {total:,} spans: {before:.0f} MiB at the start, {most:.0f} at most, {running.memory:.0f} at the end")
        print(f"  {_per_call(running)}")


def soak(minutes: float, pace: float) -> None:
    """A steady load; memory in the last quarter must be what it was in the one before, give or take a twentieth."""
    with collector() as running:
        end, samples, latencies, spans = time.monotonic() + 60 * minutes, [], [0.0], 0
        cpu = running.cpu
        while time.monotonic() < end:
            sent = send(running.port, _bodies(int(pace * 10), 500), 4, pace)
            assert sent.refused == 0
            spans += sent.spans
            latencies += sent.latencies
            samples.append(running.memory)
            left = running.waiting()
            print(
                f"  {spans:,} spans, {samples[-1]:.0f} MiB, {left:,} waiting, ack p99 {sent.percentile(0.99):.1f} ms",
                flush=True,
            )
        running.drained()
        assert int(running.ask("SELECT count() FROM llm_calls")[0][0]) == spans
        # the engine's merges come and go, and larger parts take more: so medians, of the third and the last quarter
        quarter = len(samples) // 4
        first, second = median(samples[2 * quarter : 3 * quarter]), median(samples[3 * quarter :])
        print(f"  {spans:,} spans stored, {(running.cpu - cpu) / spans * 1e6:.0f} µs of CPU a span;", end=" ")
        print(f"memory {first:.0f} MiB in the third quarter, {second:.0f} in the last, {max(samples):.0f} at most")
        assert second < 1.05 * first, "memory grows"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000, help="for each shape of load")
    parser.add_argument("--million", action="store_true", help="memory while a million spans go through")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--pace", type=float, default=4_000.0, help="spans a second of the soak")
    options = parser.parse_args()
    if options.soak:
        soak(options.soak, options.pace)
    elif options.million:
        million()
    else:
        measure(options.spans)


if __name__ == "__main__":
    main()
