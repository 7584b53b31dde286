"""A prompt as Anthropic bills it: in the order tools, system, messages, each part with its place in the cache.

A `cache_control` block asks for the prompt to be kept up to its end, for five minutes or an hour.  What the cache
holds is read; from there to each breakpoint is written at that breakpoint's price; the rest is plain input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .prompt_cache import MINIMUM, Segment, held, marks, read, segment
from .reply import Ask

_FIVE_MINUTES: Final = 300
_HOUR: Final = 3600
_MEDIA_TOKENS: Final = 1568
"""Of an image or a document; a megapixel is about that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Tokens; the four add up to the whole prompt."""

    plain: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    prefixes: Mapping[str, int] = field(default_factory=dict)
    """What the cache holds from now on."""

    @property
    def total(self) -> int:
        return self.plain + self.read + self.written_5m + self.written_1h


def weigh(ask: Ask) -> Prompt:
    """The prompt's tokens by price."""
    found = marks(ask.model, _segments(ask.body))
    total = found[-1].upto if found else 0
    breakpoints = [mark for mark in found if mark.ttl]
    if not breakpoints:
        return Prompt(plain=total)
    at = known = read(ask, found[: found.index(breakpoints[-1]) + 1])
    written = dict.fromkeys((_FIVE_MINUTES, _HOUR), 0)
    for mark in breakpoints:
        if mark.upto > at and mark.upto >= MINIMUM:
            written[mark.ttl] += mark.upto - at
            at = mark.upto
    return Prompt(
        plain=total - at,
        read=known,
        written_5m=written[_FIVE_MINUTES],
        written_1h=written[_HOUR],
        prefixes=held(ask, breakpoints),
    )


def _segments(body: Mapping[str, Any]) -> Iterator[Segment]:
    for tool in body.get("tools") or ():
        yield _block(tool)
    yield from _blocks(body.get("system"))
    for message in body.get("messages") or ():
        yield segment(f"{message.get('role')}:")
        yield from _blocks(message.get("content"))


def _blocks(content: Any) -> Iterator[Segment]:
    if isinstance(content, str):
        yield segment(content)
    for block in content if isinstance(content, list) else ():
        yield _block(block)


def _block(block: Mapping[str, Any]) -> Segment:
    control = block.get("cache_control") or {}
    ttl = 0 if not control else _HOUR if control.get("ttl") == "1h" else _FIVE_MINUTES
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    if block.get("type") in ("image", "document"):
        return Segment(segment(bare).text, _MEDIA_TOKENS, ttl)
    return segment(block["text"] if block.get("type") == "text" else bare, ttl)
