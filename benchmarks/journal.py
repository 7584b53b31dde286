"""What it costs to journal a request before it is acknowledged: `python -m benchmarks.journal [folder]`.

The folder should be on the disk that is to be judged.  The same bytes are written by a bare write and fdatasync, one
request after the other, which is what a lone sender cannot beat and many senders together can.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.journal import Journal

SENDERS = 32
SENDER = Sender("key-1", "shop", ("shop", "search"))
SHAPES = ((10, 6_000, 1_500), (512, 300_000, 300))
"""Spans of a request, its bytes, and how many are sent."""


def _entries(spans: int, size: int, count: int) -> list[Entry]:
    chance = random.Random(spans)  # noqa: S311  # no secret
    return [Entry(chance.randbytes(size), time.time_ns(), spans, SENDER) for _ in range(count)]


def _timed(call: Callable[[Entry], object], entries: list[Entry], times: list[float]) -> None:
    for entry in entries:
        start = time.perf_counter()
        call(entry)
        times.append(time.perf_counter() - start)


def _together(call: Callable[[Entry], object], entries: list[Entry], senders: int) -> tuple[list[float], float]:
    """The seconds of each call, and of all of them."""
    times: list[float] = []
    shares = [entries[first::senders] for first in range(senders)]
    threads = [threading.Thread(target=_timed, args=(call, share, times)) for share in shares]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, time.perf_counter() - start


def _tell(what: str, entries: list[Entry], times: list[float], whole: float, cpu: float, bare: float) -> None:
    times.sort()
    p50, p99 = (1000 * times[int(len(times) * share)] for share in (0.5, 0.99))
    megabytes = sum(len(entry.body) for entry in entries) / 1e6
    print(
        f"  {what:<22} p50 {p50:7.2f} ms  p99 {p99:7.2f} ms  {megabytes / whole:7.1f} MB/s"
        f"  {1000 * cpu / len(entries):6.3f} ms CPU a request  {whole / bare:5.2f} × bare"
    )


def _bare(folder: Path, entries: list[Entry]) -> float:
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(entry: Entry) -> None:
        os.write(descriptor, entry.body)
        os.fdatasync(descriptor)

    cpu = time.process_time()
    times, whole = _together(write, entries, 1)
    _tell("bare write, fdatasync", entries, times, whole, time.process_time() - cpu, whole)
    os.close(descriptor)
    return whole


def _journal(folder: Path, entries: list[Entry], senders: int, bare: float) -> None:
    with Journal(folder / f"journal-{senders}") as journal:
        cpu = time.process_time()
        times, whole = _together(journal.take, entries, senders)
        cpu = time.process_time() - cpu
        syncs = journal.state().syncs
        start = time.perf_counter()
        while journal.wait(0):
            journal.advance(journal.read(most_spans=50_000).end)
        reading = time.perf_counter() - start
    _tell(f"{senders} sender{'s' * (senders > 1)}", entries, times, whole, cpu, bare)
    print(f"  {'':<22} {len(entries) / syncs:.1f} requests a sync; read and let go in {reading:.2f} s")


def main(where: str | None = None) -> None:
    for spans, size, count in SHAPES:
        print(f"{count} requests of {spans} spans, {size / 1000:g} kB each")
        with tempfile.TemporaryDirectory(dir=where) as made:
            folder = Path(made)
            bare = _bare(folder, _entries(spans, size, count))
            for senders in (1, SENDERS):
                _journal(folder, _entries(spans, size, count), senders, bare)


if __name__ == "__main__":
    main(*sys.argv[1:2])
