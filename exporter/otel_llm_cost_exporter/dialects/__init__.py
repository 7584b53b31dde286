"""Spans of many hands, read as if they had been written by ours.

GenAI spans come from older OpenTelemetry conventions, OpenLLMetry, OpenInference, OpenLIT, Logfire, Langfuse, the
Anthropic SDK itself and others.  They differ in names (`names`), in what they count (`families`: whether input
includes the cache and output the reasoning), in saying it in JSON (`vendor_json`) and in how they fail (`failures`).
Who wrote a span is known by its scope.  Of an unknown scope only what the span itself proves is corrected.
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm_cost.attributes import FINISH_REASONS, OPERATION, PROVIDER, TIME_TO_FIRST_CHUNK

from .failures import explain
from .families import ANTHROPIC_SDK, TOOK, reader_of
from .names import (
    CACHE_READ,
    CACHE_WRITE,
    FOREIGN,
    INPUT,
    OLD_CACHE_WRITE,
    OPERATIONS,
    OUTPUT,
    PROVIDERS,
    REASONING,
    STREAM,
)
from .names import listed as _listed

__all__ = ["ANTHROPIC_SDK", "FOREIGN", "OURS", "PROVIDERS", "SIGNS", "TOOK", "explain", "normalise", "tells_by_name"]

OURS: Final = "otel_llm_cost"
"""The scope of our own spans, which need no translation."""
SIGNS: Final = frozenset(FOREIGN) | {"langfuse.observation.type", "gen_ai.usage.raw"}
"""Foreign names that only a span of a model's use has."""
_GEMINI: Final = frozenset({"gcp.gemini", "gcp.gen_ai"})
_ENUM: Final = "FinishReason."


def normalise(attributes: dict[str, Any], scope_name: str = "", span_name: str = "") -> dict[str, Any] | None:
    """The attributes under our names and in our convention, or None where the span is no call.

    The given dictionary is used up.
    """
    if scope_name == OURS:
        return attributes
    read = reader_of(scope_name)
    if read is not None and not read(attributes, span_name):
        return None
    if not FOREIGN.keys().isdisjoint(attributes):
        for name, (ours, translate) in FOREIGN.items():
            if name in attributes and (value := translate(attributes.pop(name))) is not None:
                attributes.setdefault(ours, value)
    _rename(attributes)
    if TIME_TO_FIRST_CHUNK in attributes:
        attributes.setdefault(STREAM, True)
    _include(attributes, INPUT, CACHE_READ, CACHE_WRITE if CACHE_WRITE in attributes else OLD_CACHE_WRITE)
    _include(attributes, OUTPUT, REASONING)
    return attributes


def tells_by_name(scope_name: str) -> bool:
    """Whether spans of a scope may be calls though no attribute says so: some fail before they have any."""
    return scope_name.startswith("openlit.instrumentation.")


def _rename(attributes: dict[str, Any]) -> None:
    """Values that have a name of ours."""
    operation = attributes.get(OPERATION)
    if isinstance(operation, str):
        attributes[OPERATION] = OPERATIONS.get(operation, operation)
    provider = attributes.get(PROVIDER)
    if isinstance(provider, str):
        lower = provider.strip().lower()
        attributes[PROVIDER] = PROVIDERS.get(lower, lower)
        if attributes[PROVIDER] in _GEMINI and operation == "chat":
            attributes[OPERATION] = "generate_content"
    reasons = _listed(attributes.get(FINISH_REASONS))
    if isinstance(reasons, list):
        attributes[FINISH_REASONS] = [r.removeprefix(_ENUM) if isinstance(r, str) else r for r in reasons]


def _include(attributes: dict[str, Any], total: str, *parts: str) -> None:
    """A total that is less than its parts does not include them, whoever counted: then they are added."""
    whole = attributes.get(total)
    if type(whole) is int and whole >= 0:
        more = sum(part for name in parts if type(part := attributes.get(name)) is int)
        if more > whole:
            attributes[total] = whole + more
