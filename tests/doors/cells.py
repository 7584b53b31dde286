"""What a row of the document says: each cell is read off the spans of a walk.

An answer that holds a count which the span does not is found by the name of the count in the answer's own JSON; so a
dash means that there was nothing to capture, and what was missed is marked as such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm_cost import attributes as names
from otel_llm_cost.attributes import USAGE_NAMES

from .observe import Observed, Spans, Walk

NOTHING = "–"
MISSED = "✗"
YES = "✓"
_UNBILLED = frozenset({"count_tokens", "fetch_response", "create_cache"})
"""Operations that bill no tokens, or whose tokens were billed before."""

Group = tuple[tuple[str, str], ...]
TOKENS: Group = (("in", "input_tokens"), ("out", "output_tokens"))
CACHE: Group = (
    ("read", "cache_read_input_tokens"),
    ("write", "cache_write_input_tokens"),
    *((ttl, f"cache_write_{ttl}_input_tokens") for ttl in ("5m", "30m", "1h", "12h")),
)
REASONING: Group = ((YES, "reasoning_output_tokens"),)
KINDS: Group = tuple(
    (kind, f"{kind}_{way}_tokens") for kind in ("text", "image", "audio") for way in ("input", "output")
)
TOOLS: Group = (
    ("web search", "web_search_requests"),
    ("code execution", "code_execution_requests"),
    ("file search", "file_search_requests"),
    ("grounding", "grounding_requests"),
    ("tool input", "tool_use_input_tokens"),
)
ANSWER = (("id", "gen_ai.response.id"), ("model", names.RESPONSE_MODEL), ("finish", names.FINISH_REASONS))
TIER = "llm_cost.response.service_tier"

_SAID: dict[str, frozenset[str]] = {
    "in": frozenset({"prompt_tokens", "input_tokens", "promptTokenCount", "total_input_tokens", "token_count"}),
    "out": frozenset({"completion_tokens", "output_tokens", "candidatesTokenCount", "total_output_tokens"}),
    "read": frozenset({"cached_tokens", "cache_read_input_tokens", "cachedContentTokenCount", "total_cached_tokens"}),
    "write": frozenset({"cache_creation_input_tokens"}),
    "5m": frozenset({"ephemeral_5m_input_tokens"}),
    "1h": frozenset({"ephemeral_1h_input_tokens"}),
    YES: frozenset({"reasoning_tokens", "thinking_tokens", "thoughtsTokenCount", "total_thought_tokens"}),
    "image": frozenset({"image_tokens", "IMAGE tokens", "image tokens"}),
    "audio": frozenset({"audio_tokens", "AUDIO tokens", "audio tokens"}),
    "web search": frozenset({"web_search_requests", "web_search_call"}),
    "grounding": frozenset({"webSearchQueries", "grounding_tool_count"}),
    "tool input": frozenset({"toolUsePromptTokenCount", "total_tool_use_tokens"}),
}
"""Word of a cell → how vendors spell it in their answers."""
_TIERS = frozenset({"service_tier", "trafficType"})
_MODELS = frozenset({"model", "modelVersion"})


class Cells(NamedTuple):
    """One row, without its door."""

    operation: str
    answer: str
    tokens: str
    cache: str
    reasoning: str
    kinds: str
    tools: str
    tier: str
    first_chunk: str
    error: str
    retries: str
    cut: str


def cells(walk: Walk) -> Cells:
    """What was seen of a walk."""
    seen = walk.observed
    held = _attributes(seen.answered)
    if len(seen.answered) != walk.kit.spans:
        return Cells(f"{MISSED} not seen", *([MISSED] * 11))
    operations = sorted({str(_of(span)[names.OPERATION]) for span in seen.answered})
    unbilled = held[names.OPERATION] in _UNBILLED
    said: frozenset[str] = frozenset() if unbilled else frozenset(_spoken(_documents(walk.way.body)))
    tokens = _usage(TOKENS, held, said)
    return Cells(
        " ".join(f"`{name}`" for name in operations),
        _answer(held, said),
        "not billed" if unbilled and tokens == NOTHING else tokens,
        _usage(CACHE, held, said),
        _usage(REASONING, held, said),
        _usage(KINDS, held, said),
        _usage(TOOLS, held, said),
        YES if TIER in held else MISSED if said & _TIERS else NOTHING,
        _first_chunk(walk, held),
        _error(walk),
        _retries(walk),
        _cut(walk),
    )


def provider(walk: Walk) -> str:
    """Whom the spans name."""
    return str(_attributes(walk.observed.answered).get(names.PROVIDER, "")) or MISSED


def _of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def _attributes(spans: Spans) -> dict[str, Any]:
    """All that is held; the first span's where several hold it."""
    return {name: value for span in reversed(spans) for name, value in _of(span).items()}


