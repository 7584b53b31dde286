"""What single families of instrumentations say in their own way, and how it is brought to ours.

A family is known by the scope of its spans.  Its reader works on the attributes in place, under the names that the
family wrote or under ours; the tables of `names` are applied after it.  It returns False for a span that is no call,
though it looks like one.  What was found out here was found on the real spans: `tests/dialects` runs each family.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from otel_llm_cost.attributes import OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL

from . import langfuse
from .names import (
    CACHE_READ,
    CACHE_WRITE,
    ESTIMATED,
    ESTIMATED_COUNTS,
    INPUT,
    OLD_CACHE_WRITE,
    OUTPUT,
    REASONING,
    REQUEST_TIER,
    RESPONSE_ID,
    STREAM,
)
from .vendor_json import answer, count, parsed, usage

Attributes = dict[str, Any]
Reader = Callable[[Attributes, str], bool]
"""Attributes and the span's name → whether the span may be a call."""

ANTHROPIC_SDK: Final = "com.anthropic.sdk.python"
"""The scope of the spans that the Anthropic SDK makes of itself; those of its cloud clients have a word more."""
_COMPACTIONS: Final = (
    (INPUT, "anthropic.usage.compaction.input_tokens"),
    (OUTPUT, "anthropic.usage.compaction.output_tokens"),
)
_OPENLIT: Final = "openlit.instrumentation."
_OPENLIT_PROVIDERS: Final = {"openai": "openai", "anthropic": "anthropic", "google_ai_studio": "gcp.gemini"}
_OPENINFERENCE: Final = "openinference.instrumentation."
_TOTALS: Final = ("input_tokens", "output_tokens")


def _anthropic_sdk(told: Attributes, name: str) -> bool:  # noqa: ARG001  # as every reader
    """Its totals leave out what a compaction used, which is billed with the call.

    It has a span for each of its requests, and names the operation of those that are calls.
    """
    for total, compaction in _COMPACTIONS:
        if compaction in told and isinstance(told.get(total), int):
            told[total] += count(told[compaction])
    return OPERATION in told


def _openllmetry_anthropic(told: Attributes, name: str) -> bool:  # noqa: ARG001
    """Of a stream it adds the output of `message_start`, a placeholder, to that of `message_delta`, the truth."""
    if told.get("gen_ai.is_streaming") is True and OUTPUT in told:
        _doubt(told, ("output_tokens",))
    return True


def _openllmetry_google(told: Attributes, name: str) -> bool:  # noqa: ARG001
    """Its output is the candidates' tokens alone.  What is left of the total are thoughts, or what tools brought in.

    The span does not tell which; nearly always it is thoughts, and so it is taken, and marked as an estimate.
    """
    total = told.get("gen_ai.usage.total_tokens", told.get("llm.usage.total_tokens"))
    left = count(total) - count(told.get(INPUT)) - count(told.get(OUTPUT))
    if left > 0 and INPUT in told and REASONING not in told:
        told[OUTPUT], told[REASONING] = count(told.get(OUTPUT)) + left, left
        _doubt(told, _TOTALS)
    return True


def _doubt(told: Attributes, counts: tuple[str, ...]) -> None:
    told[ESTIMATED], told[ESTIMATED_COUNTS] = True, counts


def _openinference(told: Attributes, name: str) -> bool:
    """It keeps the request and the whole answer as JSON, unless it is told to hide them."""
    kind = told.get("openinference.span.kind")
    asked = _parameters(told, "embedding" if kind == "EMBEDDING" else "llm")
    if kind == "LLM":
        said = answer(parsed(told.get("output.value"))) if told.get("output.mime_type") == "application/json" else {}
        if not said and "llm.token_count.prompt" not in told and "llm.model_name" in told:
            asked.setdefault(REQUEST_MODEL, told.pop("llm.model_name"))  # nothing came back: it is what was asked for
        told |= said
        if name.endswith("Stream"):
            asked.setdefault(STREAM, True)
    for ours, value in asked.items():
        told.setdefault(ours, value)
    return True


