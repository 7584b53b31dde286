"""An acknowledged call is stored and billed exactly once, whatever happens on the way.

Each schedule is drawn from a seed: requests, which are sent again (as they were, or their spans in other requests, or
late), lives of a collector that meet trouble and mostly end by SIGKILL, and a last life that is left in peace.  Then
every span that was acknowledged is there once, and the rollup holds to the last digit what the rows hold.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost_exporter import flush, journal
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.prices.data import load_book
from tests.exporter.otlp import chat, request, span

from .life import Life, Troubles, live

pytestmark = pytest.mark.integration

GROUPS, IN_A_GROUP = 8, 26
AIMED = 5
"""Schedules, in groups that may run beside each other."""
SEED = int(os.environ.get("LLM_COST_FAULT_SEED", "0")) or time.time_ns() % 10**9
KILLS = (*journal.PHASES, *flush.PHASES, "inserting")
TROUBLES = ("away", "lost", "view", "disk_full", "slow_disk", "freeze_full")
MODELS = ("gpt-4o-2024-08-06", "gpt-4o-mini", "o4-mini", "claude-sonnet-4-5")
BOOK = load_book()

Bodies = dict[int, tuple[bytes, int]]


@pytest.fixture(scope="session")
def processes() -> Any:
    """Processes that have imported everything, and never opened an engine before they are made."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.life"])
    return context


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_acknowledged_call_is_billed_once(group: int, tmp_path: Path, processes: Any) -> None:
    met: Counter[str] = Counter()

    def run(seed: str, kill: str, trouble: str = "") -> None:
        print(f"schedule {seed} (LLM_COST_FAULT_SEED={SEED} draws the same)")  # noqa: T201
        _run(random.Random(seed), kill, trouble, tmp_path / seed, processes, met)  # noqa: S311
        shutil.rmtree(tmp_path / seed)

    for number in range(IN_A_GROUP):
        run(f"{SEED}-{group}-{number}", KILLS[number % len(KILLS)])
    for kind, number in product((*KILLS, *TROUBLES), range(AIMED)):  # what chance has left out
        if not met[kind]:
            run(f"{SEED}-{group}-{kind}-{number}", kind if kind in KILLS else "", kind if kind in TROUBLES else "")
    assert {kind for kind in (*KILLS, *TROUBLES) if not met[kind]} == set(), "never happened, so nothing is shown"


def _run(draw: random.Random, kill: str, trouble: str, folder: Path, processes: Any, met: Counter[str]) -> None:
    folder.mkdir()
    spans, bodies = _requests(draw)
    left = list(bodies)
    draw.shuffle(left)
    acknowledged: set[int] = set()
    for life in _lives(draw, kill, trouble, left):
        told, exitcode = _live(folder, bodies, life, processes)
        acknowledged |= {what[1] for what in told if what[0] == "acknowledged"}
        met.update(what[1] for what in told if what[0] == "met")
        assert exitcode in (0, -signal.SIGKILL)
        met[life.troubles.kill_at] += exitcode == -signal.SIGKILL
    again = [number for number in bodies if number not in acknowledged]
    told, exitcode = _live(folder, bodies, Life(sends=again), processes, report=True)
    assert exitcode == 0
    acknowledged |= {what[1] for what in told if what[0] == "acknowledged"}
    assert acknowledged == set(bodies)
    (figures,) = [what[1] for what in told if what[0] == "report"]
    _judge(figures, spans)


def _judge(figures: Mapping[str, Any], spans: Sequence[Span]) -> None:
    assert figures["drained"]
    assert {row["span"]: row["n"] for row in figures["raw"]} == {one.span_id.hex(): 1 for one in spans}
    assert figures["rollup"] == figures["unique"]
    assert sum(row["cost"] for row in figures["rollup"]) == _expected(spans)


def _expected(spans: Sequence[Span]) -> Decimal:
    """The bill, worked out without any of the roads that are tested."""
    calls = decode(request(*spans), time.time_ns()).calls
    totals = [price(BOOK, call).total for call in calls]
    assert None not in totals
    return Decimal(sum(total for total in totals if total is not None)).scaleb(-12)


def _requests(draw: random.Random) -> tuple[list[Span], Bodies]:
    """Spans, and requests that hold each of them at least once: as they come, and again in other company."""
    spans = [_span(draw) for _ in range(draw.randrange(30, 120))]
    bodies = list(_cut(draw, spans))
    bodies += _cut(draw, draw.sample(spans, draw.randrange(0, len(spans))))
    return spans, {n: (request(*body).SerializeToString(), len(body)) for n, body in enumerate(bodies)}


def _span(draw: random.Random) -> Span:
    began = time.time_ns() - draw.choice((0, 0, 0, 3, 40)) * 86_400 * 10**9 - draw.randrange(10**9)
    told = {
        "gen_ai.request.model": (model := draw.choice(MODELS)),
        "gen_ai.response.model": model,
        "gen_ai.provider.name": "anthropic" if model.startswith("claude") else "openai",
        "gen_ai.usage.input_tokens": draw.randrange(1, 10_000),
        "gen_ai.usage.output_tokens": draw.randrange(1, 1_000),
    }
    ids = {"trace_id": draw.randbytes(16), "span_id": draw.randbytes(8)}
    times = {"start_time_unix_nano": began, "end_time_unix_nano": began + 10**8}
    return span(chat(**told), **ids, **times)


def _cut(draw: random.Random, spans: Sequence[Span]) -> Iterator[Sequence[Span]]:
    start = 0
    while start < len(spans):
        size = draw.randrange(1, 25)
        yield spans[start : start + size]
        start += size


def _lives(draw: random.Random, kill: str, trouble: str, left: Sequence[int]) -> Iterator[Life]:
    """Two lives that end badly, or would if they came that far; what was sent in the first may be sent again."""
    middle = draw.randrange(1, len(left) + 1)
    first, second = list(left[:middle]), list(left[middle:])
    second += draw.sample(first, draw.randrange(len(first) + 1))
    for sends, nth in ((first, 1), (second, draw.choice((1, 2)))):
        again = draw.choices(sends, k=draw.randrange(3)) if sends else []
        yield Life(sends=[*sends, *again], troubles=_troubles(draw, kill, nth, trouble))


def _troubles(draw: random.Random, kill: str, nth: int, trouble: str) -> Troubles:
    kind = trouble or draw.choice(TROUBLES)
    often: dict[str, Any] = {kind: draw.randrange(1, 3)}
    if kind == "slow_disk":
        often[kind] = 0.02
    return Troubles(kill_at=kill, kill_nth=nth, **often)


def _live(
    folder: Path, bodies: Bodies, life: Life, processes: Any, report: bool = False
) -> tuple[list[tuple[Any, ...]], int]:
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=live, args=(str(folder), bodies, life, theirs, report))
    process.start()
    theirs.close()
    told = []
    try:
        while True:
            told.append(ours.recv())
    except EOFError:
        pass
    process.join()
    return told, process.exitcode
