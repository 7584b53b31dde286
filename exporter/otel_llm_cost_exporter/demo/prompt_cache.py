"""What a provider's prompt cache remembers: the beginnings of prompts, by fingerprint, until they expire.

A prompt is a sequence of segments.  After each of them stands a mark: the fingerprint of all that came so far, the
model included.  A prompt reads from the cache up to the last mark that the cache holds; what it adds to the cache is
the vendor's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import prose
from .reply import Ask

MINIMUM: Final = 1024
"""Tokens; shorter prefixes are not cached."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt; `ttl` in seconds where the caller wants the prompt cached up to its end, else 0."""

    text: str
    tokens: int
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """The end of a segment: `upto` tokens from the prompt's beginning."""

    key: str
    upto: int
    ttl: int


def segment(content: Any, ttl: int = 0) -> Segment:
    """A segment of plain text, or of anything that JSON can hold."""
    text = content if isinstance(content, str) else prose.canonical(content)
    return Segment(text, prose.tokens(text), ttl)


def marks(model: str, segments: Iterable[Segment]) -> list[Mark]:
    """One mark after each segment, in their order."""
    found: list[Mark] = []
    key, upto = prose.digest(model), 0
    for piece in segments:
        key, upto = prose.digest(key, piece.text), upto + piece.tokens
        found.append(Mark(key, upto, piece.ttl))
    return found


def read(ask: Ask, candidates: Iterable[Mark]) -> int:
    """How many tokens of the prompt the cache holds."""
    held = ask.memory.prefixes
    return max((m.upto for m in candidates if m.upto >= MINIMUM and held.get(m.key, 0) > ask.created), default=0)


def held(ask: Ask, chosen: Iterable[Mark]) -> Mapping[str, int]:
    """What the cache holds from now on, for `Reply.prefixes`."""
    return {mark.key: ask.created + mark.ttl for mark in chosen if mark.upto >= MINIMUM}
