"""What OpenAI and its kin say they will bill.

From OpenAI's API reference: `prompt_tokens` includes `cached_tokens`, `completion_tokens` includes `reasoning_tokens`;
the Responses API says the same with `input_tokens` and `output_tokens`.  xAI counts reasoning beside completion tokens;
then, and only then, the three add up to `total_tokens`, which is how it is told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from otel_llm_cost.read import count, items, number, text, view, within
from otel_llm_cost.record import Usage

_XAI_TICKS_PER_USD: Final = Decimal(10) ** 10
_BILLED: Final = frozenset({"web_search_call", "file_search_call"})
_ENDED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})


def tokens(usage: Mapping[str, Any], answer: Mapping[str, Any]) -> Usage | None:
    """The usage of a generation; `answer` is what it stands in, which lists the tools that were called."""
    prompt = _either(count(usage, "prompt_tokens"), count(usage, "input_tokens"))
    completion = _either(count(usage, "completion_tokens"), count(usage, "output_tokens"))
    if prompt is None and completion is None:
        return None
    given = within(usage, "prompt_tokens_details") or within(usage, "input_tokens_details")
    made = within(usage, "completion_tokens_details") or within(usage, "output_tokens_details")
    reasoning = _either(count(made, "reasoning_tokens"), count(usage, "reasoning_tokens"))
    if reasoning and count(usage, "total_tokens") == (prompt or 0) + (completion or 0) + reasoning:
        completion = (completion or 0) + reasoning
    lifetimes = within(given, "cache_write_tokens_details")
    searches, file_searches = _tools(answer) if "output" in answer else (None, None)
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        cache_read_input_tokens=_either(count(given, "cached_tokens"), count(usage, "prompt_cache_hit_tokens")),
        cache_write_input_tokens=count(given, "cache_write_tokens"),
        cache_write_30m_input_tokens=_some(count(lifetimes, "ttl_30m_tokens")),
        cache_write_12h_input_tokens=_some(count(lifetimes, "ttl_12h_tokens")),
        reasoning_output_tokens=reasoning,
        audio_input_tokens=_some(count(given, "audio_tokens")),
        image_input_tokens=_some(count(given, "image_tokens")),
        audio_output_tokens=_some(count(made, "audio_tokens")),
        image_output_tokens=_some(count(made, "image_tokens")),
        web_search_requests=_either(count(within(usage, "server_tool_use_details"), "web_search_requests"), searches),
        file_search_requests=file_searches,
    )


def pictures(usage: Mapping[str, Any], answer: Mapping[str, Any]) -> Usage | None:
    """Of the image endpoints.  Output that is not told apart is images: text beside them is always told."""
    told = tokens(usage, answer)
    if told is None:
        return None
    given, made = within(usage, "input_tokens_details"), within(usage, "output_tokens_details")
    return told._replace(
        text_input_tokens=_some(count(given, "text_tokens")),
        text_output_tokens=_some(count(made, "text_tokens")),
        image_output_tokens=told.image_output_tokens if made else told.output_tokens,
    )


def speech(usage: Mapping[str, Any], answer: Mapping[str, Any]) -> Usage | None:
    """Of a transcription that is billed by tokens; one that is billed by the second says no tokens."""
    told = tokens(usage, answer)
    if told is None:
        return None
    given = within(usage, "input_token_details")
    return told._replace(
        text_input_tokens=_some(count(given, "text_tokens")), audio_input_tokens=_some(count(given, "audio_tokens"))
    )


def in_background(usage: Mapping[str, Any], answer: Mapping[str, Any]) -> Usage | None:
    """Of a stored response.  It was billed when it was created, where also its usage was told.

    Not so one that runs in the background: creating it answers `queued`, and only who fetches it later learns of its
    usage.  Every fetch after its end tells it again, under the same response id.
    """
    if answer.get("background") is not True or answer.get("status") not in _ENDED:
        return None
    return tokens(usage, answer)


def stated_cost(usage: Mapping[str, Any]) -> str | None:
    """OpenRouter and Perplexity state USD, xAI ticks of 1e-10 USD."""
    ticks = count(usage, "cost_in_usd_ticks")
    if ticks is not None:
        return format(Decimal(ticks) / _XAI_TICKS_PER_USD, "f")
    stated = number(usage, "cost")
    stated = number(within(usage, "cost"), "total_cost") if stated is None else stated
    return format(Decimal(repr(stated)), "f") if stated is not None else None


def _tools(answer: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Searches of the web and of files; they are billed by the call.

    Where the answer itself counts the searches of the web, that counts: discounted ones are not in it.
    """
    called = [call for raw in items(answer, "output") if text(call := view(raw), "type") in _BILLED]
    if not called:
        return None, None
    files = sum(call["type"] == "file_search_call" for call in called)
    # opening or reading a page that a search found is not a search
    web = sum(text(within(call, "action"), "type") in (None, "search") for call in called) - files
    billable = count(within(within(answer, "tool_usage"), "web_search"), "num_requests") if web else None
    return _either(billable, web or None), files or None


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def _some(tokens: int | None) -> int | None:
    """Every answer lists every modality; a zero there says no more than silence."""
    return tokens or None
