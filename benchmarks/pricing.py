"""What pricing a call costs, and how often it is right: ours beside genai-prices and litellm.

    python -m benchmarks.pricing [--rounds 30] [--no-litellm]

Every library runs in a process of its own, warm (models looked up before, cards compiled), and the rounds are
interleaved, so that a slow minute of the machine is everybody's; the fastest round counts.  litellm needs an older
openai than ours and has an environment of its own, made by uv.  tests/pricing/golden.json says what is right; a wrong
answer with no word of doubt is a silent one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parents[1]
_WORKER: Final = Path(__file__).with_name("price_libraries.py")
_LITELLM: Final = "litellm==1.106.2"
_GOLDEN: Final = ROOT / "tests" / "pricing" / "golden.json"
_LOOPS: Final = {"ours": 3000, "genai-prices": 150, "litellm": 150}
_AIM_US: Final = 5
_NEAR: Final = Decimal("1e-10")
"""USD; libraries that compute in floats may be this far off and are right."""


def _call(provider: str, model: str, **usage: int) -> dict[str, Any]:
    return {"provider": provider, "model": model, "usage": usage, "context": {}, "date": "2026-11-01", "timed": True}


CALLS: Final = {
    "input and output": _call("openai", "gpt-4o", input_tokens=1200, output_tokens=300),
    "cached, reasoning": _call(
        "openai",
        "gpt-5",
        input_tokens=10_000,
        output_tokens=1000,
        cache_read_input_tokens=8000,
        reasoning_output_tokens=600,
    ),
    "two cache lifetimes": _call(
        "anthropic",
        "claude-sonnet-4-6",
        input_tokens=53_000,
        output_tokens=500,
        cache_read_input_tokens=50_000,
        cache_write_5m_input_tokens=1500,
        cache_write_1h_input_tokens=500,
        cache_write_input_tokens=2000,
    ),
    "long prompt's tier": _call(
        "openai", "gpt-5.4", input_tokens=300_000, output_tokens=1000, cache_read_input_tokens=8000
    ),
}


class Worker:
    """One library in its own process."""

    def __init__(self, name: str) -> None:
        self.name = name
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(  # noqa: S603  # our own worker
            [*_python(name), str(_WORKER), name],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def order(self, **order: Any) -> Any:
        """One order, answered."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended without an answer: run {_WORKER} {self.name} by hand to see why")
        return json.loads(line)


def _python(name: str) -> list[str]:
    if name != "litellm":
        return [sys.executable]
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    return [uv, "run", "--quiet", "--isolated", "--no-project", "--python", "3.11", "--with", _LITELLM, "python"]


def fastest(workers: Sequence[Worker], case: Mapping[str, Any], rounds: int) -> dict[str, float]:
    """Library → microseconds a call, the best of interleaved rounds."""
    best = {worker.name: float("inf") for worker in workers}
    for _ in range(rounds):
        for worker in workers:
            taken = worker.order(do="time", case=case, loops=_LOOPS[worker.name]) / 1000
            best[worker.name] = min(best[worker.name], taken)
    return best


def judged(worker: Worker, cases: Sequence[Mapping[str, Any]]) -> tuple[Counter[str], list[str]]:
    """How often right, with no answer, wrong and said so, wrong in silence; and a line for each silent one."""
    counts: Counter[str] = Counter()
    silent = []
    for case in cases:
        said = worker.order(do="price", case=case)
        verdict = _verdict(said, Decimal(case["usd"]))
        counts[verdict] += 1
        if verdict == "wrong in silence":
            asked = f"{case['provider']} {case['model']} {case['date']} {case['context'] or ''}"
            silent.append(f"{asked}: {said['usd']}, not {case['usd']}")
    return counts, silent


def _verdict(said: Mapping[str, Any], wanted: Decimal) -> str:
    if said["usd"] is None:
        return "no answer"
    if abs(Decimal(said["usd"]) - wanted) <= _NEAR:
        return "right"
    return "wrong, said so" if said["doubt"] else "wrong in silence"


def main() -> int:
    """Measure and print; 1 where ours is not right everywhere.  Time is a machine's matter and fails nothing."""
    options = _options()
    names = ["ours", "genai-prices", *([] if options.no_litellm else ["litellm"])]
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(name)) for name in names]
        print("\n".join(_heading(names)))
        slow = [kind for kind, case in CALLS.items() if _timed_row(kind, fastest(workers, case, options.rounds))]
        print(f"ours above its aim of {_AIM_US} µs: {', '.join(slow) or 'none'}")
        return _judge(workers)


def _heading(names: Sequence[str]) -> Iterator[str]:
    versions = {"ours": version("otel-llm-cost"), "genai-prices": version("genai-prices"), "litellm": _LITELLM[9:]}
    yield "µs to price a call, warm, the fastest of interleaved rounds (× ours)"
    yield " " * 22 + "".join(f"{name + ' ' + versions[name]:>24}" for name in names)


def _timed_row(kind: str, best: Mapping[str, float]) -> bool:
    """Print one row; True where ours is above its aim."""
    cells = (f"{taken:10.2f} ({taken / best['ours']:6.1f} ×)" for taken in best.values())
    print(f"{kind:22}" + "".join(f"{cell:>24}" for cell in cells))
    return best["ours"] > _AIM_US


def _judge(workers: Sequence[Worker]) -> bool:
    """Print how often each is right; True where ours is not always."""
    cases = json.loads(_GOLDEN.read_text())
    print(f"\n{len(cases)} calls with a published price")
    bad = False
    for worker in workers:
        counts, silent = judged(worker, cases)
        told = ", ".join(f"{verdict} {count}" for verdict, count in counts.most_common())
        print(f"{worker.name:22}{told}")
        if worker.name == "ours":
            bad = counts["right"] != len(cases)
            print("".join(f"  {line}\n" for line in silent), end="")
    return bad


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--no-litellm", action="store_true", help="do not make an environment for litellm")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
