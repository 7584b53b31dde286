"""How each peer is switched on, as its own documentation says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cases import use


def _instrumentors(*names: str) -> Callable[[Any], None]:
    def switch_on(tracers: Any) -> None:
        for name in names:
            use(name)().instrument(tracer_provider=tracers)

    return switch_on


def _latest(switch_on: Callable[[Any], None]) -> Callable[[Any], None]:
    def opted_in(tracers: Any) -> None:
        os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
        switch_on(tracers)

    return opted_in


def _openlit(tracers: Any) -> None:
    prices = Path(os.environ["DIALECTS_FOLDER"]) / "prices.json"
    prices.write_text('{"chat": {"gpt-4o": {"promptPrice": 0.01, "completionPrice": 0.03}}, "embeddings": {}}')
    use("openlit")
    use("openlit").init(pricing_json=str(prices), disable_metrics=True, disable_batch=True)


def _logfire(**options: Any) -> Callable[[Any], None]:
    def switch_on(tracers: Any) -> None:
        logfire = use("logfire")
        logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
        logfire.instrument_openai(**options)
        logfire.instrument_anthropic(**options)

    return switch_on


def _langfuse(tracers: Any) -> None:
    os.environ |= {"LANGFUSE_PUBLIC_KEY": "k", "LANGFUSE_SECRET_KEY": "k", "LANGFUSE_HOST": "http://127.0.0.1:9"}
    use("langfuse:Langfuse")(tracer_provider=tracers)
    use("langfuse.openai")


def _nothing(tracers: Any) -> None:
    """The Anthropic SDK needs no more than tracers of the whole process."""


def _pydantic_ai(tracers: Any) -> None:
    """Its requests are told to make spans where they are made."""


_GENAI = "opentelemetry.instrumentation."
SWITCHES: dict[str, Callable[[Any], None]] = {
    "genai": _instrumentors(
        f"{_GENAI}genai.openai:OpenAIInstrumentor", f"{_GENAI}genai.anthropic:AnthropicInstrumentor"
    ),
    "openai_v2": _instrumentors(f"{_GENAI}openai_v2:OpenAIInstrumentor"),
    "openai_v2 latest": _latest(_instrumentors(f"{_GENAI}openai_v2:OpenAIInstrumentor")),
    "google_genai": _instrumentors(f"{_GENAI}google_genai:GoogleGenAiSdkInstrumentor"),
    "google_genai latest": _latest(_instrumentors(f"{_GENAI}google_genai:GoogleGenAiSdkInstrumentor")),
    "openllmetry": _instrumentors(
        f"{_GENAI}openai:OpenAIInstrumentor",
        f"{_GENAI}anthropic:AnthropicInstrumentor",
        f"{_GENAI}google_generativeai:GoogleGenerativeAiInstrumentor",
    ),
    "openinference": _instrumentors(
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
        "openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
    ),
    "openlit": _openlit,
    "logfire": _logfire(),
    "logfire v1": _logfire(version=1),
    "langfuse": _langfuse,
    "pydantic_ai": _pydantic_ai,
    "anthropic": _nothing,
}
"""Peer → what switches it on, given the tracers."""
