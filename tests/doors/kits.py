"""The doors: which ways of calling there are, and what it takes to walk them.  A new SDK is a new kit."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anthropic
import httpx2
from google.genai import types

from otel_llm_cost.instrumentor import AnthropicInstrumentor, GoogleGenAIInstrumentor, OpenAIInstrumentor
from tests.instrumentation import anthropic_ways, anthropic_wire, google_ways, google_wire, ways, wire
from tests.instrumentation.openai_doors_wire import DOORS, DOWNLOADS, Door, DoorWire, see_async, see_sync
from tests.instrumentation.ways import Way
from tests.instrumentation.wire import Reply, Wire

AnyWay = Way | Door
SOON = {"retry-after-ms": "1"}


@dataclass(frozen=True)
class Kit:
    """The ways that share a client.  `sync` and `asynchronous` get way, wire, items to take or None, retries."""

    title: str
    ways: Sequence[AnyWay]
    instrumentor: type[Any]
    wire: Callable[..., Wire]
    """From the body of the last reply (None: only the others) and the replies before it."""
    sync: Callable[[Any, Any, int | None, int], Any]
    asynchronous: Callable[[Any, Any, int | None, int], Awaitable[Any]]
    refusal: Reply
    client: str = "client"
    spans: int = 1
    """How many a call has."""
    is_call: bool = True
    """False: what is seen are the results that it fetches; its own failure is none of a model's."""
    about: str = ""
    """What the name of a door does not say."""


# -- OpenAI


class _DoorWire(DoorWire):
    """A wire of any door that answers some replies first."""

    def __init__(self, body: Any, *first: Reply) -> None:
        super().__init__({} if body is None else body)
        self.replies = list(first) if body is None else [*first, *self.replies]
        self._final = body is not None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self._final and len(self.replies) == 1:
            return super().__call__(request)
        sound, self.sound = self.sound, None
        try:
            return super().__call__(request)
        finally:
            self.sound = sound


_FILES = ("bytes", "pieces", "file")


def _openai(way: Any, line: DoorWire, take: int | None, retries: int) -> Any:
    with line.client(max_retries=retries) as client, TemporaryDirectory() as folder:
        result = way.call(client)
        return see_sync(way, result, Path(folder)) if way.read in _FILES else ways.read_sync(way.read, result, take)


async def _openai_async(way: Any, line: DoorWire, take: int | None, retries: int) -> Any:
    async with line.async_client(max_retries=retries) as client:
        result = way.call(client)
        if way.read not in _FILES:
            return await ways.read_async(way.read, result, take)
        with TemporaryDirectory() as folder:
            return await see_async(way, result, Path(folder))


_OPENAI = partial(
    Kit,
    "OpenAI",
    instrumentor=OpenAIInstrumentor,
    wire=_DoorWire,
    sync=_openai,
    asynchronous=_openai_async,
    refusal=wire.error(429, "rate_limit_exceeded", **SOON),
)


# -- Anthropic


def _anthropic_wire(body: Any, *first: Reply) -> anthropic_wire.AnthropicWire:
    return anthropic_wire.AnthropicWire(*first, *([] if body is None else [Reply(body)]))


def _anthropic(kind: type[Any], given: Any, way: Any, line: Any, take: int | None, retries: int) -> Any:
    with line.client(kind, max_retries=retries, **given) as client:
        result = way.call(client)
        return see_sync(way, result, Path()) if way.read in _FILES else ways.read_sync(way.read, result, take)


async def _anthropic_async(kind: type[Any], given: Any, way: Any, line: Any, take: int | None, retries: int) -> Any:
    async with line.async_client(kind, max_retries=retries, **given) as client:
        result = way.call(client)
        if way.read in _FILES:
            return await see_async(way, result, Path())
        return await anthropic_ways.read_awaiting(way.read, result, take)


