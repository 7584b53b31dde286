"""A message, whole and streamed."""

from __future__ import annotations

import json
from typing import Any, Final

import anthropic

from benchmarks.instrumentation.wire import CHUNKS, asks_for_stream, event, http

_USAGE: Final = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 40,
    "cache_read_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 45,
    "service_tier": "standard",
}
_HEAD: Final = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929"}
_ASK: Final[dict[str, Any]] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 256,
    "messages": [{"role": "user", "content": "Where is it?"}],
}


def _message(content: list[dict[str, str]], usage: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {**_HEAD, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}


def _whole() -> bytes:
    return json.dumps(_message([{"type": "text", "text": "In Oslo. " * 20}], _USAGE, "end_turn")).encode()


def _parts() -> list[bytes]:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": _message([], {**_USAGE, "output_tokens": 1}, None)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[delta] * CHUNKS,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 45},
        },
        {"type": "message_stop"},
    ]
    return [event(each, named=True) for each in events]


def client(*, asynchronous: bool) -> Any:
    """A client that never leaves the process."""
    kind = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
    return kind(api_key="k", http_client=http(_whole(), _parts(), asks_for_stream, asynchronous=asynchronous))


def whole(client: Any) -> Any:
    """One call."""
    return client.messages.create(**_ASK)


def stream(client: Any) -> Any:
    """One stream."""
    return client.messages.create(**_ASK, stream=True)
