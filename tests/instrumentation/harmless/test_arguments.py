"""Arguments of any kind reach the SDK as they are given; who cannot read them keeps quiet."""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google.genai import types
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

import otel_llm_cost
from tests.instrumentation.conftest import watching

from .doors import INSTRUMENTORS, SOME
from .faults import fail

pytestmark = pytest.mark.integration

TEXT = "Where?"
SPOKEN = {"role": "user", "content": TEXT}


class Text(str):
    """A text of the program's own kind."""

    __slots__ = ()


class Hostile:
    """Nothing can be asked of it."""

    __getattr__ = __eq__ = __bool__ = __len__ = __iter__ = __repr__ = __str__ = __hash__ = __getitem__ = fail


class Headers(dict[str, str]):
    """Headers that cannot be looked through a second time."""

    def items(self) -> Any:
        return iter(list(super().items()))


class HostileDict(dict[str, Any]):
    """Cannot be asked whether there is anything in it."""

    __bool__ = __len__ = fail


def _messages() -> Iterator[dict[str, str]]:
    yield SPOKEN


OPENAI: dict[str, Any] = {
    "a generator": lambda: {"messages": _messages()},
    "a tuple": lambda: {"messages": (SPOKEN,)},
    "a deque": lambda: {"messages": collections.deque([SPOKEN])},
    "parts from a generator": lambda: {
        "messages": [{"role": "user", "content": (part for part in [{"type": "text", "text": TEXT}])}]
    },
    "an SDK object": lambda: {"messages": [openai.types.chat.ChatCompletionMessage(role="assistant", content=TEXT)]},
    "texts of another kind": lambda: {"model": Text("gpt-4o"), "messages": [{"role": "user", "content": Text(TEXT)}]},
    "omitted": lambda: {
        "messages": [SPOKEN],
        "temperature": openai.omit,
        "stop": openai.NOT_GIVEN,
        "stream": openai.omit,
    },
    "hostile metadata": lambda: {"messages": [SPOKEN], "metadata": {"a": Hostile()}},
    "hostile mapping": lambda: {"messages": [SPOKEN], "metadata": HostileDict({"a": "b"})},
    "hostile message": lambda: {"messages": [Hostile()]},
    "hostile headers": lambda: {"messages": [SPOKEN], "extra_headers": Headers({"x-llm-cost-feature": "f"})},
    "a hostile header": lambda: {"messages": [SPOKEN], "extra_headers": {"x-y": Hostile()}},
    "half a character": lambda: {"model": "gpt-\ud800", "messages": [SPOKEN]},
    "half a character said": lambda: {"messages": [{"role": "user", "content": "\ud83d"}]},
    "a huge seed": lambda: {"messages": [SPOKEN], "seed": 10**30, "max_tokens": -1, "temperature": float("nan")},
    "no model": lambda: {"model": None, "messages": None},
    "an extra body": lambda: {"messages": [SPOKEN], "extra_body": {"stream_options": 5, "metadata": [1]}},
    "a large number": lambda: {"messages": [SPOKEN], "n": 1e400, "top_p": 10**400},
    "stop words": lambda: {"messages": [SPOKEN], "stop": [1, None, "x"], "stream_options": {"include_usage": None}},
}
ANTHROPIC: dict[str, Any] = {
    "a generator": lambda: {"messages": _messages()},
    "a tuple": lambda: {"messages": (SPOKEN,), "stop_sequences": ("a",)},
    "an SDK object": lambda: {
        "messages": [{"role": "assistant", "content": [anthropic.types.TextBlock(type="text", text=TEXT)]}]
    },
    "texts of another kind": lambda: {"model": Text("claude"), "messages": [{"role": "user", "content": Text(TEXT)}]},
    "omitted": lambda: {"messages": [SPOKEN], "temperature": anthropic.omit, "system": anthropic.NOT_GIVEN},
    "hostile metadata": lambda: {"messages": [SPOKEN], "metadata": {"user_id": Hostile()}},
    "hostile message": lambda: {"messages": [Hostile()]},
    "half a character": lambda: {"model": "claude-\ud800", "messages": [SPOKEN]},
    "no messages": lambda: {"messages": None, "max_tokens": 10**30},
}
GOOGLE: dict[str, Any] = {
    "a list": lambda: {"contents": [TEXT, types.Part.from_text(text=TEXT)]},
    "a content": lambda: {"contents": types.UserContent(parts=[types.Part.from_text(text=TEXT)])},
    "a mapping": lambda: {"contents": {"role": "user", "parts": [{"text": TEXT}]}},
    "a generator": lambda: {"contents": (part for part in [TEXT])},
    "bytes": lambda: {"contents": types.Part.from_bytes(data=b"\xff\xd8", mime_type="image/jpeg")},
    "hostile": lambda: {"contents": Hostile()},
    "labels": lambda: {"contents": TEXT, "config": {"labels": {"llm_cost_feature": "f"}, "seed": 2**62}},
    "half a character": lambda: {"model": "gemini-\ud800", "contents": TEXT},
    "a function": lambda: {"contents": TEXT, "config": {"tools": [len]}},
    "options": lambda: {
        "contents": TEXT,
        "config": {"http_options": {"headers": Headers({"x-llm-cost-feature": "f"})}},
    },
}


