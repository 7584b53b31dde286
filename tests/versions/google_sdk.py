"""google-genai: its wire and the ways to call it, with the Gemini API and with Vertex AI.

Its interactions have had three clients: none before 1.55, one like OpenAI's until 2.8, and one of their own since 2.9.
The server words the events of a stream as the client's version expects them.
"""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from typing import Any

from .ways import Sdk, Way
from .wire import Json, Reply, Wire

_MODEL = "gemini-2.5-flash"
_ASK: dict[str, Any] = {"model": _MODEL, "contents": "Where?"}
_TALK: dict[str, Any] = {"model": _MODEL, "input": "Where?"}
_USAGE: Json = {
    "promptTokenCount": 120,
    "cachedContentTokenCount": 100,
    "candidatesTokenCount": 15,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 165,
}
_HEAD = {"modelVersion": "gemini-2.5-flash-001", "responseId": "resp-1"}


def _said(text: str, finish: str | None, usage: Json) -> Json:
    ended = {"finishReason": finish} if finish else {}
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, **ended}
    return {"candidates": [candidate], "usageMetadata": usage, **_HEAD}


_ANSWER = _said('{"city": "Oslo"}', "STOP", _USAGE)
_CHUNKS: list[Json | str] = [
    _said('{"city":', None, {"promptTokenCount": 120, "candidatesTokenCount": 3, "totalTokenCount": 123}),
    _said(' "Os', None, {"promptTokenCount": 120, "candidatesTokenCount": 5, "totalTokenCount": 125}),
    _said('lo"}', "STOP", _USAGE),
]
_INTERACTION: Json = {
    "id": "v1_1",
    "object": "interaction",
    "status": "completed",
    "model": _MODEL,
    "created": "2026-06-24T18:51:32Z",
    "updated": "2026-06-24T18:51:32Z",
    "usage": {
        "total_input_tokens": 120,
        "total_cached_tokens": 100,
        "total_output_tokens": 15,
        "total_thought_tokens": 30,
        "total_tokens": 165,
    },
}
_BEGUN = {"id": "v1_1", "object": "interaction", "status": "in_progress", "model": _MODEL}
_WORDS = {"type": "text", "text": '{"city": "Oslo"}'}
_WHOLE = {**_INTERACTION, "steps": [{"type": "model_output", "content": [_WORDS]}], "outputs": [_WORDS]}
_EVENTS: list[Json | str] = [
    {"event_type": "interaction.created", "interaction": _BEGUN},
    {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
    {"event_type": "step.delta", "index": 0, "delta": _WORDS},
    {"event_type": "step.stop", "index": 0},
    {"event_type": "interaction.completed", "interaction": _INTERACTION},
    "[DONE]",
]
_FIRST_EVENTS: list[Json | str] = [
    {"event_type": "interaction.start", "interaction": _BEGUN},
    {"event_type": "content.start", "index": 0, "content": {"type": "text"}},
    {"event_type": "content.delta", "index": 0, "delta": _WORDS},
    {"event_type": "content.stop", "index": 0},
    {"event_type": "interaction.complete", "interaction": _INTERACTION},
    "[DONE]",
]
_TLS = ssl.create_default_context()
"""Making one takes most of a client's time."""


def _spoken() -> list[Json | str]:
    """The events of an interaction as the installed version knows them."""
    try:
        first = find_spec("google.genai._interactions.types.content_delta") is not None
    except ModuleNotFoundError:
        first = False
    return _FIRST_EVENTS if first else _EVENTS


def _client(wire: Wire, way: Way, *, asynchronous: bool, retries: int, tracers: Any) -> Any:
    from google import genai
    from google.genai import types
    from google.oauth2.credentials import Credentials

    arguments = {"transport": wire.transport, "verify": _TLS}
    again = types.HttpRetryOptions(attempts=retries + 1, initial_delay=0.001, max_delay=0.002, jitter=0.001)
    options = types.HttpOptions(client_args=arguments, async_client_args=arguments, retry_options=again)
    if way.vertex:
        login = {"project": "p", "location": "us-central1", "credentials": Credentials("t")}  # type: ignore[no-untyped-call]
        client = genai.Client(vertexai=True, http_options=options, **login)  # type: ignore[arg-type]
    else:
        client = genai.Client(api_key="k", http_options=options)
    return client.aio if asynchronous else client


def _send(create: Any, ask: dict[str, Any]) -> Any:
    return create(model=_MODEL).send_message(**ask)


def _send_stream(create: Any, ask: dict[str, Any]) -> Any:
    return create(model=_MODEL).send_message_stream(**ask)


def _refusal(status: int, code: str) -> Reply:
    return Reply({"error": {"code": status, "message": "no", "status": code}}, status)


_RAW = {**_ASK, "config": {"should_return_http_response": True}}
_EIGHT = {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 8}
_COUNTED = {"gen_ai.operation.name": "count_tokens"}
_PREDICTED: Json = {"predictions": [{"embeddings": {"values": [0.5], "statistics": {"token_count": 8}}}]}
_EMBEDDED: Json = {"embeddings": [{"values": [0.5]}], "usageMetadata": {"promptTokenCount": 8}}

GOOGLE = Sdk(
    "google-genai",
    "GoogleGenAIInstrumentor",
    _client,
    (
        Way("models.generate_content", _ASK, "whole", _ANSWER),
        Way("models.generate_content_stream", _ASK, "stream", _CHUNKS),
        Way("models.generate_content", _RAW, "whole", _ANSWER),
        Way("chats.create", {"message": "Where?"}, "whole", _ANSWER, call=_send),
        Way("chats.create", {"message": "Where?"}, "stream", _CHUNKS, call=_send_stream),
        Way("models.generate_content", _ASK, "whole", _ANSWER, vertex=True),
        Way("models.generate_content_stream", _ASK, "stream", _CHUNKS, vertex=True),
        Way("interactions.create", _TALK, "whole", _WHOLE),
        Way("interactions.create", {**_TALK, "stream": True}, "stream", _spoken()),
        Way("models.embed_content", _ASK, "whole", _EMBEDDED, _EIGHT),
        Way("models.embed_content", {**_ASK, "model": "text-embedding-005"}, "whole", _PREDICTED, _EIGHT, vertex=True),
        Way("models.count_tokens", _ASK, "whole", {"totalTokens": 12}, _COUNTED),
    ),
    bad=_refusal(400, "INVALID_ARGUMENT"),
    busy=_refusal(503, "UNAVAILABLE"),
    retried=(0, 1, 4, 5),
)
