"""Values that no sender should send, and the names under which they would hurt most."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any, Final

from otel_llm_cost import attributes
from otel_llm_cost.record import MAX_COUNT
from otel_llm_cost_exporter.dialects import FOREIGN, SIGNS
from tests.exporter.test_dialects import ANTHROPIC_SAYS, CHAT_SAYS, GOOGLE_SAYS, RESPONSE_SAYS

from .wire import Field, double, join, message, text, whole

SECRET: Final = "what was asked in confidence"
"""Stands for a prompt in what is sent, and must stand in no log."""
NAMES: Final = (
    *attributes._READERS,
    *FOREIGN,
    *sorted(SIGNS),  # a set has another order in every process
    "llm_cost.tag.team",
    "llm_cost.tag.",
    "service.name",
    "deployment.environment.name",
    "gen_ai.usage.raw",
    "response_data",
    "request_data",
    "logfire.span_type",
    "logfire.level_num",
    "duration",
    "langfuse.observation.usage_details",
    "langfuse.observation.cost_details",
    "langfuse.observation.model.parameters",
    "langfuse.observation.metadata.finish_reason",
    "langfuse.observation.status_message",
    "openinference.span.kind",
    "output.value",
    "output.mime_type",
    "llm.invocation_parameters",
    "gen_ai.usage.total_tokens",
    "anthropic.usage.compaction.input_tokens",
    "gen_ai.server.time_to_first_token",
    "exception.type",
    "exception.message",
    "",
    "n" * 3000,
    "\x00",
)
WHOLES: Final = (
    *(0, 1, -1, 7, 17, 200, 404, 599, 65_536, 1000),
    *(MAX_COUNT, MAX_COUNT + 1, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1),
)
DOUBLES: Final = (math.nan, math.inf, -math.inf, -0.0, 0.0, 12.0, 1.5, -1.0, 5e-324, 1e18, 1.8e308 / 1.01, 1e300)
TEXTS: Final = (
    *("", "x", "0", "-1", "1e999", "NaN", "Infinity", "1" * 70, "9" * 4000, "9" * 5000, "1E-999999999", "1E+999999999"),
    *("sNaN", "-0", "0.0000000000004", "999999.9999999999996", "١٢", "1_000", "chat", "openai", "anthropic", "Gemini"),
    *("LLM", "generation", "execute_tool", "batch", "flex", "gpt-4o", "claude-opus-4-5", "\x00", "a\x00b", "\u202e"),
    "é" * 700,
    *("'; DROP TABLE llm_calls; --", "{{x}}", "%s%n", "\\", "\n\r", "\U0010ffff", "FinishReason.", "<class '", "429"),
    *("[", "{}", "[]", "null", "true", "NaN", "[1e999]", "[" * 5000, '{"a":' * 3000, "[" * 900 + "]" * 900),
    *("h" * 300 + ".openai.azure.com", "::1", "[::1", "xn--", "..", "https://[", "application/json", SECRET),
)
BAD_UTF8: Final = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xc0\x80", b"\xf0\x9f\x98")
BYTES: Final = (b"", b"\x00", bytes(16), bytes(8), b"\xff" * 16, b"i" * 7, b"i" * 15, b"i" * 17, b"i" * 400)
_USAGES: Final = (ANTHROPIC_SAYS, CHAT_SAYS, RESPONSE_SAYS, GOOGLE_SAYS, {"input": 3, "output": 4, "input_cached": 1})


def json_value(draw: Random, depth: int = 0) -> Any:
    """Anything that JSON can say, and what Python's reader takes besides."""
    kind = draw.randrange(8)
    if kind < 2 and depth < 4:
        return [json_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind < 4 and depth < 4:
        return {draw.choice(TEXTS)[:20]: json_value(draw, depth + 1) for _ in range(draw.randrange(4))}
    if kind == 4:
        return draw.choice(TEXTS)
    if kind == 5:
        return draw.choice((*WHOLES, 10**30, 10**400, -(10**400)))
    return draw.choice((*DOUBLES, None, True, False))


def vendor_json(draw: Random) -> str:
    """A vendor's usage, or a whole answer around it, with something wrong in it."""
    said = disturbed(draw, draw.choice(_USAGES))
    if draw.random() < 0.5:
        about = {"object": "chat.completion", "type": "message", "id": "r", "model": "gpt-4o", "choices": [{}]}
        more = {"candidates": [{"finishReason": "STOP", "groundingMetadata": {"webSearchQueries": ["a"]}}]}
        said = disturbed(draw, about | (more if draw.random() < 0.3 else {}) | {"usage": said, "output": [{}]})
    return json.dumps(said)


def disturbed(draw: Random, value: Any) -> Any:
    """The same with one of its parts replaced; what is given stays as it is."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        key = draw.choice(list(value))
        return {**value, key: disturbed(draw, value[key])}
    if isinstance(value, list) and value and draw.random() < 0.8:
        index = draw.randrange(len(value))
        return [*value[:index], disturbed(draw, value[index]), *value[index + 1 :]]
    return json_value(draw)


def asides(draw: Random) -> str:
    """One of `llm_cost.asides` with something wrong in it."""
    usage = dict.fromkeys(draw.sample(list(attributes.USAGE_NAMES.values()), 3), 5)
    return json.dumps(disturbed(draw, {"model": "gpt-4o"} | usage))


def any_value(draw: Random, depth: int = 0) -> bytes:
    """A serialized `AnyValue` of any kind, most of them well-formed."""
    return draw.choice(_KINDS)(draw, depth)


def key_value(draw: Random) -> bytes:
    """A serialized `KeyValue` under a name that is read."""
    name = draw.choice(NAMES)
    return join([text(1, name), Field(2, 2, any_value(draw))])


def _text(draw: Random, depth: int) -> bytes:
    del depth
    return join([text(1, draw.choice(TEXTS))])


def _json(draw: Random, depth: int) -> bytes:
    del depth
    return join([text(1, draw.choice((vendor_json, asides))(draw))])


def _bad_text(draw: Random, depth: int) -> bytes:
    del depth
    return join([text(1, draw.choice(BAD_UTF8))])


def _whole(draw: Random, depth: int) -> bytes:
    del depth
    return join([whole(3, draw.choice(WHOLES))])


def _double(draw: Random, depth: int) -> bytes:
    del depth
    return join([double(4, draw.choice(DOUBLES))])


def _other(draw: Random, depth: int) -> bytes:
    """A flag, bytes, nothing at all, or two kinds at once."""
    del depth
    some = (whole(2, draw.choice((0, 1, 2, 2**64 - 1))), text(7, draw.choice(BYTES)), text(1, "x"), double(4, 1.0))
    return join(draw.sample(some, draw.choice((0, 1, 1, 2))))


def _list(draw: Random, depth: int) -> bytes:
    if depth > 3:
        return b""
    items = [Field(1, 2, any_value(draw, depth + 1)) for _ in range(draw.randrange(5))]
    return join([message(5, *items)])


def _texts(draw: Random, depth: int) -> bytes:
    """What finish reasons and the like are."""
    del depth
    make: Callable[[], str] = draw.choice((lambda: draw.choice(TEXTS), lambda: asides(draw)))
    return join([message(5, *(message(1, text(1, make())) for _ in range(draw.choice((1, 2, 100)))))])


def _map(draw: Random, depth: int) -> bytes:
    if depth > 3:
        return b""
    pairs = [message(1, text(1, "k"), Field(2, 2, any_value(draw, depth + 1))) for _ in range(draw.randrange(4))]
    return join([message(6, *pairs)])


def _deep(draw: Random, depth: int) -> bytes:
    """Nested as deep as the parser bears, or deeper."""
    del depth
    value = join([text(1, "x")])
    outer = draw.choice((5, 6))
    for _ in range(draw.choice((20, 30, 44, 46, 47, 48, 49, 60, 500))):
        value = join([message(5, Field(1, 2, value)) if outer == 5 else message(6, message(1, Field(2, 2, value)))])
    return value


_KINDS: Final[tuple[Callable[[Random, int], bytes], ...]] = (
    *(_text, _text, _json, _json, _whole, _whole, _double, _other, _list, _texts, _map),
    *(_deep, _bad_text),
)
