"""What an answer of Google's says: a whole one, a chunk of a stream, an event of an interaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm_cost.read import count, items, text, view, within
from otel_llm_cost.record import Request, Response, Usage

from .failures import error_in
from .words import ending, lower

_UNBILLED: Final = frozenset({"count_tokens", "create_cache", "fetch_response"})
_TEXT: Final = {"TEXT"}


def response(body: Any, request: Request) -> Response:
    """Any whole answer, or one chunk of a stream: a chunk is an answer so far."""
    said = view(body)
    if "usage" in said or "status" in said:
        return _of_interaction(said, request)
    reasons = _finish_reasons(said)
    used = within(said, "usageMetadata")
    return Response(
        id=text(said, "responseId"),
        model=text(said, "modelVersion"),
        finish_reasons=reasons,
        service_tier=text(used, "trafficType") or text(used, "serviceTier"),
        usage=None if request.operation in _UNBILLED else _usage(said, used, ended=reasons is not None),
        error=error_in(body),
    )


def chunk(event: Any, request: Request) -> Response:
    """One chunk of generateContent, or an event of an interaction that carries the interaction so far."""
    said = view(event)
    return response(within(said, "interaction") or said, request)


def dull(event: bytes, request: Request) -> bool:  # noqa: ARG001
    """An interaction's deltas.  Text cannot be mistaken for these keys: inside a JSON string quotes are escaped."""
    return (
        event.find(b'"interaction"') < 0
        and event.find(b'"usage') < 0
        and event.find(b'"error"') < 0
        and event.find(b'"finishReason"') < 0
        and event.find(b'"step.delta"') >= 0
    )


def _finish_reasons(said: Mapping[str, Any]) -> tuple[tuple[int, str], ...] | None:
    """Google's own words in lower case; a prompt that was refused has its reason, and no candidates."""
    found = []
    for position, raw in enumerate(items(said, "candidates")):
        candidate = view(raw)
        number = count(candidate, "finishReason")  # of a reason that an old client has no name for
        if reason := lower(text(candidate, "finishReason")) or (str(number) if number else None):
            index = count(candidate, "index")
            found.append((position if index is None else index, reason))
    if not found and (blocked := text(within(said, "promptFeedback"), "blockReason")):
        return ((0, str.lower(blocked)),)
    return tuple(found) or None


def _usage(said: Mapping[str, Any], used: Mapping[str, Any], *, ended: bool) -> Usage | None:
    if not used:
        return _of_predictions(said)
    prompt, tools = count(used, "promptTokenCount"), count(used, "toolUsePromptTokenCount")
    thoughts, spoken = count(used, "thoughtsTokenCount"), count(used, "candidatesTokenCount")
    given = _sum(prompt, tools)
    if spoken is None and thoughts is None and ended and given is not None and count(used, "totalTokenCount") == given:
        spoken = 0
    made = _sum(spoken, thoughts)
    if given is None and made is None:
        return None
    return _filled(
        Usage(
            input_tokens=given,
            output_tokens=made,
            cache_read_input_tokens=count(used, "cachedContentTokenCount"),
            reasoning_output_tokens=thoughts,
            tool_use_input_tokens=tools,
            grounding_requests=_searches(said),
        ),
        _modalities(used, "tokenCount", "promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails"),
        _modalities(used, "tokenCount", "cacheTokensDetails"),
        _modalities(used, "tokenCount", "candidatesTokensDetails"),
    )


def _filled(usage: Usage, asked: dict[str, int], cached: dict[str, int], made: dict[str, int]) -> Usage:
    """A usage with its details by modality."""
    if not (asked or cached or made):
        return usage
    return usage._replace(
        text_input_tokens=asked.get("TEXT"),
        image_input_tokens=asked.get("IMAGE"),
        audio_input_tokens=asked.get("AUDIO"),
        text_cache_read_input_tokens=cached.get("TEXT"),
        image_cache_read_input_tokens=cached.get("IMAGE"),
        audio_cache_read_input_tokens=cached.get("AUDIO"),
        text_output_tokens=made.get("TEXT"),
        image_output_tokens=made.get("IMAGE"),
        audio_output_tokens=made.get("AUDIO"),
    )


def _modalities(used: Mapping[str, Any], figure: str, *names: str) -> dict[str, int]:
    """Modality → tokens, summed over all these lists; none where there is but text, which the totals say already."""
    out: dict[str, int] = {}
    for name in names:
        for raw in items(used, name):
            detail = view(raw)
            kind, tokens = text(detail, "modality"), count(detail, figure)
            if kind and tokens is not None:
                kind = str.upper(kind)
                out[kind] = out.get(kind, 0) + tokens
    return out if out.keys() != _TEXT else {}


def _searches(said: Mapping[str, Any]) -> int | None:
    """Search queries that were run.  Older models bill the prompt, newer ones each query; the price list knows."""
    found = [within(view(candidate), "groundingMetadata") for candidate in items(said, "candidates")]
    return sum(bool(query) for grounded in found for query in items(grounded, "webSearchQueries")) or None


def _of_predictions(said: Mapping[str, Any]) -> Usage | None:
    """Vertex embeddings count their tokens text by text."""
    found = [within(view(each), "embeddings") for each in items(said, "predictions")]
    counts = [count(within(embedding, "statistics"), "token_count") for embedding in found]
    known = [tokens for tokens in counts if tokens is not None]
    if not known:
        tokens = count(said, "tokenCount")  # one embedding of a batch
        return None if tokens is None else Usage(input_tokens=tokens)
    return Usage(input_tokens=sum(known)) if len(known) == len(counts) else None


def _of_interaction(said: Mapping[str, Any], request: Request) -> Response:
    status, used = text(said, "status"), within(said, "usage")
    ended = status not in (None, "in_progress", "queued")
    return Response(
        id=text(said, "id"),
        model=text(said, "model"),
        finish_reasons=((0, ending(status)),) if status and ended else None,
        service_tier=text(said, "service_tier"),
        usage=_interaction_usage(used) if used and request.operation not in _UNBILLED else None,
        error=error_in(said),
    )


def _interaction_usage(used: Mapping[str, Any]) -> Usage | None:
    tools, thoughts = count(used, "total_tool_use_tokens"), count(used, "total_thought_tokens")
    given, made = _sum(count(used, "total_input_tokens"), tools), _sum(count(used, "total_output_tokens"), thoughts)
    if given is None and made is None:
        return None
    counted = [view(raw) for raw in items(used, "grounding_tool_count")]
    searches = sum(count(each, "count") or 0 for each in counted if each.get("type") == "google_search")
    usage = Usage(
        input_tokens=given,
        output_tokens=made,
        cache_read_input_tokens=count(used, "total_cached_tokens"),
        reasoning_output_tokens=thoughts,
        tool_use_input_tokens=tools,
        grounding_requests=searches or None,
    )
    return _filled(
        usage,
        _modalities(used, "tokens", "input_tokens_by_modality", "tool_use_tokens_by_modality"),
        _modalities(used, "tokens", "cached_tokens_by_modality"),
        _modalities(used, "tokens", "output_tokens_by_modality"),
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return first if second is None else (first or 0) + second
