"""A provider's wire without a network: answers written by hand, given to the real SDK by a mock transport."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai

Json = dict[str, Any]
Body = Json | str | Sequence[Json | str | Exception]


@dataclass
class Reply:
    """One HTTP answer; a list body is an event stream, in which an exception breaks the connection."""

    body: Body
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class _Events(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, parts: Sequence[bytes | Exception]) -> None:
        self.parts = parts
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def _encode(event: Json | str | Exception) -> bytes | Exception:
    if isinstance(event, Exception):
        return event
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    kind = event.get("type")
    name = f"event: {kind}\n" if kind else ""
    return f"{name}data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


class Wire:
    """Answers requests in turn (the last reply again and again) and keeps what was sent."""

    def __init__(self, *replies: Reply | Exception, pieces: int = 0) -> None:
        self.replies = list(replies)
        self.pieces = pieces
        """Cut event streams into pieces of this many bytes, as a network may."""
        self.sent: list[Json] = []
        self.streams: list[_Events] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(json.loads(request.content) if request.content else {})
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        headers = {"x-request-id": "req-1", **reply.headers}
        if isinstance(reply.body, dict):
            return httpx2.Response(reply.status, json=reply.body, headers=headers)
        if isinstance(reply.body, str):
            return httpx2.Response(reply.status, text=reply.body, headers=headers)
        stream = _Events(self._cut([_encode(event) for event in reply.body]))
        self.streams.append(stream)
        return httpx2.Response(
            reply.status, stream=stream, headers={"content-type": "text/event-stream; charset=utf-8", **headers}
        )

    def _cut(self, parts: list[bytes | Exception]) -> list[bytes | Exception]:
        if not self.pieces:
            return parts
        whole = b"".join(part for part in parts if isinstance(part, bytes))
        return [whole[i : i + self.pieces] for i in range(0, len(whole), self.pieces)]

    def client(self, **kwargs: Any) -> openai.OpenAI:
        """A synchronous client on this wire."""
        http = httpx2.Client(transport=httpx2.MockTransport(self))
        return openai.OpenAI(**{"api_key": "k", "max_retries": 0, "http_client": http, **kwargs})

    def async_client(self, **kwargs: Any) -> openai.AsyncOpenAI:
        """An asynchronous client on this wire."""
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return openai.AsyncOpenAI(**{"api_key": "k", "max_retries": 0, "http_client": http, **kwargs})


USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 45,
    "total_tokens": 165,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 0},
}

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"city": "Oslo"}', "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
}


def chunk(**fields: Any) -> Json:
    """A chat chunk with the fields that every chunk repeats."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    return {**head, "service_tier": "default", "system_fingerprint": "fp_1", **fields}


def choice(content: str | None = None, finish: str | None = None, role: str | None = None, index: int = 0) -> Json:
    """One choice of a chunk."""
    delta = {k: v for k, v in (("role", role), ("content", content)) if v is not None}
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


CHAT_DELTAS = [
    chunk(choices=[choice(role="assistant", content="")]),
    chunk(choices=[choice('{"city":')]),
    chunk(choices=[choice(' "Oslo"}')]),
    chunk(choices=[choice(finish="stop")]),
]
CHAT_USAGE_CHUNK = chunk(choices=[], usage=USAGE)
CHAT_EVENTS: list[Json | str] = [*({**c, "usage": None} for c in CHAT_DELTAS), CHAT_USAGE_CHUNK, "[DONE]"]

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-5-2025-08-07",
    "service_tier": "flex",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "output": [
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": '{"city": "Oslo"}', "annotations": []}],
        },
    ],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "usage": {
        "input_tokens": 120,
        "input_tokens_details": {"cached_tokens": 100},
        "output_tokens": 45,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 165,
    },
}
_PART = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
RESPONSE_EVENTS: list[Json | str] = [
    {
        "type": "response.created",
        "sequence_number": 0,
        "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None, "service_tier": "auto"},
    },
    {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []},
    },
    {
        "type": "response.content_part.added",
        "sequence_number": 2,
        **_PART,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    {"type": "response.output_text.delta", "sequence_number": 3, **_PART, "delta": '{"city": "Oslo"}', "logprobs": []},
    {"type": "response.completed", "sequence_number": 4, "response": RESPONSE},
]

COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"index": 0, "text": "In Oslo.", "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 120, "completion_tokens": 45, "total_tokens": 165},
}
_TOLD = {name: COMPLETION[name] for name in ("id", "object", "created", "model")}
COMPLETION_EVENTS: list[Json | str] = [
    *(
        {**_TOLD, "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}], "usage": None}
        for text, finish in (("In", None), (" Oslo", None), (".", "stop"))
    ),
    {**_TOLD, "choices": [], "usage": COMPLETION["usage"]},
    "[DONE]",
]

EMBEDDINGS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}


def error(status: int, code: str | None, kind: str = "invalid_request_error", **headers: str) -> Reply:
    """An error as OpenAI words it."""
    return Reply({"error": {"message": "no", "type": kind, "param": None, "code": code}}, status, headers)