def _parameters(told: Attributes, kind: str) -> Attributes:
    """What was asked for, as far as the parameters of the call say it."""
    asked = parsed(told.get(f"{kind}.invocation_parameters"))
    if not isinstance(asked, dict):
        return {}
    said = {REQUEST_MODEL: asked.get("model"), REQUEST_TIER: asked.get("service_tier")}
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    return texts | ({STREAM: True} if asked.get("stream") is True else {})


def _openlit(vendor: str) -> Reader:
    """It writes the vendors' own bare counts, and nothing at all on some calls that fail but the span's name."""
    provider = _OPENLIT_PROVIDERS.get(vendor)

    def read(told: Attributes, name: str) -> bool:
        operation, _, model = name.partition(" ")
        if provider and operation in ("chat", "embeddings") and model and OPERATION not in told:
            told |= {OPERATION: operation, PROVIDER: provider, REQUEST_MODEL: model}
        streamed = told.get(STREAM) is True
        if streamed and isinstance(first := told.get("gen_ai.server.time_to_first_token"), float):
            told.setdefault("gen_ai.response.time_to_first_chunk", first)
        if vendor == "anthropic":
            _add(told, INPUT, told.get(CACHE_READ), told.get(OLD_CACHE_WRITE, told.get(CACHE_WRITE)))
        if vendor == "google_ai_studio":
            _add(told, OUTPUT, told.get("gen_ai.usage.reasoning_tokens"))
        if vendor == "openai" and streamed and INPUT in told and CACHE_READ not in told:
            _doubt(told, _TOTALS)  # nobody told it: it counts with a tokenizer of its own
        return True

    return read


def _add(told: Attributes, total: str, *more: Any) -> None:
    if isinstance(told.get(total), int):
        told[total] += sum(map(count, more))


def _logfire(told: Attributes, name: str) -> bool:  # noqa: ARG001
    """It keeps the vendor's usage as JSON; of a stream it has two spans, one that opens it and a log at its end.

    The first says nothing of what was used, and is no call where it did not fail.
    """
    raw = parsed(told.get("gen_ai.usage.raw"))
    response = parsed(told.get("response_data"))
    raw = response.get("usage") if raw is None and isinstance(response, dict) else raw
    told |= usage(raw)
    asked = parsed(told.get("request_data"))
    if isinstance(asked, dict) and isinstance(asked.get("service_tier"), str):
        told.setdefault(REQUEST_TIER, asked["service_tier"])
    kind, silent = told.get("logfire.span_type"), INPUT not in told and RESPONSE_ID not in told
    if kind == "log":
        told.setdefault(STREAM, True)
        told[TOOK] = told.get("duration")  # the log is a moment, the end of the stream
    if silent:
        told.pop(RESPONSE_MODEL, None)  # it is the name that was asked for
    failed = count(told.get("logfire.level_num")) >= _LOGFIRE_ERROR
    return kind != "pending_span" and not (kind == "span" and silent and not failed)


TOOK: Final = "llm_cost.dialects.took"
"""Seconds that a call had taken at the start of its span, which then is its end."""
_LOGFIRE_ERROR: Final = 17
"""OpenTelemetry's number of the severity ERROR."""
READERS: Final[dict[str, Reader]] = {
    "opentelemetry.instrumentation.anthropic": _openllmetry_anthropic,
    "opentelemetry.instrumentation.google_generativeai": _openllmetry_google,
    "opentelemetry.instrumentation.vertexai": _openllmetry_google,
    "logfire.openai": _logfire,
    "logfire.anthropic": _logfire,
    "langfuse-sdk": langfuse.read,
}


def reader_of(scope_name: str) -> Reader | None:
    """How the spans of a scope are read before the tables; None where the tables are all that is needed."""
    return _reader(scope_name[:_LONGEST_SCOPE])


_LONGEST_SCOPE: Final = 256
"""Characters of a scope that tell whose it is; what is remembered must not be a text of any length."""


@lru_cache(256)
def _reader(scope_name: str) -> Reader | None:
    if scope_name.startswith(ANTHROPIC_SDK):
        return _anthropic_sdk
    if scope_name.startswith(_OPENLIT):
        return _openlit(scope_name[len(_OPENLIT) :])
    if scope_name.startswith(_OPENINFERENCE):
        return _openinference
    return READERS.get(scope_name)
