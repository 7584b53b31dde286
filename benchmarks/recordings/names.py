"""Under which names each convention writes what the recordings say, and how a recorded value is compared.

Ours and OpenTelemetry's stand under `gen_ai.*`, OpenInference's under `llm.*`, older and own spellings of OpenLLMetry,
OpenLIT and the Anthropic SDK beside them.  A value counts for whoever wrote it under any of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "cache_write_5m": (
        "llm_cost.usage.cache_write.5m.input_tokens",
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
    ),
    "cache_write_1h": (
        "llm_cost.usage.cache_write.1h.input_tokens",
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
    ),
    "audio_in": ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"),
    "audio_out": ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"),
    "image_out": ("gen_ai.usage.image.output_tokens",),
    "web_search": ("llm_cost.usage.web_search.requests",),
    "stated_cost": ("llm_cost.stated_cost",),
    "service_tier": (
        "llm_cost.response.service_tier",
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "anthropic.response.service_tier",
    ),
    "response_model": ("gen_ai.response.model", "llm.response.model_name", "llm.model_name"),
    "response_id": ("gen_ai.response.id", "llm.response.id"),
    "finish": (
        "gen_ai.response.finish_reasons",
        "gen_ai.response.finish_reason",
        "gen_ai.response.stop_reason",
        "llm.response.finish_reason",
        "llm.response.stop_reason",
        "llm.finish_reason",
        "anthropic.message.stop_reason",
    ),
}
"""Field of the recordings' truth → the attributes that may carry it."""

FIVE: Final = ("input", "output", "cache_read", "cache_write", "reasoning")
"""What every convention has a name for."""

TOKENS: Final = tuple(name for field in FIVE[:2] for name in FIELDS[field])
"""A span with one of these is one that a bill is made from."""

SDK_SCOPE: Final = "com.anthropic.sdk.python"
"""The Anthropic SDK's own spans."""

STATUS: Final = ("http.response.status_code", "http.status_code", "error.type")
ESTIMATED: Final = "llm_cost.usage.estimated"
OUTCOME: Final = "llm_cost.stream.outcome"
ERROR_CLASS: Final = ("llm_cost.error.class", "error.type")


UNTOLD: Final = {"openai": {"web_search", "image_out"}, "gemini": {"web_search"}, "anthropic": set[str]()}
"""Provider → fields that its recordings' truth never tells, so nothing is known about them."""


def said(truth: Mapping[str, Any], field: str, endpoint: str) -> Any:
    """What the recorded bytes say, in our convention: totals are inclusive.  None where they do not say it."""
    match field:
        case "input" | "output":
            return truth.get(f"{field}_total")
        case "stated_cost":
            ticks = truth.get("cost_ticks")  # 10⁻¹⁰ USD
            return truth.get("cost") if ticks is None else ticks * 1e-10
        case "finish" if endpoint.startswith("responses") or endpoint == "interactions":
            return None  # a status there, which conventions translate
        case _:
            return truth.get(field)


def headline(truth: Mapping[str, Any], field: str) -> Any:
    """The provider's own figure, which a peer may write instead of the total: `input` without what was cached."""
    return truth.get(field) if field in ("input", "output") else None


def same(field: str, seen: Any, recorded: Any) -> bool:
    """True when an attribute's value says what was recorded."""
    match field:
        case "stated_cost":
            return abs(float(seen) - float(recorded)) < 1e-12
        case "finish":
            values = seen if isinstance(seen, list) else [seen]
            return any(_reason(value) in (_reason(recorded), _COMMON.get(_reason(recorded))) for value in values)
        case "service_tier" | "response_model" | "response_id":
            return str(seen).casefold() == str(recorded).casefold()
        case _:
            return not isinstance(seen, str) and bool(seen == recorded)


def _reason(value: Any) -> str:
    """A finish reason without its spelling: `FinishReason.MAX_TOKENS` is `maxtokens`."""
    return re.sub(r"[^a-z]", "", str(value).lower()).removeprefix("finishreason")


_COMMON: Final = {
    "endturn": "stop",
    "stopsequence": "stop",
    "maxtokens": "length",
    "tooluse": "toolcall",
    "toolcalls": "toolcall",
    "functioncall": "toolcall",
    "safety": "contentfilter",
    "refusal": "contentfilter",
    "modelarmor": "contentfilter",
    "unexpectedtoolcall": "error",
}
"""Providers' reasons → the common names that some conventions put in their place."""
