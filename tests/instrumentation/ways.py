"""Every way a program may call the OpenAI SDK, once: how it is called, how it is read, what the wire answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pydantic

from .wire import (
    CHAT,
    CHAT_EVENTS,
    COMPLETION,
    COMPLETION_EVENTS,
    EMBEDDINGS,
    RESPONSE,
    RESPONSE_EVENTS,
    Body,
)

MESSAGES = [{"role": "user", "content": "Where?"}]


class City(pydantic.BaseModel):
    """The structured answer of `.parse()`."""

    city: str


@dataclass(frozen=True)
class Way:
    """`call` makes the SDK's call on a client; `read` names how its result is read (see `read_sync`)."""

    name: str
    call: Callable[[Any], Any]
    read: str
    body: Body

    @property
    def streamed(self) -> bool:
        """Whether the answer is an event stream."""
        return isinstance(self.body, list)


def _chat(**kw: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": MESSAGES, **kw}


def _responses(**kw: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "input": "Where?", **kw}


CHAT_WAYS = [
    Way("chat create", lambda c: c.chat.completions.create(**_chat()), "value", CHAT),
    Way("chat parse", lambda c: c.chat.completions.parse(**_chat(response_format=City)), "value", CHAT),
    Way("chat raw", lambda c: c.chat.completions.with_raw_response.create(**_chat()), "raw", CHAT),
    Way(
        "chat streaming-response", lambda c: c.chat.completions.with_streaming_response.create(**_chat()), "lazy", CHAT
    ),
    Way("chat json", lambda c: c.chat.completions.with_streaming_response.create(**_chat()), "json", CHAT),
    Way("chat stream", lambda c: c.chat.completions.create(**_chat(stream=True)), "stream", CHAT_EVENTS),
    Way("chat next", lambda c: c.chat.completions.create(**_chat(stream=True)), "next", CHAT_EVENTS),
    Way(
        "chat stream helper", lambda c: c.chat.completions.stream(**_chat(response_format=City)), "helper", CHAT_EVENTS
    ),
    Way(
        "chat raw stream",
        lambda c: c.chat.completions.with_raw_response.create(**_chat(stream=True)),
        "raw stream",
        CHAT_EVENTS,
    ),
    Way(
        "chat streaming-response stream",
        lambda c: c.chat.completions.with_streaming_response.create(**_chat(stream=True)),
        "lazy stream",
        CHAT_EVENTS,
    ),
    Way(
        "chat lines",
        lambda c: c.chat.completions.with_streaming_response.create(**_chat(stream=True)),
        "lines",
        CHAT_EVENTS,
    ),
]
RESPONSE_WAYS = [
    Way("responses create", lambda c: c.responses.create(**_responses()), "value", RESPONSE),
    Way("responses parse", lambda c: c.responses.parse(**_responses(text_format=City)), "value", RESPONSE),
    Way("responses raw", lambda c: c.responses.with_raw_response.create(**_responses()), "raw", RESPONSE),
    Way("responses lazy", lambda c: c.responses.with_streaming_response.create(**_responses()), "lazy", RESPONSE),
    Way("responses stream", lambda c: c.responses.create(**_responses(stream=True)), "stream", RESPONSE_EVENTS),
    Way("responses helper", lambda c: c.responses.stream(**_responses(text_format=City)), "helper", RESPONSE_EVENTS),
    Way(
        "responses raw stream",
        lambda c: c.responses.with_raw_response.create(**_responses(stream=True)),
        "raw stream",
        RESPONSE_EVENTS,
    ),
    Way(
        "responses lines",
        lambda c: c.responses.with_streaming_response.create(**_responses(stream=True)),
        "lines",
        RESPONSE_EVENTS,
    ),
]
EMBEDDING_WAYS = [
    Way("embeddings", lambda c: c.embeddings.create(model="text-embedding-3-small", input="x"), "value", EMBEDDINGS),
    Way(
        "embeddings raw",
        lambda c: c.embeddings.with_raw_response.create(model="text-embedding-3-small", input="x"),
        "raw",
        EMBEDDINGS,
    ),
]
_COMPLETE: dict[str, Any] = {"model": "gpt-3.5-turbo-instruct", "prompt": "Where?"}
COMPLETION_WAYS = [
    Way("completions", lambda c: c.completions.create(**_COMPLETE), "value", COMPLETION),
    Way("completions raw", lambda c: c.completions.with_raw_response.create(**_COMPLETE), "raw", COMPLETION),
    Way("completions stream", lambda c: c.completions.create(**_COMPLETE, stream=True), "stream", COMPLETION_EVENTS),
]
ALL_WAYS = [*CHAT_WAYS, *RESPONSE_WAYS, *EMBEDDING_WAYS, *COMPLETION_WAYS]


def shown(value: Any) -> Any:
    """What a program can see of a value: its exact type and its content."""
    content = value.model_dump(warnings=False) if isinstance(value, pydantic.BaseModel) else value
    return type(value), content


def read_sync(way: str, result: Any, take: int | None = None) -> list[Any]:
    """Consume a result to its end, or stop after `take` items."""
    match way:
        case "value":
            return [shown(result)]
        case "raw":
            return [type(result), shown(result.parse()), result.status_code]
        case "stream" | "next" | "raw stream":
            stream = result.parse() if way == "raw stream" else result
            items: list[Any] = [type(stream)]
            while way == "next" and len(items) <= 100:
                try:
                    items.append(shown(next(stream)))
                except StopIteration:
                    return items
            for item in stream:
                items.append(shown(item))
                if take and len(items) > take:
                    break
            return items
        case _:
            with result as opened:
                return [type(opened), *_inside(way, opened, take)]


def _inside(way: str, opened: Any, take: int | None) -> list[Any]:
    match way:
        case "lazy":
            return [shown(opened.parse())]
        case "json":
            return [opened.json()]
        case "lines":
            source = opened.iter_lines()
        case "lazy stream":
            source = opened.parse()
        case _:
            source = opened
    items: list[Any] = []
    for item in source:
        items.append(shown(item))
        if take and len(items) >= take:
            break
    return items


async def read_async(way: str, result: Any, take: int | None = None) -> list[Any]:
    """The same, asynchronously."""
    if inspect.isawaitable(result):
        result = await result
    match way:
        case "value":
            return [shown(result)]
        case "raw":
            return [type(result), shown(result.parse()), result.status_code]
        case "stream" | "next" | "raw stream":
            stream = result.parse() if way == "raw stream" else result
            items: list[Any] = [type(stream)]
            while way == "next" and len(items) <= 100:
                try:
                    items.append(shown(await anext(stream)))
                except StopAsyncIteration:
                    return items
            async for item in stream:
                items.append(shown(item))
                if take and len(items) > take:
                    break
            return items
        case _:
            async with result as opened:
                return [type(opened), *await _ainside(way, opened, take)]


async def _ainside(way: str, opened: Any, take: int | None) -> list[Any]:
    match way:
        case "lazy":
            return [shown(await opened.parse())]
        case "json":
            return [await opened.json()]
        case "lines":
            source = opened.iter_lines()
        case "lazy stream":
            source = await opened.parse()
        case _:
            source = opened
    items: list[Any] = []
    async for item in source:
        items.append(shown(item))
        if take and len(items) >= take:
            break
    return items
