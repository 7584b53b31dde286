"""`make recordings`: every recorded call again, through ours and through peers, scored field by field.

    LLM_RECORDINGS=folder python -m benchmarks.recordings [--sdk openai …] [--mode sync …] [--no-peers]

Ends with 1 when ours is exact in fewer than `--bar` of the calls of an SDK, or misses what may never be missed (one
billable span, error class and status, nothing invented, the program's result and its request as without us), or has no
price for a model whose price is public.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers import (
    ABSENT,
    BARE,
    OURS,
    SDKS,
    VARIANTS,
    Variant,
    chosen,
    environ_of,
    label,
    python_of,
    requirements,
)
from benchmarks.recordings.exchange import Job, save
from benchmarks.recordings.flow import MODES
from benchmarks.recordings.index import jobs
from benchmarks.recordings.prices import bills
from benchmarks.recordings.score import ALL_FIELDS, Score, compare
from benchmarks.recordings.table import costs, misses, table, unexplained, unpriced

_USUAL = ("sync", "async", "helper", "early")


@dataclass(frozen=True)
class Run:
    """What one variant did on one SDK: (mode, recording) → the call."""

    calls: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    failed: str = ""


def replay(variant: Variant, sdk: str, modes: list[str], folder: Path) -> Run:
    """Run a variant in its own environment and process."""
    out = folder / f"{sdk}.{variant.name}.out"
    arguments = ["--variant", variant.name, "--sdk", sdk, "--jobs", str(folder / f"{sdk}.jobs"), "--out", str(out)]
    try:
        command = [python_of(variant), "-m", "benchmarks.recordings.worker", *arguments, *modes]
        subprocess.run(command, env=environ_of(variant), check=True, capture_output=True, text=True)  # noqa: S603
    except subprocess.CalledProcessError as failed:
        return Run(failed=(failed.stderr or str(failed)).strip().rpartition("\n")[2])
    run = Run()
    for line in map(json.loads, out.read_text().splitlines()):
        if "heard" in line:
            run.heard.update(line["heard"])
        else:
            run.calls[line["mode"], line["id"]] = line
    return run


def scored(jobs_of: list[Job], name: str, run: Run, bare: Run, mode: str) -> Score:
    """One variant in one mode."""
    score = Score(strict=name == OURS.name, sdk_spans=VARIANTS[name].sdk_spans)
    for job in jobs_of:
        call = run.calls.get((mode, job.id))
        if call is not None:
            compare(score, job, call, bare.calls.get((mode, job.id)))
    return score


def report(sdk: str, jobs_of: list[Job], runs: dict[str, Run], modes: list[str], bar: float) -> bool:
    """Print what came of one SDK; True when ours is good enough."""
    good = True
    for mode in modes:
        scores = {
            name: scored(jobs_of, name, run, runs[BARE.name], mode) for name, run in runs.items() if name != BARE.name
        }
        print("\n" + table(f"{SDKS[sdk]}, {mode}: exact/wrong/missing", scores))
        ours = scores[OURS.name]
        print("\n".join(misses(ours)))
        share = ours.share(ALL_FIELDS)
        good = good and not unexplained(ours) and (share is None or share >= bar) and bool(ours.counts)
    good = _prices(SDKS[sdk], runs[OURS.name]) and good
    for name, run in runs.items():
        lines = [run.failed] if run.failed else [f"{count} × {line}" for line, count in run.heard.items()]
        for line in lines[:4] if name != BARE.name else []:
            print(f"  {name} said: {line}")
    return good


def _prices(title: str, ours: Run) -> bool:
    """Print what the calls of the first mode cost; True when no public price is missing."""
    first = next(iter(ours.calls), ("", ""))[0]
    spans = [span["attributes"] for (mode, _), call in ours.calls.items() if mode == first for span in call["spans"]]
    billed = bills(spans)
    print("\n" + costs(title, billed))
    return not unpriced(billed)


def skipped(jobs_of: list[Job], bare: Run, mode: str) -> Iterator[str]:
    """What was not sent at all, and why."""
    for job in jobs_of:
        call = bare.calls.get((mode, job.id))
        if call is not None and not call["sent"]:
            yield f"  not sent: {job.id}: {call['outcome'][:110]}"


def main() -> int:
    """Replay and print; see the module."""
    options = _options()
    root = Path(os.environ.get("LLM_RECORDINGS") or ".")
    if not (root / "index.jsonl").exists():
        print("LLM_RECORDINGS names no folder with recordings (index.jsonl): nothing replayed")
        return 2
    good = True
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        for sdk in options.sdk:
            jobs_of = jobs(root, sdk, options.limit)
            save(jobs_of, Path(folder) / f"{sdk}.jobs")
            variants = chosen(sdk, peers=not options.no_peers)
            print(f"\n{'=' * 8} {SDKS[sdk]}: {len(jobs_of)} recordings")
            for each in variants:
                print(f"  {each.name:14} {label(each, sdk)}; {', '.join(requirements(each)) if each.packages else ''}")
            for name, why in ABSENT.get(sdk, {}).items():
                print(f"  {name:14} cannot be measured: {why}")
            did = pool.map(lambda each, sdk=sdk: replay(each, sdk, options.mode, Path(folder)), variants)
            runs = {each.name: run for each, run in zip(variants, did, strict=True)}
            print("\n".join(skipped(jobs_of, runs[BARE.name], options.mode[0])))
            good = report(sdk, jobs_of, runs, options.mode, options.bar) and good
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bar", type=float, default=0.99, help="share of calls that must be exact in all fields")
    parser.add_argument("--sdk", action="append", choices=list(SDKS))
    parser.add_argument("--mode", action="append", choices=list(MODES))
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    options.sdk = options.sdk or list(SDKS)
    options.mode = options.mode or list(_USUAL)
    return options


if __name__ == "__main__":
    sys.exit(main())
