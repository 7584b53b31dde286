"""What the vendors' own JSON says: some instrumentations put the whole answer, or its usage, on the span as text.

That is the vendor's word at first hand, so it is believed before any count that an instrumentation made of it.
Totals are brought to our convention, inclusive of all: Anthropic's input leaves out the cache, Google's output the
thoughts and Google's prompt what its tools brought in; OpenAI's totals are inclusive.  Where the shape tells the
vendor, no name has to.  Sources: the public API references of the three.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from otel_llm_cost.attributes import FINISH_REASONS, RESPONSE_MODEL, USAGE_NAMES

from .names import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, REASONING, RESPONSE_ID, RESPONSE_TIER

Told = dict[str, Any]
"""Our attributes."""

_LONGEST: Final = 1 << 20
"""Characters of JSON that are read; a longer answer is known by its instrumentation's own counts alone."""
_GROUNDING: Final = USAGE_NAMES["grounding_requests"]
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])[A-Z]")
_OBJECTS: Final = ("chat.completion", "chat.completion.chunk", "text_completion", "response")
_OPENAI: Final = (
    (INPUT, "prompt_tokens"),
    (INPUT, "input_tokens"),
    (OUTPUT, "completion_tokens"),
    (OUTPUT, "output_tokens"),
)
"""Chat completions have the first of each pair, responses the second."""
_OPENAI_DETAILS: Final = {
    "prompt_tokens_details": "input",
    "input_tokens_details": "input",
    "completion_tokens_details": "output",
    "output_tokens_details": "output",
}
_DETAILS: Final = {
    ("input", "cached_tokens"): CACHE_READ,
    ("input", "cache_write_tokens"): CACHE_WRITE,
    ("input", "audio_tokens"): USAGE_NAMES["audio_input_tokens"],
    ("input", "image_tokens"): USAGE_NAMES["image_input_tokens"],
    ("output", "reasoning_tokens"): REASONING,
    ("output", "audio_tokens"): USAGE_NAMES["audio_output_tokens"],
    ("output", "image_tokens"): USAGE_NAMES["image_output_tokens"],
}
_ANTHROPIC_CACHE: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")
_ANTHROPIC_TEXTS: Final = {
    "service_tier": RESPONSE_TIER,
    "inference_geo": "llm_cost.inference_geo",
    "speed": "llm_cost.speed",
}
_TTLS: Final = {
    "ephemeral_5m_input_tokens": USAGE_NAMES["cache_write_5m_input_tokens"],
    "ephemeral_1h_input_tokens": USAGE_NAMES["cache_write_1h_input_tokens"],
}
_GOOGLE_SIDES: Final = {
    "prompt_tokens_details": "input",
    "cache_tokens_details": "cache_read_input",
    "candidates_tokens_details": "output",
}
_TOOL_CALLS: Final = {
    "web_search_call": USAGE_NAMES["web_search_requests"],
    "file_search_call": USAGE_NAMES["file_search_requests"],
}


def parsed(text: Any) -> Any:
    """The value of a JSON text; None where it is none, or longer than anyone should be made to read."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def answer(body: Any) -> Told:
    """A whole answer of any of the three vendors; empty where it is none of theirs."""
    if not isinstance(body, Mapping) or not _is_answer(body):
        return {}
    raw = body.get("usage") or body.get("usage_metadata") or body.get("usageMetadata")
    said = {
        RESPONSE_ID: body.get("id") or body.get("response_id") or body.get("responseId"),
        RESPONSE_MODEL: body.get("model") or body.get("model_version") or body.get("modelVersion"),
        RESPONSE_TIER: body.get("service_tier"),
    }
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    reasons = _finish_reasons(body)
    return texts | ({FINISH_REASONS: reasons} if reasons else {}) | usage(raw) | _tools(body)


def _is_answer(body: Mapping[str, Any]) -> bool:
    return body.get("object") in _OBJECTS or body.get("type") == "message" or "candidates" in body


def usage(raw: Any) -> Told:
    """A vendor's usage in our convention; empty where there is nothing in it that can be counted."""
    if not isinstance(raw, Mapping):
        return {}
    if any(name in raw for name in ("promptTokenCount", "prompt_token_count", "totalTokenCount", "total_token_count")):
        return _google(raw)
    if any(isinstance(raw.get(name), int) for name in _ANTHROPIC_CACHE) or "cache_creation" in raw:
        return _anthropic(raw)
    return _openai(raw)


