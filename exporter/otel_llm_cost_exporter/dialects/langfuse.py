"""Langfuse: observations with names of their own, and usage as JSON in the vendor's words or in Langfuse's.

In Langfuse's words the counts are exclusive: what a detail counts is not in `input` or `output` again, and the total
of a side is the sum of all that begins with its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm_cost.attributes import FINISH_REASONS, OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, USAGE_NAMES

from .names import (
    CACHE_READ,
    CACHE_WRITE,
    INPUT,
    OUTPUT,
    REASONING,
    REQUEST_TIER,
    RESPONSE_TIER,
    SPAN_KINDS,
    STATED_COST,
    STREAM,
)
from .vendor_json import parsed, usage

TYPE: Final = "langfuse.observation.type"
_NAME: Final = "langfuse.observation."
_CALLS: Final = {"generation": "chat", "embedding": "embeddings"}
_OPENAI: Final = "OpenAI-"
"""How the names of the spans begin that take the place of the OpenAI SDK's methods, unless the caller names them."""
_OPENAI_PARAMETERS: Final = frozenset({"max_tokens", "frequency_penalty", "presence_penalty"})
"""What these spans always say of what was asked for, and nothing else of Langfuse's does."""
_DETAILS: Final = {
    "input_cached_tokens": CACHE_READ,
    "input_cache_read": CACHE_READ,
    "cache_read_input_tokens": CACHE_READ,
    "input_cache_creation": CACHE_WRITE,
    "cache_creation_input_tokens": CACHE_WRITE,
    "input_audio": USAGE_NAMES["audio_input_tokens"],
    "input_audio_tokens": USAGE_NAMES["audio_input_tokens"],
    "output_reasoning": REASONING,
    "output_reasoning_tokens": REASONING,
    "output_audio": USAGE_NAMES["audio_output_tokens"],
    "output_audio_tokens": USAGE_NAMES["audio_output_tokens"],
}


def read(told: dict[str, Any], name: str) -> bool:
    """A generation or an embedding as a call; any other observation is none, unless it says what was used."""
    kind = str(told.get(TYPE, "")).lower()
    used = _usage(parsed(told.get(f"{_NAME}usage_details")))
    if kind not in _CALLS and not used:
        return False
    told.setdefault(OPERATION, _CALLS.get(kind) or SPAN_KINDS.get(kind.upper(), "invoke_workflow"))
    asked = parsed(told.get(f"{_NAME}model.parameters"))
    asked = asked if isinstance(asked, dict) else {}
    if name.startswith(_OPENAI) or asked.keys() >= _OPENAI_PARAMETERS:
        told.setdefault(PROVIDER, "openai")
    told |= used
    told |= _texts(told, used, asked.get("service_tier"))
    if f"{_NAME}completion_start_time" in told:
        told.setdefault(STREAM, True)
    return True


def _texts(told: Mapping[str, Any], used: Mapping[str, Any], tier: Any) -> dict[str, Any]:
    """Model, tier, finish reason and stated cost.  After an answer the parameters hold the tier that served it."""
    costs = parsed(told.get(f"{_NAME}cost_details"))
    total = costs.get("total") if isinstance(costs, dict) else None
    reason = parsed(told.get(f"{_NAME}metadata.finish_reason"))
    model = told.get(f"{_NAME}model.name")
    said = {
        RESPONSE_MODEL if used or reason else REQUEST_MODEL: model,
        RESPONSE_TIER if used else REQUEST_TIER: tier,
        FINISH_REASONS: [reason] if isinstance(reason, str) else None,
        STATED_COST: str(total) if isinstance(total, (int, float)) and total else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _usage(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        return {}
    counts = {key: value for key, value in raw.items() if isinstance(value, int) and not isinstance(value, bool)}
    if "input" not in counts and "output" not in counts:
        return usage(raw)
    told = {_DETAILS[key]: value for key, value in counts.items() if key in _DETAILS}
    sides = {INPUT: "input", OUTPUT: "output"}
    return told | {total: sum(_side(counts, side)) for total, side in sides.items() if side in counts}


def _side(counts: Mapping[str, int], side: str) -> list[int]:
    """What adds up to one side's total: Anthropic's cache has names of its own, and a tier's count is no part."""
    return [
        value
        for key, value in counts.items()
        if key == side
        or (key.startswith(f"{side}_") and "priority" not in key)
        or (side == "input" and key in ("cache_read_input_tokens", "cache_creation_input_tokens"))
    ]
