"""What a Gemini call costs in tokens, and in which words Google says it.

`promptTokenCount` includes what was read from the cache.  Thoughts stand beside the candidates' tokens, and what a
tool fetched stands beside the prompt; both are billed, as output and as input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_llm_cost.record import Usage

from .gemini_models import segments
from .prompt_cache import held, marks, read
from .reply import Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Tokens by modality, how many of them the cache held, and what it holds from now on."""

    modalities: Mapping[str, int]
    cached: int
    prefixes: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.modalities.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A prompt and what was made of it."""

    prompt: Prompt
    spoken: int
    """Tokens of the candidates."""
    thoughts: int
    fetched: int
    """Tokens that tools brought in."""
    queries: int | None
    """Searches made; `None` where the model had no search."""

    def record(self) -> Usage:
        """In the ledger's convention: totals include thoughts and what tools brought in."""
        return Usage(
            input_tokens=self.prompt.total + self.fetched,
            output_tokens=self.spoken + self.thoughts,
            cache_read_input_tokens=self.prompt.cached,
            reasoning_output_tokens=self.thoughts,
            image_input_tokens=self.prompt.modalities.get("IMAGE"),
            audio_input_tokens=self.prompt.modalities.get("AUDIO"),
            grounding_requests=self.queries,
        )

    def metadata(self, spoken: int | None = None) -> dict[str, Any]:
        """`usageMetadata`, of a stream so far where `spoken` tells how far it is."""
        said = self.spoken if spoken is None else spoken
        counts = {
            "promptTokenCount": self.prompt.total,
            "candidatesTokenCount": said,
            "totalTokenCount": self.prompt.total + said + self.thoughts + self.fetched,
            "cachedContentTokenCount": self.prompt.cached,
            "thoughtsTokenCount": self.thoughts,
            "toolUsePromptTokenCount": self.fetched,
        }
        details: dict[str, Any] = {"promptTokensDetails": _details(self.prompt.modalities), "trafficType": "ON_DEMAND"}
        if self.prompt.cached:
            details["cacheTokensDetails"] = _details({"TEXT": self.prompt.cached})
        if self.fetched:
            details["toolUsePromptTokensDetails"] = _details({"TEXT": self.fetched})
        return {name: count for name, count in counts.items() if count} | details


def weigh(ask: Ask) -> Prompt:
    """The prompt's tokens, as far as possible from the cache that the provider keeps unasked."""
    pieces = list(segments(ask.body))
    modalities: dict[str, int] = {}
    for modality, piece in pieces:
        modalities[modality] = modalities.get(modality, 0) + piece.tokens
    found = marks(ask.model, (piece for _, piece in pieces))
    return Prompt(modalities=modalities, cached=read(ask, found), prefixes=held(ask, found))


def _details(modalities: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in modalities.items()]
