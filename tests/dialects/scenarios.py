"""The peers that are run, with the vendors that each covers and the versions of all that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_BASE: Final = (
    "opentelemetry-sdk==1.45.1",
    "opentelemetry-exporter-otlp-proto-http==1.45.1",
    "opentelemetry-instrumentation==0.66b1",
    "wrapt==2.5.2",
)
_OPENAI: Final = "openai==3.52.0"
_ANTHROPIC: Final = "anthropic==2.11.0"
_GOOGLE: Final = "google-genai==3.4.0"
_GOOGLE_2: Final = "google-genai==2.34.0"
_OPENAI_2: Final = "openai==2.54.0"
_ANTHROPIC_0: Final = "anthropic==0.125.0"
_SDKS: Final = (_OPENAI, _ANTHROPIC, _GOOGLE)
_ALONE: Final = MappingProxyType({"ANTHROPIC_OPEN_TELEMETRY": "false"})
"""Else the Anthropic SDK's own span stands below every peer's, and is the one that is billed."""
_ALL: Final = ("openai", "anthropic", "gcp.gemini")


@dataclass(frozen=True)
class Scenario:
    """One peer, switched on as `peers.SWITCHES` has it under its name without what is in brackets."""

    name: str
    packages: tuple[str, ...]
    vendors: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: _ALONE)

    @property
    def peer(self) -> str:
        return self.name.partition(" (")[0]


_GENAI: Final = (
    *_BASE,
    _OPENAI,
    _ANTHROPIC,
    "opentelemetry-instrumentation-genai-openai==1.3b0",
    "opentelemetry-instrumentation-genai-anthropic==1.3b0",
)
_OPENAI_V2: Final = (
    *_BASE,
    _OPENAI,
    "opentelemetry-instrumentation-openai-v2==2.4b0",
    "opentelemetry-util-genai==1.1b0",
    "httpx==0.28.1",
)
_OPENAI_V2_OLD: Final = (
    "opentelemetry-sdk==1.36.0",
    "opentelemetry-exporter-otlp-proto-http==1.36.0",
    "opentelemetry-instrumentation==0.57b0",
    _OPENAI_2,
    "opentelemetry-instrumentation-openai-v2==2.1b0",
)
_GOOGLE_GENAI: Final = (*_BASE, _GOOGLE_2, "opentelemetry-instrumentation-google-genai==1.3b0")
_OPENLLMETRY: Final = (
    *_BASE,
    *_SDKS,
    "opentelemetry-instrumentation-openai==0.62.4",
    "opentelemetry-instrumentation-anthropic==0.62.4",
    "opentelemetry-instrumentation-google-generativeai==0.62.4",
)
_OPENINFERENCE: Final = (
    *_BASE,
    *_SDKS,
    "openinference-instrumentation-openai==0.1.66",
    "openinference-instrumentation-anthropic==3.1.0",
    "openinference-instrumentation-google-genai==1.4.14",
)
_OPENLIT: Final = (*_BASE, _OPENAI_2, _ANTHROPIC_0, _GOOGLE, "openlit==1.45.0")
_LOGFIRE: Final = (*_BASE, _OPENAI, _ANTHROPIC, "logfire==5.2.0", "genai-prices==0.2.3")
_PYDANTIC_AI: Final = (*_BASE, _OPENAI, _ANTHROPIC, _GOOGLE_2, "pydantic-ai-slim[openai,anthropic,google]==2.68.0")
_LANGFUSE: Final = (*_BASE, _OPENAI, "langfuse==5.0.4")

SCENARIOS: Final = (
    Scenario("genai", _GENAI, ("openai", "anthropic")),
    Scenario("genai (with the SDK's own)", _GENAI, ("anthropic",), {}),
    Scenario("openai_v2", _OPENAI_V2, ("openai",)),
    Scenario("openai_v2 latest", _OPENAI_V2, ("openai",)),
    Scenario("openai_v2 (2.1, old names)", _OPENAI_V2_OLD, ("openai",)),
    Scenario("google_genai", _GOOGLE_GENAI, ("gcp.gemini",)),
    Scenario("google_genai latest", _GOOGLE_GENAI, ("gcp.gemini",)),
    Scenario("openllmetry", _OPENLLMETRY, _ALL),
    Scenario("openllmetry (with the SDK's own)", _OPENLLMETRY, ("anthropic",), {}),
    Scenario("openinference", _OPENINFERENCE, _ALL),
    Scenario("openinference (with the SDK's own)", _OPENINFERENCE, ("anthropic",), {}),
    Scenario("openlit", _OPENLIT, _ALL),
    Scenario("openlit (with the SDK's own)", _OPENLIT, ("anthropic",), {}),
    Scenario("logfire", _LOGFIRE, ("openai", "anthropic")),
    Scenario("logfire (with the SDK's own)", _LOGFIRE, ("anthropic",), {}),
    Scenario("logfire v1", _LOGFIRE, ("openai", "anthropic")),
    Scenario("langfuse", _LANGFUSE, ("openai",)),
    Scenario("pydantic_ai", _PYDANTIC_AI, _ALL),
    Scenario("anthropic", (*_BASE, _ANTHROPIC), ("anthropic",), {}),
)
QUICK: Final = ("openllmetry", "anthropic")
