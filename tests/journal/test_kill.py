"""kill -9 in every phase: what was acknowledged is there, in its order, and is known when it is sent again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from otel_llm_cost_exporter.journal import PHASES, Journal

from .conftest import entry, numbers, waiting

_CHILD = """
import os, signal, sys, threading, time
from pathlib import Path
from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.journal import Journal

folder, phase, countdown, first, threads = Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
left = [countdown]

def at(now):
    if now == phase:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

journal = Journal(folder, segment_bytes=1_000, at=at)
sender = Sender("key-1", "shop", ("shop", "search"))

def say(word, *numbers):
    os.write(1, " ".join([word, *map(str, numbers)]).encode() + b"\\n")

def send(thread):
    for number in range(first + thread, first + 4_000, threads):
        journal.take(Entry(b"%d:" % number + b"x" * 100, time.time_ns(), 1, sender))
        say("taken", number)

for thread in range(threads):
    threading.Thread(target=send, args=(thread,), daemon=True).start()
while True:
    if journal.wait(1.0):
        read = journal.read(most_spans=4)
        stored = [int(one.body.split(b":")[0]) for one in read.entries]
        say("stored", *stored)
        journal.advance(read.end)
"""


def _killed(folder: Path, phase: str, countdown: int, first: int, threads: int) -> tuple[list[int], list[int]]:
    """What a process said was taken, and what it said was stored, before it was killed."""
    arguments = [str(folder), phase, *map(str, (countdown, first, threads))]
    run = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    said = [line.split(" ") for line in run.stdout.splitlines()]
    taken = [int(words[1]) for words in said if words[0] == "taken"]
    stored = [int(word) for words in said if words[0] == "stored" for word in words[1:]]
    return taken, stored


def _once(found: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("phase", PHASES)
def test_nothing_acknowledged_is_lost_and_nothing_is_written_twice(folder: Path, phase: str) -> None:
    taken, stored = _killed(folder, phase, countdown=7, first=0, threads=1)
    assert taken
    with Journal(folder) as journal:
        left = waiting(journal)
        assert _once([*stored, *left]) == list(range(max([*stored, *left]) + 1)), "in order, and none is missing"
        assert set(taken) <= {*stored, *left}
        assert journal.state().waiting.entries == len(left)
        assert journal.state().damaged == 0
        tail = journal.tail
        for number in taken:
            journal.take(entry(number, size=100))
        assert journal.tail == tail, "all that was acknowledged is known, stored and retired or not"


def _hunted(folder: Path, seed: int, rounds: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secret
    taken: set[int] = set()
    stored: list[int] = []
    for turn in range(rounds):
        phase = chance.choice(PHASES)
        told, done = _killed(folder, phase, chance.randint(1, 25), turn * 10_000, chance.choice((1, 4, 16)))
        taken.update(told)
        stored += done
    with Journal(folder) as journal:
        left: list[int] = []
        while journal.wait(0):
            read = journal.read(most_spans=50)
            left += numbers(read.entries)
            journal.advance(read.end)
        assert len(left) == len(set(left)), "what waits waits once"
        assert taken <= {*stored, *left}, f"seed {seed}"
        assert journal.state().damaged == 0


def test_a_folder_outlives_one_process_after_the_other(folder: Path) -> None:
    _hunted(folder, seed=1, rounds=4)


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(2, 14))
def test_a_folder_outlives_many_processes(folder: Path, seed: int) -> None:
    _hunted(folder, seed, rounds=15)
