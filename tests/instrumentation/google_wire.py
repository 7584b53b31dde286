"""Google's wire: what the Gemini API and Vertex AI answer, written by hand, and the real client on it."""

from __future__ import annotations

import ssl
from typing import Any

import httpx2
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from .wire import Json, Reply, Wire


def _by(**tokens: int) -> list[Json]:
    return [{"modality": kind, "tokenCount": count} for kind, count in tokens.items()]


USAGE: Json = {
    "promptTokenCount": 120,
    "toolUsePromptTokenCount": 30,
    "cachedContentTokenCount": 100,
    "candidatesTokenCount": 15,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 195,
    "promptTokensDetails": _by(TEXT=20, AUDIO=40, IMAGE=50, VIDEO=10),
    "cacheTokensDetails": _by(TEXT=10, AUDIO=40, IMAGE=50),
    "candidatesTokensDetails": _by(TEXT=15),
    "toolUsePromptTokensDetails": _by(TEXT=30),
    "trafficType": "ON_DEMAND_FLEX",
}
"""150 tokens in, 45 out."""

_HEAD = {"modelVersion": "gemini-2.5-flash-001", "responseId": "resp-1"}


def candidate(*parts: Json, finish: str | None = None, **fields: Any) -> Json:
    """One candidate; index 0 is left out of the JSON."""
    ended = {"finishReason": finish} if finish else {}
    return {"content": {"role": "model", "parts": list(parts)}, **ended, **fields}


GENERATED: Json = {
    "candidates": [
        candidate(
            {"text": "North.", "thought": True},
            {"text": '{"city": "Oslo"}'},
            finish="STOP",
            groundingMetadata={"webSearchQueries": ["capital norway", "oslo", ""]},
        )
    ],
    "usageMetadata": USAGE,
    **_HEAD,
}


def so_far(text: str, spoken: int, **fields: Any) -> Json:
    """A chunk in the middle of a stream."""
    usage = {"promptTokenCount": 120, "candidatesTokenCount": spoken, "totalTokenCount": 120 + spoken}
    return {"candidates": [candidate({"text": text})], "usageMetadata": usage, **_HEAD, **fields}


CHUNKS: list[Json | str] = [
    {**so_far("", 0), "candidates": [candidate({"text": "North.", "thought": True})]},
    so_far('{"city":', 3),
    so_far(' "Os', 5),
    so_far('lo"}', 15),
    {
        **GENERATED,
        "candidates": [candidate({"text": ""}, finish="STOP", groundingMetadata={"webSearchQueries": ["a"]})],
    },
]

EMBEDDED: Json = {
    "embeddings": [{"values": [0.5, 0.25]}, {"values": [0.5, 0.25]}],
    "usageMetadata": {"promptTokenCount": 8, "promptTokenDetails": _by(TEXT=8)},
}
PREDICTED: Json = {
    "predictions": [
        {"embeddings": {"values": [0.5] * 4000, "statistics": {"token_count": n, "truncated": False}}} for n in (5, 3)
    ]
}
COUNTED: Json = {"totalTokens": 12, "promptTokensDetails": _by(TEXT=12)}

INTERACTION_USAGE: Json = {
    "total_tokens": 195,
    "total_input_tokens": 120,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 80}, {"modality": "audio", "tokens": 40}],
    "total_cached_tokens": 100,
    "total_output_tokens": 15,
    "total_tool_use_tokens": 30,
    "total_thought_tokens": 30,
    "grounding_tool_count": [{"type": "google_search", "count": 2}],
}
INTERACTION: Json = {
    "id": "v1_1",
    "object": "interaction",
    "status": "completed",
    "model": "gemini-2.5-flash",
    "created": "2026-06-24T18:51:32Z",
    "updated": "2026-06-24T18:51:32Z",
    "service_tier": "flex",
    "usage": INTERACTION_USAGE,
    "steps": [
        {"type": "thought", "signature": "c2ln", "summary": [{"type": "text", "text": "North."}]},
        {"type": "model_output", "content": [{"type": "text", "text": '{"city": "Oslo"}'}]},
    ],
}
_BEGUN = {"id": "v1_1", "object": "interaction", "status": "in_progress", "model": "gemini-2.5-flash"}
INTERACTION_EVENTS: list[Json | str] = [
    {"event_type": "interaction.created", "interaction": _BEGUN},
    {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": '{"city":'}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": ' "Oslo"}'}},
    {"event_type": "step.stop", "index": 0},
    {"event_type": "interaction.completed", "interaction": {k: v for k, v in INTERACTION.items() if k != "steps"}},
    "[DONE]",
]

BATCH: Json = {
    "name": "batches/b1",
    "metadata": {
        "model": "models/gemini-2.5-flash",
        "state": "BATCH_STATE_SUCCEEDED",
        "createTime": "2026-06-24T18:00:00Z",
        "endTime": "2026-06-24T18:51:32.123456789Z",
        "output": {"inlinedResponses": {"inlinedResponses": [{"response": GENERATED}]}},
    },
    "done": True,
    "response": {
        "inlinedResponses": {
            "inlinedResponses": [
                {"response": GENERATED},
                {"error": {"code": 400, "message": "no"}},
                {"response": {**GENERATED, "responseId": "resp-2"}},
            ]
        }
    },
}


def error(status: int, code: str, **fields: Any) -> Reply:
    """An error as Google words it."""
    return Reply({"error": {"code": status, "message": "no", "status": code, **fields}}, status)


_TLS = ssl.create_default_context()


class GoogleWire(Wire):
    """Answers requests in turn, and makes clients of this SDK."""

    http = httpx2
    """The HTTP library that the client is given; `httpx` does as well."""

    def __call__(self, request: Any) -> Any:
        """Answer one request, in the words of the library that asked."""
        answer = super().__call__(request)
        if self.http is httpx2:
            return answer
        return self.http.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)

    def client(self, *, vertex: bool = False, **options: Any) -> Any:
        """A client on this wire; its `aio` half is the asynchronous one."""
        transport = self.http.MockTransport(self)
        given = {
            "httpx_client": self.http.Client(transport=transport),
            "httpx_async_client": self.http.AsyncClient(transport=transport),
            "async_client_args": {"ssl": _TLS},  # making one takes most of a client's time
            "retry_options": types.HttpRetryOptions(attempts=1),
            **options,
        }
        http_options = types.HttpOptions(**given)
        if not vertex:
            return genai.Client(api_key="k", http_options=http_options)
        token = Credentials("t")  # type: ignore[no-untyped-call]
        return genai.Client(
            vertexai=True, project="p", location="us-central1", credentials=token, http_options=http_options
        )