def _answer(held: dict[str, Any], said: frozenset[str]) -> str:
    words = [word for word, name in ANSWER if name in held]
    missed = [f"{MISSED} model"] if "model" not in words and said & _MODELS else []
    return ", ".join([*words, *missed]) or NOTHING


def _usage(group: Group, held: dict[str, Any], said: frozenset[str]) -> str:
    captured = dict.fromkeys(word for word, field in group if USAGE_NAMES[field] in held)
    missed = dict.fromkeys(word for word, _ in group if word not in captured and _SAID.get(word, said - said) & said)
    return ", ".join([*captured, *(MISSED if word == YES else f"{MISSED} {word}" for word in missed)]) or NOTHING


def _first_chunk(walk: Walk, held: dict[str, Any]) -> str:
    if names.TIME_TO_FIRST_CHUNK in held:
        return YES
    return MISSED if walk.way.streamed and walk.kit.is_call else NOTHING


def _error(walk: Walk) -> str:
    if not walk.kit.is_call:
        return NOTHING
    held = _attributes(walk.observed.refused)
    told = (held.get(names.ERROR_CLASS), held.get(names.STATUS_CODE))
    return YES if told == ("rate_limit", walk.kit.refusal.status) and names.ERROR_TYPE in held else MISSED


def _retries(walk: Walk) -> str:
    """One try more, told by a count and by one event; and the answer to it was read as any other."""
    if not walk.kit.is_call:
        return NOTHING
    spans, answered = walk.observed.retried, walk.observed.answered
    if len(spans) != 1 or _of(spans[0]).get(names.RESEND_COUNT) != 1 or names.ERROR_TYPE in _of(spans[0]):
        return MISSED
    told = [dict(event.attributes or {}) for event in spans[0].events if event.name == names.ATTEMPT_EVENT]
    whole = set(_of(spans[0])) >= set(_of(answered[0]))
    return YES if whole and [event.get(names.STATUS_CODE) for event in told] == [walk.kit.refusal.status] else MISSED


def _cut(walk: Walk) -> str:
    if not walk.way.streamed or not walk.kit.is_call:
        return NOTHING
    if _unended(walk.observed):
        return MISSED
    held = _attributes(walk.observed.broken)
    if names.OUTCOME not in held:
        return "an error"  # the SDK reads such a stream to its end at once
    guessed = held.get(USAGE_NAMES["estimated_counts"], ())
    counts = [f"~{word}" if field in guessed else word for word, field in TOKENS if USAGE_NAMES[field] in held]
    return ", ".join(["outcome", *counts])


def _unended(seen: Observed) -> bool:
    broken, left = _attributes(seen.broken), _attributes(seen.left)
    told = broken.get(names.OUTCOME, "broken") == "broken" and broken.get(names.ERROR_CLASS) == "connection"
    return not told or names.OUTCOME not in left


# -- what an answer says


def _documents(body: Any) -> list[Any]:
    """The JSON documents of an answer; a body of another kind has none."""
    if isinstance(body, (bytes, str)):
        lines = body.splitlines() if body[:1] in (b"{", "{") else []
        return [json.loads(line) for line in lines]
    return body if isinstance(body, list) else [body]


def _spoken(node: Any) -> Iterator[str]:
    """Names that stand before something other than nothing, types, and the modalities that tokens are counted by."""
    if isinstance(node, list):
        for item in node:
            yield from _spoken(item)
    elif isinstance(node, dict):
        if "modality" in node:
            yield f"{node['modality']} tokens"
        for name, value in node.items():
            if value:
                yield name
                yield from _spoken(value)
        if isinstance(node.get("type"), str):
            yield node["type"]
