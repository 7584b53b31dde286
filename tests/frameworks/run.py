"""Runs every framework beside our instrumentation, each in an environment of its own, made by `uv`.

    python tests/frameworks/run.py            every scenario
    python tests/frameworks/run.py --quick    two of them
    python tests/frameworks/run.py --only langchain --all

A scenario is well if by every road (see `roads`), with hosts that are known and behind a gateway, exactly the calls
that were served are billed.  Where that cannot be, `limits` says why, and the run fails if it is no longer so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PROJECT = ".[openai,anthropic,google,embedded]"
_BASE = ("opentelemetry-sdk==1.45.1", "opentelemetry-instrumentation==0.66b1", "wrapt==2.5.2")
_OPENAI = ("openai==3.52.0",)
_OPENAI_2 = ("openai==2.54.0",)
_ANTHROPIC = ("anthropic==2.11.0",)
_BESIDE_OPENAI = (
    *_OPENAI,
    "opentelemetry-instrumentation-genai-openai==1.3b0",
    "openinference-instrumentation-openai==0.1.66",
    "opentelemetry-instrumentation-openai==0.62.4",
)
_BESIDE_ANTHROPIC = (
    *_ANTHROPIC,
    "opentelemetry-instrumentation-genai-anthropic==1.3b0",
    "openinference-instrumentation-anthropic==3.1.0",
    "opentelemetry-instrumentation-anthropic==0.62.4",
)
_PYDANTIC_AI = (*_OPENAI, *_ANTHROPIC, "pydantic-ai-slim[openai,anthropic]==2.68.0")
_AGENTS = (
    *_OPENAI,
    "openai-agents==0.24.0",
    "openinference-instrumentation-openai-agents==2.6.0",
    "opentelemetry-instrumentation-openai-agents==0.62.4",
)
_LANGCHAIN = (
    *_OPENAI,
    *_ANTHROPIC,
    "langchain==1.4.7",
    "langchain-core==1.7.2",
    "langchain-openai==1.7.3",
    "langchain-anthropic==1.7.7",
    "openinference-instrumentation-langchain==0.1.80",
    "opentelemetry-instrumentation-langchain==0.62.4",
)
_LANGFUSE = (*_OPENAI, "langfuse==5.0.4")
_LITELLM = (*_OPENAI_2, "litellm==1.106.2", "mcp", "openinference-instrumentation-litellm==0.1.51")
_LLAMA_INDEX = (
    *_OPENAI_2,
    "llama-index-core==0.14.25",
    "llama-index-llms-openai==0.8.3",
    "llama-index-embeddings-openai==0.7.0",
    "openinference-instrumentation-llama-index==4.6.1",
    "opentelemetry-instrumentation-llamaindex==0.62.4",
)
_ROADS = ("batch", "simple", "parents first", "cut")


@dataclass(frozen=True)
class Scenario:
    """A program with one framework's telemetry, and what is known to be wrong with it: road → why."""

    program: str
    with_: str
    packages: tuple[str, ...]
    first: str = "ours"
    limits: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.program, self.with_, "theirs first" if self.first == "theirs" else "")))

    def command(self, python: str) -> list[str]:
        """The whole command."""
        uv = [os.environ.get("UV", "uv"), "run", "--quiet", "--isolated", "--no-project", "--python", python]
        asked = [part for package in (*_BASE, *self.packages) for part in ("--with", package)]
        harness = ["python", "-W", "ignore", "-m", "tests.frameworks.harness", self.program]
        return [*uv, "--with-editable", _PROJECT, *asked, *harness, "--with", self.with_, "--first", self.first]


_EARLY = "a span without usage that is sent before ours is a row without a cost; the money is right"
_FIRST = {"parents first": _EARLY}
_SUM = {"parents first": "an agent's sum that is sent before its calls is billed in one row; the money is right"}
_PLUS_ONE = {
    "parents first": "theirs adds a stream's first output token twice, and is billed if it is sent before ours"
}
_STREAM_WITHOUT_USAGE = "a stream of which the framework says no usage is a row without a cost; the money is right"
_YIELDED = (
    "ours yields where the key is set, for streams and embeddings of which theirs knows no usage; and the key leaks"
)
_NOT_OURS = "LiteLLM calls Anthropic over HTTP of its own, where ours is not; of a stream theirs says no usage"
_NO_CALLS = "theirs names some steps of an agent model calls: rows without usage and cost; the money is right"
_NOT_THE_MONEY = frozenset({_EARLY, *_SUM.values(), _STREAM_WITHOUT_USAGE, _NO_CALLS})
"""Of these the number of rows is wrong and the sum of the tokens is right, which is looked at too."""
_ORDERS = ("ours", "theirs")


def _always(why: str) -> dict[str, str]:
    return dict.fromkeys(_ROADS, why)