class _Keeps(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _call(sdk: str, client: Any, given: dict[str, Any], *, stream: bool) -> Any:
    if sdk == "openai":
        return client.chat.completions.create(**{"model": "gpt-4o", "stream": stream, **given})
    if sdk == "anthropic":
        return client.messages.create(**{"model": "claude", "max_tokens": 9, "stream": stream, **given})
    method = client.models.generate_content_stream if stream else client.models.generate_content
    return method(**{"model": "gemini-2.5-flash", **given})


def _outcome(sdk: str, made: Any, *, stream: bool) -> tuple[Any, list[bytes]]:
    name = {"openai": "chat", "anthropic": "messages", "google": ""}[sdk]
    way = (
        f"{name} {'stream' if stream else 'create'}".strip() if sdk != "google" else "stream" if stream else "generate"
    )
    door = next(door for door in SOME if door.sdk == sdk and door.way.name == way and not door.asynchronous)
    host = door.host()
    try:
        with host.client() as client:
            result = _call(sdk, client, made(), stream=stream)
            return (repr(list(result)) if hasattr(result, "__next__") else repr(result)), _sent(host)
    except Exception as exc:  # noqa: BLE001  # what is compared
        return (type(exc), str(exc) if not isinstance(exc, RecursionError) else ""), _sent(host)


def _sent(host: Any) -> list[bytes]:
    return [body.replace(b',"stream_options":{"include_usage":true}', b"") for body in host.requests]


def _encodes(spans: list[ReadableSpan]) -> list[str]:
    """What the exporter says of the spans; one that cannot be encoded would take every other in its batch with it."""
    keeps, log = _Keeps(), logging.getLogger("opentelemetry")
    log.addHandler(keeps)
    try:
        encode_spans(spans).SerializeToString()
    finally:
        log.removeHandler(keeps)
    return keeps.said


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("sdk", "name"),
    [
        (sdk, name)
        for sdk, given in (("openai", OPENAI), ("anthropic", ANTHROPIC), ("google", GOOGLE))
        for name in given
    ],
)
def test_any_argument(sdk: str, name: str, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    made = {"openai": OPENAI, "anthropic": ANTHROPIC, "google": GOOGLE}[sdk][name]
    with watching(INSTRUMENTORS[sdk], capture_content="span_only") as seen:
        observed = _outcome(sdk, made, stream=stream)
        spans = list(seen.spans)
    assert observed == _outcome(sdk, made, stream=stream)
    assert _encodes(spans) == []


def test_tags_of_any_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    tags: dict[str, Any] = {"feature": Hostile(), "user": 17, "tenant": Hostile(), "half": "\ud800"}
    for sdk in INSTRUMENTORS:
        with watching(INSTRUMENTORS[sdk]) as seen, otel_llm_cost.tags(**tags):
            door = next(door for door in SOME if door.sdk == sdk)
            asyncio.run(door.run(door.host()))
            assert _encodes(list(seen.spans)) == []
