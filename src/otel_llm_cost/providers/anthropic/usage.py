"""What is billed.

From Anthropic's API reference and the SDK's types: `input_tokens` leaves out what was read from and written to the
cache, so the total here is the sum of the three; `output_tokens` includes thinking.  The counts of a stream are
cumulative.  `iterations` lists the samplings behind one answer: the headline counts are the sum of its `message`
entries, a `compaction` is billed on top of them and is added here, and an `advisor_message` is billed on top too, but
at the price of another model: it is told aside.  Where a refusal made another model answer, the headline counts are
those of the one that answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_llm_cost.read import count, items, text, view, within
from otel_llm_cost.record import Usage

_CACHE: Final = (
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_5m_input_tokens",
    "cache_write_1h_input_tokens",
)


def used(usage: Mapping[str, Any]) -> Usage | None:
    """The headline counts and what compactions add to them; None where there are no counts."""
    headline = _counted(usage)
    compactions = [used for entry in _iterations(usage, "compaction") if (used := _counted(entry)) is not None]
    return headline if headline is None or not compactions else _compacted(headline, compactions)


def _counted(usage: Mapping[str, Any]) -> Usage | None:
    """The counts of an answer, or of one entry of its iterations.

    Every answer lists every lifetime and every tool; a zero there says no more than silence.  To fetch a page is free.
    """
    fresh, output = count(usage, "input_tokens"), count(usage, "output_tokens")
    if fresh is None and output is None:
        return None
    read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    lifetimes, tools = within(usage, "cache_creation"), within(usage, "server_tool_use")
    short, long = count(lifetimes, "ephemeral_5m_input_tokens"), count(lifetimes, "ephemeral_1h_input_tokens")
    if written is None:
        written = _sum((short, long))
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=output,
        cache_read_input_tokens=read,
        cache_write_input_tokens=written,
        cache_write_5m_input_tokens=short or None,
        cache_write_1h_input_tokens=long or None,
        reasoning_output_tokens=count(within(usage, "output_tokens_details"), "thinking_tokens"),
        web_search_requests=count(tools, "web_search_requests") or None,
        code_execution_requests=count(tools, "code_execution_requests") or None,
    )


def _compacted(headline: Usage, compactions: list[Usage]) -> Usage:
    """Compactions are part of the totals; where the headline lacks one, the sum is unknown too."""
    read, written = (_sum(getattr(made, f"{way}_tokens") for made in compactions) for way in ("input", "output"))
    cached: dict[str, Any] = {name: _sum(getattr(made, name) for made in (headline, *compactions)) for name in _CACHE}
    return headline._replace(
        input_tokens=None if headline.input_tokens is None else headline.input_tokens + (read or 0),
        output_tokens=None if headline.output_tokens is None else headline.output_tokens + (written or 0),
        compaction_input_tokens=read,
        compaction_output_tokens=written,
        **cached,
    )


def served_by(usage: Mapping[str, Any]) -> str | None:
    """The model that answered after another had refused; the start of the stream may name the one that refused."""
    return next((text(entry, "model") for entry in _iterations(usage, "fallback_message")), None)


def advised(usage: Mapping[str, Any]) -> tuple[tuple[str, Usage], ...] | None:
    """(model, usage) of every advisor that was asked."""
    found = [(text(entry, "model"), _counted(entry)) for entry in _iterations(usage, "advisor_message")]
    return tuple((model, counted) for model, counted in found if model and counted is not None) or None


def _iterations(usage: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [entry for raw in items(usage, "iterations") if (entry := view(raw)).get("type") == kind]


def _sum(counts: Iterable[int | None]) -> int | None:
    """None where nobody said anything."""
    said = [tokens for tokens in counts if tokens is not None]
    return sum(said) if said else None
