"""A provider's wire without a network, in the words of whichever HTTP library the installed SDK uses."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import requires
from typing import Any

Json = dict[str, Any]
Body = Json | list[Json | str]


@dataclass
class Reply:
    """One HTTP answer; a list is a stream of server-sent events."""

    body: Body
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def http_library(distribution: str) -> str:
    """`httpx` or `httpx2`, whichever the installed SDK requires."""
    required = [line for line in requires(distribution) or () if "extra ==" not in line]
    named = {found[0] for line in required if (found := re.match(r"[\w-]+", line))}
    return "httpx2" if "httpx2" in named else "httpx"


class Wire:
    """Answers requests in turn (the last reply again and again) and keeps what was sent."""

    def __init__(self, http: str, *replies: Reply) -> None:
        self.http = import_module(http)
        self.transport = self.http.MockTransport(self)
        self.replies = list(replies)
        self.sent: list[Json] = []

    def __call__(self, request: Any) -> Any:
        """A handler of the library's mock transport."""
        self.sent.append(json.loads(request.content) if request.content else {})
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        headers = {"x-request-id": "req-1", **reply.headers}
        if isinstance(reply.body, dict):
            return self.http.Response(reply.status, json=reply.body, headers=headers)
        stream = _pieces(self.http, [_encoded(event) for event in reply.body])
        return self.http.Response(reply.status, stream=stream, headers={"content-type": "text/event-stream", **headers})

    def client(self) -> Any:
        """An HTTP client of the library on this wire."""
        return self.http.Client(transport=self.transport)

    def async_client(self) -> Any:
        """The same, asynchronous."""
        return self.http.AsyncClient(transport=self.transport)


def _encoded(event: Json | str) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    kind = event.get("type") or event.get("event_type")
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


def _pieces(http: Any, parts: list[bytes]) -> Any:
    """A body that comes in pieces, read either way."""

    class Pieces(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc]  # the class of a library
        def __iter__(self) -> Iterator[bytes]:
            yield from parts

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for part in parts:
                yield part

    return Pieces()
