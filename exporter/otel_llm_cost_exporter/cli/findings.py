"""The doctor's checks of one environment: what is installed, and what the OTEL_ variables make of it.

Each check is a function from `Surroundings` to findings, so that it can be tried on any environment.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Final, Literal

Status = Literal["ok", "warn", "fail"]

INSTRUMENTORS: Final = "opentelemetry_instrumentor"
_EXPORTERS: Final = "opentelemetry_traces_exporter"
_OURS: Final = "otel-llm-cost"
OUR_PREFIX: Final = "llm_cost_"
_OLDEST_PYTHON: Final = (3, 11)
_SDKS: Final = {
    "openai": ("openai", (1, 60)),
    "anthropic": ("anthropic", (0, 50)),
    "google-genai": ("google", (1, 30)),
    "google-generativeai": ("google", (0, 8)),
    "google-cloud-aiplatform": ("vertexai", (1, 60)),
}
"""Distribution → the name that instrumentations of it have, and the oldest version that ours watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; `remedy` says what to do where something is to be done."""

    check: str
    status: Status
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    group: str
    name: str
    distribution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the checks look at."""

    env: Mapping[str, str]
    python: tuple[int, int]
    installed: Mapping[str, str]
    """Version by distribution, of those that matter here."""
    entry_points: Sequence[EntryPoint]
    launcher: str | None
    """Path of `opentelemetry-instrument`."""


def look_around(env: Mapping[str, str]) -> Surroundings:
    """The surroundings of this process."""
    installed = {name: found for name in _SDKS if (found := _version(name)) is not None}
    beside = Path(sys.executable).with_name("opentelemetry-instrument")
    return Surroundings(
        env=env,
        python=sys.version_info[:2],
        installed=installed,
        entry_points=[
            EntryPoint(group=group, name=point.name, distribution=point.dist.name if point.dist else "")
            for group in (INSTRUMENTORS, _EXPORTERS)
            for point in entry_points(group=group)
        ],
        launcher=shutil.which("opentelemetry-instrument") or (str(beside) if beside.exists() else None),
    )


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def python_version(around: Surroundings) -> Iterator[Finding]:
    found = ".".join(map(str, around.python))
    if around.python >= _OLDEST_PYTHON:
        yield Finding(check="python", status="ok", detail=found)
    else:
        yield Finding(check="python", status="fail", detail=found, remedy="use Python 3.11 or newer")


def sdks(around: Surroundings) -> Iterator[Finding]:
    """Which SDKs are here, and whether their calls will be seen."""
    if not around.installed:
        remedy = "install one where your program runs: pip install 'otel-llm-cost[openai]'"
        yield Finding(check="sdk", status="warn", detail="no LLM SDK is installed here", remedy=remedy)
    for name, found in around.installed.items():
        oldest = _SDKS[name][1]
        if _numbers(found) >= oldest:
            yield Finding(check="sdk", status="ok", detail=f"{name} {found}: its calls are instrumented")
        else:
            remedy = f"pip install --upgrade '{name}>={'.'.join(map(str, oldest))}'"
            detail = f"{name} {found}: too old to be instrumented"
            yield Finding(check="sdk", status="warn", detail=detail, remedy=remedy)


def _numbers(version_text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version_text.split(".")[:2] if part.isdecimal())


def registration(around: Surroundings) -> Iterator[Finding]:
    """Whether `opentelemetry-instrument` can find us."""
    ours = sorted(point.name for point in around.entry_points if point.distribution == _OURS)
    if any(name.startswith(OUR_PREFIX) for name in ours):
        yield Finding(check="entry points", status="ok", detail=", ".join(ours))
    else:
        remedy = "pip install --force-reinstall otel-llm-cost (entry points are written at installation)"
        yield Finding(check="entry points", status="fail", detail="ours are not registered", remedy=remedy)


def launcher(around: Surroundings) -> Iterator[Finding]:
    if around.launcher:
        yield Finding(check="opentelemetry-instrument", status="ok", detail=around.launcher)
        return
    remedy = "activate the environment it is installed in, or: pip install opentelemetry-distro"
    detail = "the command is not on PATH"
    yield Finding(check="opentelemetry-instrument", status="fail", detail=detail, remedy=remedy)


def double_counting(around: Surroundings) -> Iterator[Finding]:
    """Other instrumentations of an SDK that we instrument too: two spans for one call."""
    off = _listed(around.env.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""))
    rivals = [
        point
        for point in around.entry_points
        if point.group == INSTRUMENTORS
        and point.distribution != _OURS
        and any(_SDKS[sdk][0] in point.name for sdk in around.installed)
        and point.name not in off
    ]
    if not rivals:
        yield Finding(check="double counting", status="ok", detail="no other instrumentation of the same SDK")
        return
    names = ",".join(sorted({point.name for point in rivals} | off))
    detail = "also instrumenting: " + ", ".join(sorted({f"{p.name} ({p.distribution})" for p in rivals}))
    remedy = f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={names} (duplicates that arrive are set aside, not billed)"
    yield Finding(check="double counting", status="warn", detail=detail, remedy=remedy)


def disabled(around: Surroundings) -> Iterator[Finding]:
    """Switches that turn us off."""
    env = around.env
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        detail = "OTEL_SDK_DISABLED=true: no span leaves the process"
        yield Finding(check="switches", status="fail", detail=detail, remedy="unset OTEL_SDK_DISABLED")
    off = _listed(env.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""))
    ours = sorted(name for name in off if name == "*" or name.startswith(OUR_PREFIX))
    if ours:
        detail = f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS turns off {', '.join(ours)}"
        yield Finding(check="switches", status="fail", detail=detail, remedy="take that name off the list")
    yield from _sampler(env)


def _sampler(env: Mapping[str, str]) -> Iterator[Finding]:
    sampler = env.get("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    share = _share(sampler, env.get("OTEL_TRACES_SAMPLER_ARG", ""))
    if share >= 1:
        yield Finding(check="sampling", status="ok", detail=f"{sampler}: every call is seen")
        return
    remedy = "OTEL_TRACES_SAMPLER=parentbased_always_on; thin out traces behind the collector instead"
    detail = f"{sampler} keeps {share:.0%} of the traces: cost is undercounted"
    yield Finding(check="sampling", status="warn" if share else "fail", detail=detail, remedy=remedy)


def _share(sampler: str, argument: str) -> float:
    """The share of traces that a sampler of the specification keeps; an unreadable ratio counts as 1, as in the SDK."""
    if sampler.endswith("always_off"):
        return 0.0
    if not sampler.endswith("traceidratio"):
        return 1.0
    try:
        return min(max(float(argument), 0.0), 1.0)
    except ValueError:
        return 1.0


def _listed(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


LOCAL: Final[tuple[Callable[[Surroundings], Iterator[Finding]], ...]] = (
    python_version,
    sdks,
    registration,
    launcher,
    double_counting,
    disabled,
)