def count(value: Any) -> int:
    """A number of tokens; 0 for anything else, for use in sums."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _openai(raw: Mapping[str, Any]) -> Told:
    told = {name: raw[key] for name, key in _OPENAI if isinstance(raw.get(key), int)}
    for group, side in _OPENAI_DETAILS.items():
        details = raw.get(group)
        for key, value in details.items() if isinstance(details, Mapping) else ():
            if (side, key) in _DETAILS and isinstance(value, int):
                told[_DETAILS[side, key]] = value
    return told


def _anthropic(raw: Mapping[str, Any]) -> Told:
    read, written = (count(raw.get(name)) for name in _ANTHROPIC_CACHE)
    told: Told = {CACHE_READ: read, CACHE_WRITE: written}
    if isinstance(raw.get("input_tokens"), int):
        told[INPUT] = raw["input_tokens"] + read + written
    if isinstance(raw.get("output_tokens"), int):
        told[OUTPUT] = raw["output_tokens"]
    told |= {ours: raw[name] for name, ours in _ANTHROPIC_TEXTS.items() if isinstance(raw.get(name), str)}
    by_ttl, details, tools = (raw.get(key) for key in ("cache_creation", "output_tokens_details", "server_tool_use"))
    told |= {_TTLS[key]: value for key, value in _counts(by_ttl).items() if key in _TTLS and value}
    if "thinking_tokens" in (thought := _counts(details)):
        told[REASONING] = thought["thinking_tokens"]
    if searches := _counts(tools).get("web_search_requests"):
        told[USAGE_NAMES["web_search_requests"]] = searches
    for compaction in _items(raw, "iterations"):
        if compaction.get("type") == "compaction":
            _add_compaction(told, _anthropic({**compaction, "iterations": None}))
    return told


def _add_compaction(told: Told, compaction: Told) -> None:
    """The headline counts leave out what a compaction used; it is billed with the call."""
    for total, of_compaction in ((INPUT, "compaction_input_tokens"), (OUTPUT, "compaction_output_tokens")):
        more, name = compaction.get(total, 0), USAGE_NAMES[of_compaction]
        told[total], told[name] = told.get(total, 0) + more, told.get(name, 0) + more


def _google(raw: Mapping[str, Any]) -> Told:
    said = {_snake(key): value for key, value in raw.items()}
    thoughts, fetched = count(said.get("thoughts_token_count")), count(said.get("tool_use_prompt_token_count"))
    told: Told = {
        INPUT: count(said.get("prompt_token_count")) + fetched,
        OUTPUT: count(said.get("candidates_token_count")) + thoughts,
        CACHE_READ: count(said.get("cached_content_token_count")),
        REASONING: thoughts,
    }
    if fetched:
        told[USAGE_NAMES["tool_use_input_tokens"]] = fetched
    for group, side in _GOOGLE_SIDES.items():
        for detail in _items(said, group):
            told |= _modality(detail, side)
    return told


def _modality(detail: Mapping[str, Any], side: str) -> Told:
    """One line of Google's details: the tokens of one modality."""
    said = {_snake(str(key)): value for key, value in detail.items()}
    name = USAGE_NAMES.get(f"{str(said.get('modality')).lower()}_{side}_tokens")
    return {name: said["token_count"]} if name and isinstance(said.get("token_count"), int) else {}


def _snake(name: str) -> str:
    return _CAMEL.sub(lambda found: "_" + found[0].lower(), name)


def _counts(value: Any) -> dict[str, int]:
    return {k: v for k, v in value.items() if isinstance(v, int)} if isinstance(value, Mapping) else {}


def _items(body: Mapping[str, Any], *keys: str) -> list[Mapping[str, Any]]:
    """The objects in these lists of an object."""
    lists = (body.get(key) for key in keys)
    return [each for found in lists if isinstance(found, list) for each in found if isinstance(each, Mapping)]


def _finish_reasons(body: Mapping[str, Any]) -> list[str]:
    found = [
        choice.get("finish_reason") or choice.get("finishReason") for choice in _items(body, "choices", "candidates")
    ]
    found = found or [body.get("stop_reason") or _ending(body)]
    return [reason for reason in found if isinstance(reason, str)]


def _ending(body: Mapping[str, Any]) -> Any:
    """Of OpenAI's Responses API, which has a status, and a reason only where the answer is not complete."""
    if body.get("object") != "response":
        return None
    details, status = body.get("incomplete_details"), body.get("status")
    return details.get("reason") if isinstance(details, Mapping) else "stop" if status == "completed" else status


def _tools(body: Mapping[str, Any]) -> Told:
    """What the provider's own tools did, where only the answer's content tells: OpenAI's calls, Google's queries."""
    told: Told = {}
    for item in _items(body, "output"):
        if (name := _TOOL_CALLS.get(str(item.get("type")))) is not None:
            told[name] = told.get(name, 0) + 1
    for candidate in _items(body, "candidates"):
        grounds = candidate.get("grounding_metadata") or candidate.get("groundingMetadata")
        if isinstance(grounds, Mapping):
            queries = grounds.get("web_search_queries") or grounds.get("webSearchQueries")
            if isinstance(queries, list):
                told[_GROUNDING] = told.get(_GROUNDING, 0) + sum(map(bool, queries))
    return told