_ANTHROPIC = partial(
    Kit,
    "Anthropic",
    instrumentor=AnthropicInstrumentor,
    wire=_anthropic_wire,
    sync=partial(_anthropic, anthropic.Anthropic, {}),
    asynchronous=partial(_anthropic_async, anthropic.AsyncAnthropic, {}),
    refusal=anthropic_wire.error(429, "rate_limit_error", **SOON),
)
_ON_CLOUDS = ("messages create", "messages raw", "messages stream", "messages helper", "messages lines")


class _BedrockWire(anthropic_wire.AnthropicWire):
    """Sends events in Amazon's binary form."""

    def _cut(self, parts: list[bytes | Exception]) -> list[bytes | Exception]:
        return [p if isinstance(p, Exception) else _binary(p) for p in parts]


def _binary(event: bytes) -> bytes:
    return anthropic_wire.aws_events([json.loads(event.partition(b"data: ")[2])])


def _bedrock_wire(body: Any, *first: Reply) -> _BedrockWire:
    headers = {"content-type": "application/vnd.amazon.eventstream"} if isinstance(body, list) else {}
    return _BedrockWire(*first, *([] if body is None else [Reply(body, headers=headers)]))


_BEDROCK_STREAM = Way(
    "bedrock stream",
    lambda c: c.messages.with_streaming_response.create(**anthropic_ways.ASK, stream=True),
    "pieces",
    anthropic_wire.EVENTS,
)


def _cloud(kind: type[Any], async_kind: type[Any], given: dict[str, Any]) -> Kit:
    some = [way for way in anthropic_ways.MESSAGE_WAYS if way.name in _ON_CLOUDS]
    binary = kind is anthropic.AnthropicBedrock
    return Kit(
        "Anthropic on other platforms",
        [*(way for way in some if not way.streamed), _BEDROCK_STREAM] if binary else some,
        AnthropicInstrumentor,
        _bedrock_wire if binary else _anthropic_wire,
        partial(_anthropic, kind, given),
        partial(_anthropic_async, async_kind, given),
        anthropic_wire.error(429, "rate_limit_error", **SOON),
        client=kind.__name__,
    )


# -- Google

_RETRY = types.HttpRetryOptions(attempts=2, initial_delay=0.001, max_delay=0.001, jitter=0)


def _google_wire(body: Any, *first: Reply) -> google_wire.GoogleWire:
    return google_wire.GoogleWire(*first, *([] if body is None else [Reply(body)]))


def _google(way: Way, line: Any, take: int | None, retries: int) -> Any:
    with google_ways.client_for(way, line, **({"retry_options": _RETRY} if retries else {})) as client:
        return google_ways.read(way.read, way.call(client), take)


async def _google_async(way: Way, line: Any, take: int | None, retries: int) -> Any:
    client = google_ways.client_for(way, line, **({"retry_options": _RETRY} if retries else {}))
    async with client.aio as half:
        result = await google_ways.read_awaiting(way.read, way.call(half), take)
    client.close()
    return result


def _googles(title: str, *, vertex: bool) -> Kit:
    return Kit(
        title,
        [way for way in google_ways.ALL_WAYS if way.name.startswith(google_ways.VERTEX) is vertex],
        GoogleGenAIInstrumentor,
        _google_wire,
        _google,
        _google_async,
        google_wire.error(429, "RESOURCE_EXHAUSTED"),
    )


KITS: list[Kit] = [
    _OPENAI(ways=[*ways.ALL_WAYS, *DOORS]),
    _OPENAI(ways=DOWNLOADS, spans=4, is_call=False, about="of a batch's results"),
    _ANTHROPIC(ways=anthropic_ways.ALL_WAYS),
    *(_cloud(kind, async_kind, given) for _, kind, async_kind, given, _ in anthropic_ways.CLOUDS),
    _googles("Google: Gemini API", vertex=False),
    _googles("Google: Vertex AI", vertex=True),
]
