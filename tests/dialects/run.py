"""Runs every peer alone, each in an environment that `uv` makes for it, and compares the collector's rows to the truth.

    python -m tests.dialects.run            every peer
    python -m tests.dialects.run --quick    two of them
    python -m tests.dialects.run --only openlit --all

The program calls the emulator, the peer's spans go to a collector, and every row must say what the emulator served,
its cost to the pico-dollar.  Where a peer's span does not hold a fact, `losses` says so, and the run fails if that is
no longer so.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.store import Store

from .losses import LOSSES, Loss
from .road import Judged, ProgramFailed, travel
from .scenarios import QUICK, SCENARIOS, Scenario
from .truth import MONEY


def command(scenario: Scenario, python: str) -> list[str]:
    """The whole command; `DIALECTS_PYTHON_<peer>` names an interpreter that has the packages already."""
    program = ["-W", "ignore", "-m", "tests.dialects.program", scenario.peer, *scenario.vendors]
    ready = os.environ.get("DIALECTS_PYTHON_" + re.sub(r"\W", "_", scenario.name))
    if ready:
        return [ready, *program]
    uv = [os.environ.get("UV", "uv"), "run", "--quiet", "--isolated", "--no-project", "--python", python]
    return [*uv, *(part for package in scenario.packages for part in ("--with", package)), "python", *program]


def judge(cases: Sequence[Judged], losses: Sequence[Loss]) -> tuple[list[str], list[str]]:
    """Faults that nobody knew of, among them losses that are other than they were; and a line for each that stands."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        for fact, what in case.wrong.items():
            wrong.setdefault((case.told.vendor, fact), []).append(f"{case.told.case}, {fact}: {what}")
    new: list[str] = []
    known: list[str] = []
    for loss in losses:
        found = wrong.pop((loss.vendor, loss.fact), [])
        (known if len(found) == loss.times else new).append(f"{loss}")
        if len(found) != loss.times:
            new += [f"    now {len(found)} x: {line}" for line in found]
    new += [f"{vendor}, {line}" for (vendor, _), lines in wrong.items() for line in lines]
    return new, known


def run(scenario: Scenario, python: str, *, store: Store, book: PriceBook, everything: bool) -> bool:
    """Run one peer and say how it went; True where all is as it should be."""
    began = time.monotonic()
    try:
        cases = travel(command(scenario, python), scenario.name, scenario.environment, store, book)
    except ProgramFailed as failure:
        sys.stdout.write(f"FAIL {scenario.name}: the program did not run\n{failure}\n")
        return False
    new, known = judge(cases, LOSSES.get(scenario.name, ()))
    well = bool(cases) and not new
    right = sum(not MONEY & case.wrong.keys() for case in cases)
    facts = f"{len(cases)} cases, the money of {right} right, {sum(len(case.rows) for case in cases)} rows"
    lines = [f"{'ok  ' if well else 'FAIL'} {scenario.name} ({time.monotonic() - began:.0f} s): {facts}"]
    lines += [f"     not in the span: {line}" for line in known]
    lines += [f"     {line}" for line in new[: None if everything else 12]]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    return well


def main() -> int:
    """Exit code: 0 where every peer was understood as far as its spans go."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two peers only")
    parser.add_argument("--only", default="", help="peers whose name contains this")
    parser.add_argument("--all", action="store_true", help="everything that is wrong")
    parser.add_argument("--python", default="3.11", help="version of Python")
    parser.add_argument("--jobs", type=int, default=2, help="peers at a time")
    given = parser.parse_args()
    chosen = [each for each in SCENARIOS if given.only in each.name and (not given.quick or each.name in QUICK)]
    with Store.open("chdb://memory") as store, ThreadPoolExecutor(given.jobs) as pool:
        go = partial(run, python=given.python, store=store, book=load_book(), everything=given.all)
        well = list(pool.map(go, chosen))
    return 0 if well and all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
