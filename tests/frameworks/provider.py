"""OpenAI's and Anthropic's APIs on 127.0.0.1, as little of them as frameworks need, with a ledger of what was served.

No two answers use the same numbers of tokens, so that no two bills are mistaken for one another.  Where there are tools
and none has answered yet, the model calls the first of them.
"""

from __future__ import annotations

import base64
import json
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple, Self

Json = dict[str, Any]
_CACHED = 64


@dataclass(frozen=True, slots=True)
class Served:
    """One answered call; tokens are inclusive totals."""

    path: str
    host: str
    """As the caller named it."""
    id: str
    input_tokens: int
    output_tokens: int


class _Ask(NamedTuple):
    body: Json
    number: int

    @property
    def input_tokens(self) -> int:
        return 1000 + 2 * self.number

    @property
    def output_tokens(self) -> int:
        return 10 + self.number

    def wants_tool(self) -> str | None:
        """The name of the tool to be called now."""
        tools = self.body.get("tools")
        said = json.dumps(self.body.get("messages", self.body.get("input")))
        answered = any(sign in said for sign in ('"role": "tool"', '"tool_result"', '"function_call_output"'))
        if not tools or answered:
            return None
        return str(tools[0].get("name") or tools[0]["function"]["name"])


class Provider:
    """`with Provider() as p:` serves until the end of the block."""

    def __init__(self, first: int = 1) -> None:
        """`first` is the number of the first answer."""
        self.served: list[Served] = []
        self._numbers = count(first)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.provider = self  # type: ignore[attr-defined]

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def answer(self, path: str, host: str, body: Json) -> Json | list[Json | str]:
        """The answer, or the events of a stream; both are in the ledger before they are sent."""
        ask = _Ask(body, next(self._numbers))
        identity, reply = _ANSWERS[path.rpartition("/v1/")[2]](ask)
        output = 0 if path.endswith("/embeddings") else ask.output_tokens
        with self._lock:
            self.served.append(Served(path, host.partition(":")[0], identity, ask.input_tokens, output))
        return reply

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        reply = provider.answer(self.path.partition("?")[0], self.headers["host"], body)
        data = b"".join(_frames(reply)) if isinstance(reply, list) else json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if isinstance(reply, list) else "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's signature
        """Nothing: the ledger tells."""


def _frames(events: list[Json | str]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, str):
            yield f"data: {event}\n\n".encode()
        else:
            name = f"event: {event['type']}\n" if "type" in event else ""
            yield f"{name}data: {json.dumps(event)}\n\n".encode()


def _chat(ask: _Ask) -> tuple[str, Json | list[Json | str]]:
    identity, tool = f"chatcmpl-{ask.number}", ask.wants_tool()
    call = {"id": f"call_{ask.number}", "type": "function", "function": {"name": tool, "arguments": "{}"}}
    message: Json = {"role": "assistant", "content": None if tool else "In Oslo.", "refusal": None}
    finish = "tool_calls" if tool else "stop"
    if tool:
        message["tool_calls"] = [call]
    usage = {
        "prompt_tokens": ask.input_tokens,
        "completion_tokens": ask.output_tokens,
        "total_tokens": ask.input_tokens + ask.output_tokens,
        "prompt_tokens_details": {"cached_tokens": _CACHED, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    head = {"id": identity, "created": 1_790_000_000, "model": "gpt-4o-2024-08-06", "service_tier": "default"}
    if not ask.body.get("stream"):
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return identity, {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    chunk = {**head, "object": "chat.completion.chunk"}
    delta = {**message, "tool_calls": [{"index": 0, **call}]} if tool else message
    events: list[Json | str] = [
        {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
    ]
    if (ask.body.get("stream_options") or {}).get("include_usage"):
        events.append({**chunk, "choices": [], "usage": usage})
    return identity, [*events, "[DONE]"]


def _responses(ask: _Ask) -> tuple[str, Json | list[Json | str]]:
    identity, tool = f"resp_{ask.number}", ask.wants_tool()
    part = {"type": "output_text", "text": "In Oslo.", "annotations": [], "logprobs": []}
    item: Json
    if tool:
        item = {"type": "function_call", "id": f"fc_{ask.number}", "call_id": f"call_{ask.number}", "name": tool}
        item |= {"arguments": "{}", "status": "completed"}
    else:
        item = {"type": "message", "id": f"msg_{ask.number}", "role": "assistant", "status": "completed"}
        item |= {"content": [part]}
    whole: Json = {
        "id": identity,
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "model": "gpt-4o-2024-08-06",
        "output": [item],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": ask.body.get("tools") or [],
        "service_tier": "default",
        "usage": {
            "input_tokens": ask.input_tokens,
            "input_tokens_details": {"cached_tokens": _CACHED, "cache_write_tokens": 0},
            "output_tokens": ask.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": ask.input_tokens + ask.output_tokens,
        },
    }
    if not ask.body.get("stream"):
        return identity, whole
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    middle: list[Json] = [
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": "In Oslo.", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "In Oslo.", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
    ]
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item if tool else {**item, "content": []}},
        *([] if tool else middle),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return identity, [{**event, "sequence_number": n} for n, event in enumerate(events)]


def _messages(ask: _Ask) -> tuple[str, Json | list[Json | str]]:
    identity, tool = f"msg_{ask.number}", ask.wants_tool()
    block: Json = {"type": "text", "text": "In Oslo."}
    if tool:
        block = {"type": "tool_use", "id": f"toolu_{ask.number}", "name": tool, "input": {}}
    usage = {
        "input_tokens": ask.input_tokens - _CACHED,
        "cache_read_input_tokens": _CACHED,
        "cache_creation_input_tokens": 0,
        "output_tokens": ask.output_tokens,
    }
    stop = "tool_use" if tool else "end_turn"
    whole: Json = {"id": identity, "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
    whole |= {"content": [block], "stop_reason": stop, "stop_sequence": None, "usage": usage}
    if not ask.body.get("stream"):
        return identity, whole
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    delta = {"type": "input_json_delta", "partial_json": "{}"} if tool else {"type": "text_delta", "text": "In Oslo."}
    return identity, [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block if tool else {**block, "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


def _embeddings(ask: _Ask) -> tuple[str, Json]:
    asked = ask.body["input"]
    texts = asked if isinstance(asked, list) and not isinstance(asked[0], int) else [asked]
    vector: Any = [0.5, 0.25]
    if ask.body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<2f", *vector)).decode()
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, _ in enumerate(texts)]
    usage = {"prompt_tokens": ask.input_tokens, "total_tokens": ask.input_tokens}
    return "", {"object": "list", "data": data, "model": ask.body["model"], "usage": usage}


_ANSWERS = {"chat/completions": _chat, "responses": _responses, "embeddings": _embeddings, "messages": _messages}