SCENARIOS = [
    Scenario("pydantic_ai_agents", "", _PYDANTIC_AI),
    Scenario("pydantic_ai_agents", "plain names", _PYDANTIC_AI, limits=_SUM),
    Scenario("openai_agents", "openinference", _AGENTS, limits=_FIRST),
    Scenario("openai_agents", "openllmetry", _AGENTS, limits=_FIRST),
    Scenario("langchain_chat", "openinference", _LANGCHAIN, limits=_always(_STREAM_WITHOUT_USAGE)),
    Scenario("langchain_chat", "openllmetry", _LANGCHAIN, limits=_always(_YIELDED)),
    Scenario("litellm_completion", "otel", _LITELLM, limits=_FIRST),
    Scenario("litellm_completion", "openinference", _LITELLM, limits=_always(_NOT_OURS)),
    Scenario("llama_index", "openinference", _LLAMA_INDEX, limits=_always(_NO_CALLS)),
    Scenario("llama_index", "openllmetry", _LLAMA_INDEX, limits=_always(_YIELDED)),
    Scenario("beside", "genai", _BESIDE_OPENAI, limits=_FIRST),
    Scenario("beside", "genai", _BESIDE_OPENAI, "theirs", _FIRST),
    Scenario("beside", "openinference", _BESIDE_OPENAI, limits=_FIRST),
    Scenario("beside", "openinference", _BESIDE_OPENAI, "theirs"),
    Scenario("beside", "openllmetry", _BESIDE_OPENAI, limits=_FIRST),
    Scenario("beside", "openllmetry", _BESIDE_OPENAI, "theirs", _FIRST),
    *(Scenario("langfuse_openai", "", _LANGFUSE, first, _always(_STREAM_WITHOUT_USAGE)) for first in _ORDERS),
    Scenario("anthropic_beside", "", _ANTHROPIC),
    *(Scenario("anthropic_beside", w, _BESIDE_ANTHROPIC, f) for w in ("genai", "openinference") for f in _ORDERS),
    *(Scenario("anthropic_beside", "openllmetry", _BESIDE_ANTHROPIC, f, _PLUS_ONE) for f in _ORDERS),
]
_QUICK = ("beside genai", "pydantic_ai_agents")


@dataclass
class _Outcome:
    """What the lines of a run say."""

    calls: int = 0
    spans: int = 0
    billed: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    """Road → what is wrong, for one host or the other."""
    roads: Counter[str] = field(default_factory=Counter)
    wrong_sums: set[str] = field(default_factory=set)

    def read(self, line: dict[str, Any]) -> None:
        host = "gateway" if line["host"] == "localhost" else "known host"
        if "road" not in line:
            self.calls, self.spans = line["calls"], line["spans"]
            return
        road = str(line["road"]).partition(" at ")[0]
        self.roads[road] += 1
        if road == "batch":
            self.billed, self.set_aside = Counter(line["billed"]), Counter(line["set_aside"])
        if not line["sums_right"]:
            self.wrong_sums.add(road)
        if line["wrong"]:
            self.wrong.setdefault(road, []).append(f"{host}, {line['road']}: {'; '.join(line['wrong'])}")


def run(scenario: Scenario, python: str, *, everything: bool) -> bool:
    """Run one scenario and say how it went; True where all is as it should be."""
    began = time.monotonic()
    command = scenario.command(python)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=_clean(), timeout=300)
    outcome = _Outcome()
    for line in done.stdout.splitlines():
        if line.startswith('{"host"'):
            outcome.read(json.loads(line))
    ran = done.returncode == 0 and set(outcome.roads) >= {"batch", "simple", "parents first"}
    may_lose = {road for road, why in scenario.limits.items() if why not in _NOT_THE_MONEY}
    well = ran and outcome.wrong.keys() == scenario.limits.keys() and outcome.wrong_sums <= may_lose
    _say(scenario, outcome, time.monotonic() - began, well=well, everything=everything)
    if not ran:
        sys.stdout.write(done.stdout[-2000:] + done.stderr[-4000:])
    sys.stdout.flush()
    return well


def _say(scenario: Scenario, outcome: _Outcome, seconds: float, *, well: bool, everything: bool) -> None:
    per_call = outcome.spans / outcome.calls if outcome.calls else 0.0
    facts = [f"{outcome.calls} calls, {per_call:.1f} spans each", f"billed {_counted(outcome.billed)}"]
    if outcome.set_aside:
        facts.append(f"set aside {_counted(outcome.set_aside)}")
    lines = [f"{'ok  ' if well else 'FAIL'} {scenario.name} ({seconds:.0f} s): {'; '.join(facts)}"]
    for road in _ROADS:
        faults, why = outcome.wrong.get(road, []), scenario.limits.get(road)
        if faults and why:
            why += "" if road not in outcome.wrong_sums or why not in _NOT_THE_MONEY else ", BUT THE SUM IS WRONG"
            lines.append(f"     {road}: {len(faults)} of {outcome.roads[road]} wrong, as known: {why}")
        elif why:
            lines.append(f"     {road}: right, and was thought not to be: {why}")
        if faults and (everything or not why):
            lines += [f"     {fault}" for fault in faults[: None if everything else 2]]
    sys.stdout.write("\n".join(lines) + "\n")


def _counted(what: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in what.items()) or "nothing"


def _clean() -> dict[str, str]:
    """Without what would lead to the environment that this script runs in."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}


def main() -> int:
    """Exit code: 0 where every scenario went as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two scenarios only")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--all", action="store_true", help="everything that is wrong, known or not")
    parser.add_argument("--python", default="3.11", help="version of Python")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at a time")
    given = parser.parse_args()
    chosen = [each for each in SCENARIOS if given.only in each.name and (not given.quick or each.name in _QUICK)]
    with ThreadPoolExecutor(given.jobs) as pool:
        well = list(pool.map(lambda each: run(each, given.python, everything=given.all), chosen))
    return 0 if well and all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
