"""A host on the level of bytes: what it sends is cut, broken or held back as a test likes, and it counts what is taken.

It answers as a real one does: a usage event is sent to who asked for it and to nobody else, so a program with and a
program without us can be compared by what they see.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2

from tests.instrumentation.anthropic_wire import AnthropicWire
from tests.instrumentation.google_wire import GoogleWire
from tests.instrumentation.wire import Wire, _encode

Part = bytes | Exception | threading.Event | asyncio.Event
"""An exception breaks the connection; an event is waited for before the next part is sent."""
Shape = Callable[[list[bytes]], list[Part]]


def encoded(body: Any, left_out: int | None = None) -> list[bytes]:
    """A body as the parts in which it is sent, one part for what is no stream; without the event `left_out`."""
    if isinstance(body, bytes):
        return [body]
    if not isinstance(body, list):
        return [body.encode() if isinstance(body, str) else json.dumps(body).encode()]
    events = [event for at, event in enumerate(body) if at != left_out]
    return [part for event in events if isinstance(part := _encode(event), bytes)]


class Sent(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The body of one answer."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.pulled = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, threading.Event):
                assert part.wait(20)
            elif isinstance(part, bytes):
                self.pulled += 1
                yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, asyncio.Event):
                await part.wait()
            elif isinstance(part, bytes):
                self.pulled += 1
                yield part

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class Host:
    """What each SDK's wire becomes: it answers every request with the same body, in the shape that a test wants."""

    shape: Shape = staticmethod(list)  # type: ignore[assignment]  # a function that is no method
    status = 200
    headers: dict[str, str] = {}  # noqa: RUF012  # replaced, never changed
    """Instead of the right ones."""

    usage_event: int | None = None
    """Which event of the body is only for who asked for the usage."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.requests: list[bytes] = []
        self.answers: list[Sent] = []

    @property
    def taken(self) -> tuple[int, int]:
        """Requests received, and parts of answers that were pulled."""
        return len(self.requests), sum(answer.pulled for answer in self.answers)

    def __call__(self, request: Any) -> httpx2.Response:
        """Answer one request."""
        content = request.content
        self.requests.append(content)
        asked = b'"include_usage":true' in content.replace(b" ", b"")
        answer = Sent(self.shape(encoded(self.body, None if asked else self.usage_event)))
        self.answers.append(answer)
        return httpx2.Response(self.status, stream=answer, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        right = "text/event-stream" if isinstance(self.body, list) else "application/json"
        if isinstance(self.body, bytes):
            right = "application/octet-stream"
        return {"content-type": right, "x-request-id": "req-1", "request-id": "req-1", **self.headers}


class OpenAIHost(Host, Wire):
    """OpenAI's."""


class AnthropicHost(Host, AnthropicWire):
    """Anthropic's."""


class GoogleHost(Host, GoogleWire):
    """Google's."""


def cut(size: int) -> Shape:
    """The body in pieces of `size` bytes, as a network may deliver it."""

    def shape(parts: list[bytes]) -> list[Part]:
        whole = b"".join(parts)
        return [whole[at : at + size] for at in range(0, len(whole), size)]

    return shape
