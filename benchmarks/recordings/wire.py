"""The other end of the wire, in memory: it answers with the recorded bytes and keeps what it was sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2

from benchmarks.recordings.exchange import Exchange

_KEPT = ("content-type", "request-id", "x-request-id", "retry-after")


class _Events(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """One piece per event, so that a caller who stops early leaves the rest unread."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class Wire:
    """A transport's handler; put the exchange in `now` before the call, and read `sent` after it."""

    def __init__(self) -> None:
        self.now: Exchange | None = None
        self.sent: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """The recorded answer, whatever was asked."""
        assert self.now is not None
        self.sent.append(f"{request.method} {request.url} {_digest(request.content)}")
        headers = {k: v for k, v in self.now.headers.items() if k in _KEPT}
        events = self.now.events if self.now.is_events else None
        if events is None and request.url.params.get("alt") == "sse" and self.now.body.lstrip()[:1] == b"[":
            # recorded by a client that asked for one JSON array instead
            events = [b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in json.loads(self.now.body)]
        if events is not None and self.now.status < 300:
            headers["content-type"] = "text/event-stream"
            return httpx2.Response(self.now.status, stream=_Events(events), headers=headers)
        headers.setdefault("content-type", "application/json")
        return httpx2.Response(self.now.status, content=self.now.body, headers=headers)

    def client(self, *, asynchronous: bool) -> Any:
        """An HTTP client whose every request ends here."""
        transport = httpx2.MockTransport(self)
        return httpx2.AsyncClient(transport=transport) if asynchronous else httpx2.Client(transport=transport)


def _digest(content: bytes) -> str:
    """What a body says, without the one option that an instrumentation may add to it."""
    try:
        body = json.loads(content)
    except ValueError:
        return f"{len(content)} bytes"  # a multipart boundary is random, its length is not
    if isinstance(body, dict) and isinstance(body.get("stream_options"), dict):
        body["stream_options"] = {k: v for k, v in body["stream_options"].items() if k != "include_usage"}
        if not body["stream_options"]:
            del body["stream_options"]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
