"""Answers from memory: one whole body, or one stream of events, for whoever asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

import httpx2

CHUNKS: Final = 200
"""Events of text in every stream."""


class _Events(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


def event(body: Mapping[str, Any], *, end: str = "\n\n", named: bool = False) -> bytes:
    """One server-sent event; `named` puts its type before it."""
    head = f"event: {body['type']}\n" if named else ""
    return f"{head}data: {json.dumps(body, separators=(',', ':'))}{end}".encode()


def http(whole: bytes, parts: list[bytes], streamed: Callable[[httpx2.Request], bool], *, asynchronous: bool) -> Any:
    """An HTTP client that answers `parts` to what is `streamed`, and `whole` to all else."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if streamed(request):
            return httpx2.Response(200, stream=_Events(parts), headers={"content-type": "text/event-stream"})
        return httpx2.Response(200, content=whole, headers={"content-type": "application/json"})

    transport = httpx2.MockTransport(answer)
    return httpx2.AsyncClient(transport=transport) if asynchronous else httpx2.Client(transport=transport)


def asks_for_stream(request: httpx2.Request) -> bool:
    """True when the body says so, as OpenAI and Anthropic have it."""
    return b'"stream":true' in request.content.replace(b" ", b"")
