"""Anthropic's SDK: its wire and the ways to call it."""

from __future__ import annotations

import inspect
from typing import Any

from .ways import City, Sdk, Way
from .wire import Json, Reply, Wire

_COUNT: dict[str, Any] = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "Where?"}]}
_ASK: dict[str, Any] = {**_COUNT, "max_tokens": 64}
_STREAM = {**_ASK, "stream": True}
_USAGE: Json = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 100,
    "output_tokens": 45,
    "output_tokens_details": {"thinking_tokens": 30},
}
_MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-20260901",
    "content": [{"type": "text", "text": '{"city": "Oslo"}'}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _USAGE,
}
_BEGUN = {**_MESSAGE, "content": [], "stop_reason": None, "usage": {**_USAGE, "output_tokens": 1}}
_EVENTS: list[Json | str] = [
    {"type": "message_start", "message": _BEGUN},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"city":'}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ' "Oslo"}'}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE},
    {"type": "message_stop"},
]


def has_own_spans() -> bool:
    """Whether this version makes spans itself."""
    import anthropic

    return "open_telemetry" in inspect.signature(anthropic.Anthropic.__init__).parameters


def _client(wire: Wire, way: Way, *, asynchronous: bool, retries: int, tracers: Any) -> Any:
    import anthropic

    own: dict[str, Any] = {"open_telemetry": {"tracer_provider": tracers}} if tracers and has_own_spans() else {}
    if asynchronous:
        return anthropic.AsyncAnthropic(api_key="k", max_retries=retries, http_client=wire.async_client(), **own)
    return anthropic.Anthropic(api_key="k", max_retries=retries, http_client=wire.client(), **own)


def _refusal(status: int, kind: str, **headers: str) -> Reply:
    return Reply({"type": "error", "error": {"type": kind, "message": "no"}}, status, headers)


def _messages(door: str, kind: str, ask: dict[str, Any]) -> Way:
    return Way(door, ask, kind, _EVENTS if kind == "helper" or "stream" in ask else _MESSAGE)


ANTHROPIC = Sdk(
    "anthropic",
    "AnthropicInstrumentor",
    _client,
    (
        _messages("messages.create", "whole", _ASK),
        _messages("messages.create", "stream", _STREAM),
        _messages("messages.stream", "helper", _ASK),
        _messages("messages.parse", "whole", {**_ASK, "output_format": City}),
        _messages("messages.with_raw_response.create", "raw", _ASK),
        _messages("messages.with_raw_response.create", "raw stream", _STREAM),
        _messages("messages.with_streaming_response.create", "lazy", _ASK),
        _messages("messages.with_streaming_response.create", "lazy stream", _STREAM),
        _messages("messages.with_streaming_response.create", "lines", _STREAM),
        _messages("beta.messages.create", "whole", _ASK),
        _messages("beta.messages.create", "stream", _STREAM),
        _messages("beta.messages.stream", "helper", _ASK),
        _messages("beta.messages.parse", "whole", {**_ASK, "output_format": City}),
        Way(
            "messages.count_tokens",
            _COUNT,
            "whole",
            {"input_tokens": 17},
            {"gen_ai.operation.name": "count_tokens"},
        ),
    ),
    bad=_refusal(400, "invalid_request_error"),
    busy=_refusal(429, "rate_limit_error", **{"retry-after-ms": "1"}),
    retried=(0, 1, 2, 4),
)
