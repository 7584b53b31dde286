"""OpenAI's SDK: its wire and the ways to call it."""

from __future__ import annotations

from typing import Any

from .ways import USED, City, Sdk, Way
from .wire import Json, Reply, Wire

_CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Where?"}]}
_RESPONSES: dict[str, Any] = {"model": "gpt-5", "input": "Where?"}
_TEXT = '{"city": "Oslo"}'
_CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 45,
    "total_tokens": 165,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 0},
}
_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": _TEXT, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": _CHAT_USAGE,
}


def _chunk(delta: Json | None, finish: str | None = None, **more: Any) -> Json:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    return {**head, "choices": choices, **more}


_DELTAS: list[Json | str] = [
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": '{"city":'}),
    _chunk({"content": ' "Oslo"}'}),
    _chunk({}, "stop"),
]
_UNASKED: list[Json | str] = [*_DELTAS, "[DONE]"]
_CHUNKS: list[Json | str] = [*_DELTAS, _chunk(None, usage=_CHAT_USAGE), "[DONE]"]

_RESPONSE: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-5-2025-08-07",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": _TEXT, "annotations": []}],
        }
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
_PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
_PART = {"type": "output_text", "text": "", "annotations": []}
_ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
_EVENTS: list[Json | str] = [
    {"type": "response.created", "response": {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}},
    {"type": "response.output_item.added", "output_index": 0, "item": _ITEM},
    {"type": "response.content_part.added", **_PLACE, "part": _PART},
    {"type": "response.output_text.delta", **_PLACE, "delta": _TEXT, "logprobs": []},
    {"type": "response.completed", "response": _RESPONSE},
]
_EMBEDDINGS: Json = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
_STREAM = {**_CHAT, "stream": True}
_ASKED = {**_STREAM, "stream_options": {"include_usage": True}}


def _client(wire: Wire, way: Way, *, asynchronous: bool, retries: int, tracers: Any) -> Any:
    import openai

    if asynchronous:
        return openai.AsyncOpenAI(api_key="k", max_retries=retries, http_client=wire.async_client())
    return openai.OpenAI(api_key="k", max_retries=retries, http_client=wire.client())


def _refusal(status: int, code: str, **headers: str) -> Reply:
    return Reply({"error": {"message": "no", "type": code, "param": None, "code": code}}, status, headers)


def _chat(door: str, kind: str, ask: dict[str, Any]) -> Way:
    streamed = kind in ("helper", "lines") or bool(ask.get("stream"))
    asked = "stream_options" in ask
    return Way(door, ask, kind, _CHUNKS if streamed else _ANSWER, USED, None if asked or not streamed else _UNASKED)


def _responses(door: str, kind: str, **ask: Any) -> Way:
    streamed = kind == "helper" or bool(ask.get("stream"))
    return Way(f"responses.{door}", {**_RESPONSES, **ask}, kind, _EVENTS if streamed else _RESPONSE)


OPENAI = Sdk(
    "openai",
    "OpenAIInstrumentor",
    _client,
    (
        _chat("chat.completions.create", "whole", _CHAT),
        _chat("chat.completions.create", "stream", _STREAM),
        _chat("chat.completions.create", "stream", _ASKED),
        _chat("chat.completions.parse", "whole", {**_CHAT, "response_format": City}),
        _chat("beta.chat.completions.parse", "whole", {**_CHAT, "response_format": City}),
        _chat("chat.completions.stream", "helper", _CHAT),
        _chat("beta.chat.completions.stream", "helper", _CHAT),
        _chat("chat.completions.with_raw_response.create", "raw", _CHAT),
        _chat("chat.completions.with_raw_response.create", "raw stream", _STREAM),
        _chat("chat.completions.with_streaming_response.create", "lazy", _CHAT),
        _chat("chat.completions.with_streaming_response.create", "lazy stream", _STREAM),
        _chat("chat.completions.with_streaming_response.create", "lines", _ASKED),
        _responses("create", "whole"),
        _responses("create", "stream", stream=True),
        _responses("parse", "whole", text_format=City),
        _responses("stream", "helper"),
        _responses("with_raw_response.create", "raw stream", stream=True),
        Way(
            "embeddings.create",
            {"model": "text-embedding-3-small", "input": "x", "encoding_format": "float"},
            "whole",
            _EMBEDDINGS,
            {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 8},
        ),
    ),
    bad=_refusal(400, "invalid_value"),
    busy=_refusal(429, "rate_limit_exceeded", **{"retry-after-ms": "1"}),
    retried=(0, 1, 5, 6, 7),
)
