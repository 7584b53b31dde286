"""Anthropic's wire: what the Messages API answers, written by hand, and the real clients on it."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import anthropic
import httpx2
from opentelemetry.sdk.trace import TracerProvider

from .wire import Json, Reply, Wire

USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 45,
    "output_tokens_details": {"thinking_tokens": 30},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    "service_tier": "priority",
    "inference_geo": "us",
    "speed": "fast",
}
"""150 tokens in, 45 out."""

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-20260901",
    "content": [
        {"type": "thinking", "thinking": "North.", "signature": "sig"},
        {"type": "text", "text": '{"city": "Oslo"}'},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}

_START_USAGE = {**USAGE, "output_tokens": 3, "output_tokens_details": {"thinking_tokens": 1}, "server_tool_use": None}
START: Json = {
    "type": "message_start",
    "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": _START_USAGE},
}


def delta(index: int, **fields: Any) -> Json:
    """A piece of a block."""
    return {"type": "content_block_delta", "index": index, "delta": fields}


BLOCKS: list[Json] = [
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    },
    {"type": "ping"},
    delta(0, type="thinking_delta", thinking="North."),
    delta(0, type="signature_delta", signature="sig"),
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    delta(1, type="text_delta", text='{"city":'),
    delta(1, type="text_delta", text=' "Oslo"}'),
    {"type": "content_block_stop", "index": 1},
]
_CUMULATIVE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)
END: list[Json] = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {name: USAGE[name] for name in _CUMULATIVE},
    },
    {"type": "message_stop"},
]
EVENTS: list[Json | str] = [START, *BLOCKS, *END]

TOOL_CALL = {
    **MESSAGE,
    "id": "msg_0",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}],
    "stop_reason": "tool_use",
}
TOKENS = {"input_tokens": 17}
COMPLETION = {
    "id": "compl_1",
    "type": "completion",
    "completion": " Oslo",
    "stop_reason": "stop_sequence",
    "model": "claude-2.1",
}

BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0},
    "created_at": "2026-11-01T00:00:00Z",
    "expires_at": "2026-11-02T00:00:00Z",
    "ended_at": "2026-11-01T01:00:00Z",
    "archived_at": None,
    "cancel_initiated_at": None,
    "results_url": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
}
RESULTS = [
    {"custom_id": "a", "result": {"type": "succeeded", "message": {**MESSAGE, "id": "msg_a"}}},
    {
        "custom_id": "b",
        "result": {
            "type": "errored",
            "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}},
        },
    },
    {"custom_id": "c", "result": {"type": "succeeded", "message": {**MESSAGE, "id": "msg_c"}}},
    {"custom_id": "d", "result": {"type": "expired"}},
]


def error_body(kind: str) -> Json:
    """What Anthropic says when something is wrong, as a body or as an event of a stream."""
    return {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req-1"}


def error(status: int, kind: str, **headers: str) -> Reply:
    """An error as Anthropic words it."""
    return Reply(error_body(kind), status, headers)


def lines(documents: list[Json]) -> Reply:
    """JSON lines, as the results of a batch come."""
    body = "".join(json.dumps(document) + "\n" for document in documents)
    return Reply(body, headers={"content-type": "application/x-jsonl"})


def aws_message(payload: Json, **headers: str) -> bytes:
    """One message of Amazon's event stream; a header `_a_b` is sent as `:a-b`."""
    head = b"".join(
        bytes([len(name)]) + name.replace("_", ":", 1).replace("_", "-").encode() + b"\x07" + _sized(value)
        for name, value in headers.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return message + struct.pack(">I", zlib.crc32(message))


def aws_events(events: list[Any]) -> bytes:
    """Events as Bedrock streams them."""
    encoded = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    return b"".join(
        aws_message({"bytes": text, "p": "abcd"}, _message_type="event", _event_type="chunk") for text in encoded
    )


def _sized(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


class AnthropicWire(Wire):
    """Answers requests in turn, and makes the clients of this SDK."""

    telemetry: TracerProvider | None = None
    """Where the SDK's own spans go; None: it has none."""

    def client(self, kind: type[Any] = anthropic.Anthropic, **kwargs: Any) -> Any:
        """A synchronous client on this wire."""
        return self._made(kind, httpx2.Client(transport=httpx2.MockTransport(self)), kwargs)

    def async_client(self, kind: type[Any] = anthropic.AsyncAnthropic, **kwargs: Any) -> Any:
        """An asynchronous client on this wire."""
        return self._made(kind, httpx2.AsyncClient(transport=httpx2.MockTransport(self)), kwargs)

    def _made(self, kind: type[Any], http: Any, kwargs: dict[str, Any]) -> Any:
        own = {"tracer_provider": self.telemetry} if self.telemetry else False
        defaults = {"max_retries": 0, "http_client": http, "open_telemetry": own}
        if not {"access_token", "token_provider"} & kwargs.keys():
            defaults["api_key"] = "k"
        return kind(**{**defaults, **kwargs})
