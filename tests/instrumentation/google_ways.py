"""Every way a program may call google-genai, once: how it is called, how it is read, what the wire answers.

`call` gets a client's synchronous or asynchronous half (`client`, `client.aio`): they differ by the word `await` only.
"""

from __future__ import annotations

import inspect
from typing import Any

from google.genai import types

from .google_wire import (
    CHUNKS,
    COUNTED,
    EMBEDDED,
    GENERATED,
    INTERACTION,
    INTERACTION_EVENTS,
    PREDICTED,
    GoogleWire,
)
from .ways import City, Way, shown

MODEL = "gemini-2.5-flash"
ASK: dict[str, Any] = {"model": MODEL, "contents": "Where?"}
JSON = types.GenerateContentConfig(
    response_mime_type="application/json", response_schema=City, temperature=0.5, max_output_tokens=99
)
VERTEX = "vertex "

WHOLE_WAYS = [
    Way("generate", lambda c: c.models.generate_content(**ASK), "value", GENERATED),
    Way("generate parsed", lambda c: c.models.generate_content(**ASK, config=JSON), "value", GENERATED),
    Way("chat", lambda c: c.chats.create(model=MODEL).send_message("Where?"), "value", GENERATED),
    Way(VERTEX + "generate", lambda c: c.models.generate_content(**ASK), "value", GENERATED),
]
STREAM_WAYS = [
    Way("stream", lambda c: c.models.generate_content_stream(**ASK), "stream", CHUNKS),
    Way("chat stream", lambda c: c.chats.create(model=MODEL).send_message_stream("Where?"), "stream", CHUNKS),
    Way(VERTEX + "stream", lambda c: c.models.generate_content_stream(**ASK), "stream", CHUNKS),
]
INTERACTION_WAYS = [
    Way("interaction", lambda c: c.interactions.create(model=MODEL, input="Where?"), "value", INTERACTION),
    Way(
        "interaction stream",
        lambda c: c.interactions.create(model=MODEL, input="Where?", stream=True),
        "stream",
        INTERACTION_EVENTS,
    ),
]
EMBEDDING_WAYS = [
    Way(
        "embed", lambda c: c.models.embed_content(model="gemini-embedding-001", contents=["a", "b"]), "value", EMBEDDED
    ),
    Way(
        VERTEX + "embed",
        lambda c: c.models.embed_content(model="text-embedding-005", contents=["a", "b"]),
        "value",
        PREDICTED,
    ),
]
COUNT_WAYS = [Way("count", lambda c: c.models.count_tokens(**ASK), "value", COUNTED)]
ANSWER_WAYS = [*WHOLE_WAYS, *STREAM_WAYS, *INTERACTION_WAYS]
ALL_WAYS = [*ANSWER_WAYS, *EMBEDDING_WAYS, *COUNT_WAYS]


def client_for(way: Way, wire: GoogleWire, **options: Any) -> Any:
    """The client that a way is meant for."""
    return wire.client(vertex=way.name.startswith(VERTEX), **options)


def read(way: str, result: Any, take: int | None = None) -> list[Any]:
    """Consume a result to its end, or stop after `take` items."""
    if way == "value":
        return [shown(result)]
    items: list[Any] = [type(result)]
    for item in result:
        items.append(shown(item))
        if take and len(items) > take:
            break
    return items


async def read_awaiting(way: str, result: Any, take: int | None = None) -> list[Any]:
    """The same for the asynchronous half."""
    result = await result if inspect.isawaitable(result) else result
    if way == "value":
        return [shown(result)]
    items: list[Any] = [type(result)]
    async for item in result:
        items.append(shown(item))
        if take and len(items) > take:
            break
    return items
