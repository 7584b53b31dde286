"""A chat completion, whole and streamed."""

from __future__ import annotations

import json
from typing import Any, Final

import openai

from benchmarks.instrumentation.wire import CHUNKS, asks_for_stream, event, http

_HEAD: Final = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06", "service_tier": "default"}
_USAGE: Final = {
    "prompt_tokens": 120,
    "completion_tokens": 45,
    "total_tokens": 165,
    "prompt_tokens_details": {"cached_tokens": 100},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
_ASK: Final[dict[str, Any]] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Where is it?"}]}


def _whole() -> bytes:
    message = {"role": "assistant", "content": "In Oslo. " * 20}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()


def _part(content: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": finish}
    return event({**_HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None})


def _parts() -> list[bytes]:
    last = event({**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    return [_part(" word")] * CHUNKS + [_part("", "stop"), last, b"data: [DONE]\n\n"]


def client(*, asynchronous: bool) -> Any:
    """A client that never leaves the process."""
    kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    return kind(api_key="k", http_client=http(_whole(), _parts(), asks_for_stream, asynchronous=asynchronous))


def whole(client: Any) -> Any:
    """One call."""
    return client.chat.completions.create(**_ASK)


def stream(client: Any) -> Any:
    """One stream; usage is asked for, so that bare and instrumented read the same events."""
    return client.chat.completions.create(**_ASK, stream=True, stream_options={"include_usage": True})
