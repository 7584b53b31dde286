"""Who is measured: ourselves, the bare SDK, and peers at exact versions, each in an environment that suits it.

Peers ask for versions of each other's dependencies that cannot stand together, so each has a virtual environment of
its own beside the one in use (`<environment>/peers/<name>`), made by uv at first need and again when its list changes.
The SDKs are the same versions everywhere: those of the environment in use.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

SDKS: Final = {"openai": "openai", "anthropic": "anthropic", "google": "google-genai"}
"""Our short name of an SDK → its distribution."""


@dataclass(frozen=True)
class Variant:
    """One thing to measure; `entries` has, for each SDK it covers, what to call, as `module:name`."""

    name: str
    entries: Mapping[str, tuple[str, ...]]
    packages: tuple[str, ...] = ()
    sdk_spans: bool = False
    """True where the Anthropic SDK's own spans are what is measured."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Prompts and answers are off where a peer has a switch for them, as they are with ours."""


OURS: Final = Variant(
    "otel-llm-cost",
    dict.fromkeys(
        SDKS,
        tuple(f"otel_llm_cost.instrumentor:{kind}Instrumentor" for kind in ("OpenAI", "Anthropic", "GoogleGenAI")),
    ),
)
BARE: Final = Variant("bare", dict.fromkeys(SDKS, ()))
PEERS: Final = (
    Variant(
        "otel-genai",
        {
            "openai": ("opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",),
            "anthropic": ("opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",),
            "google": ("opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",),
        },
        (
            "opentelemetry-instrumentation-genai-openai==1.3b0",
            "opentelemetry-instrumentation-genai-anthropic==1.3b0",
            "opentelemetry-instrumentation-google-genai==1.3b0",
        ),
    ),
    Variant(
        "openinference",
        {
            "openai": ("openinference.instrumentation.openai:OpenAIInstrumentor",),
            "anthropic": ("openinference.instrumentation.anthropic:AnthropicInstrumentor",),
            "google": ("openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",),
        },
        (
            "openinference-instrumentation-openai==0.1.66",
            "openinference-instrumentation-anthropic==3.1.0",
            "openinference-instrumentation-google-genai==1.4.14",
        ),
        environ={"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"},
    ),
    Variant(
        "openllmetry",
        {
            "openai": ("opentelemetry.instrumentation.openai:OpenAIInstrumentor",),
            "anthropic": ("opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",),
            "google": ("opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",),
        },
        (
            "opentelemetry-instrumentation-openai==0.62.4",
            "opentelemetry-instrumentation-anthropic==0.62.4",
            "opentelemetry-instrumentation-google-generativeai==0.62.4",
        ),
        environ={"TRACELOOP_TRACE_CONTENT": "false"},
    ),
    Variant("openlit", {"google": ("benchmarks.telemetry:openlit",)}, ("openlit==1.45.0",)),
    Variant("anthropic-sdk", {"anthropic": ()}, sdk_spans=True),
)
WRAPPERS: Final = (Variant("langfuse", {"openai": ("benchmarks.telemetry:langfuse",)}, ("langfuse==5.0.4",)),)
"""Peers that write usage in a form of their own: measured for time, not read for tokens."""
VARIANTS: Final = {each.name: each for each in (BARE, OURS, *PEERS, *WRAPPERS)}


ABSENT: Final = {
    "openai": {"openlit": "1.45.0 asks for openai < 3"},
    "anthropic": {"openlit": "1.45.0 asks for anthropic < 1"},
}
"""SDK → peers that cannot be installed beside the version in use, and why."""


def chosen(sdk: str, *, peers: bool, wrappers: bool = False) -> list[Variant]:
    """What is measured on this SDK, bare first."""
    others = (*PEERS, *(WRAPPERS if wrappers else ())) if peers else ()
    return [each for each in (BARE, OURS, *others) if sdk in each.entries]


def requirements(variant: Variant) -> tuple[str, ...]:
    """What the environment of a peer holds: its packages, the SDKs it covers, and what a worker itself needs."""
    same = (*(SDKS[sdk] for sdk in variant.entries), "opentelemetry-sdk", "httpx2")
    return (*variant.packages, *(f"{name}=={version(name)}" for name in same))


def python_of(variant: Variant) -> str:
    """The interpreter that runs a variant, in an environment that holds it."""
    if not variant.packages:
        return sys.executable
    home = Path(sys.prefix) / "peers" / variant.name
    python, made_from = home / "bin" / "python", home / "requirements.txt"
    wanted = "\n".join(requirements(variant)) + "\n"
    if not made_from.exists() or made_from.read_text() != wanted:
        uv = os.environ.get("UV") or shutil.which("uv") or "uv"
        quiet = (uv, "--quiet")
        subprocess.run([*quiet, "venv", "--clear", "--python", sys.executable, home], check=True)  # noqa: S603
        subprocess.run([*quiet, "pip", "install", "--python", python, *requirements(variant)], check=True)  # noqa: S603
        made_from.write_text(wanted)
    return str(python)


def environ_of(variant: Variant) -> dict[str, str]:
    """The environment variables of a variant's process: our own package and this one can be found, nothing is sent."""
    quiet = {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONWARNINGS": "ignore", "DO_NOT_TRACK": "1"}
    return {**os.environ, **quiet, **variant.environ}


def label(variant: Variant, sdk: str) -> str:
    """The variant's name and version, as a table's heading says it."""
    if variant is BARE:
        return variant.name
    if variant is OURS:
        return f"otel-llm-cost {version('otel-llm-cost')}"
    if variant.sdk_spans:
        return f"the SDK's own spans ({SDKS[sdk]} {version(SDKS[sdk])})"
    place = list(variant.entries).index(sdk)
    name, _, number = variant.packages[min(place, len(variant.packages) - 1)].partition("==")
    return f"{name} {number}"
