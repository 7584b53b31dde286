"""OpenAI's API as a pure function from request to reply.

Shapes are those of the public API reference: usage on whole answers, usage on a stream only where it was asked
for, cached and reasoning tokens as details of inclusive totals, the model's snapshot in place of its alias.
"""

from __future__ import annotations

import base64
import struct
from typing import Final

from otel_llm_cost.record import Usage

from . import prose
from .openai_batches import BATCHES, FILES, batch, upload
from .openai_chat import chat
from .openai_models import EMBEDDING, bad_request, headers, no_such_model, refuse
from .openai_responses import PATH as _RESPONSES
from .openai_responses import responses
from .reply import Ask, Refusal, Reply, to_json

__all__ = ["KEYS", "NAME", "answer", "operation", "refuse"]

NAME: Final = "openai"
KEYS: Final = ("authorization",)


def answer(ask: Ask) -> Reply:
    """The reply to one request; what OpenAI would refuse is refused in its words."""
    if ask.method == "GET" and ask.path in ask.memory.replies:
        return ask.memory.replies[ask.path]
    if ask.method == "POST" and ask.path == FILES:
        return upload(ask)
    if ask.method == "POST" and ask.path == BATCHES:
        return batch(ask, answer)
    endpoint = _ENDPOINTS.get(ask.path)
    if endpoint is None or ask.method != "POST":
        message = f"Invalid URL ({ask.method} {ask.path})"
        return refuse(Refusal(status=404, code="", kind="invalid_request_error", message=message))
    if not ask.model:
        return bad_request("you must provide a model parameter")
    return endpoint(ask)


def operation(ask: Ask) -> str:
    """A stored response that is fetched was billed when it was made; files and batches are no calls."""
    if ask.path.startswith((FILES, BATCHES)):
        return ""
    if ask.method == "GET":
        return "fetch_response" if ask.path.startswith(_RESPONSES) else ""
    return "embeddings" if ask.path.endswith("/embeddings") else "chat"


def _embeddings(ask: Ask) -> Reply:
    """POST /v1/embeddings.  The SDK asks for base64 unless its caller wants floats."""
    if ask.model not in EMBEDDING:
        return no_such_model(ask.model)
    texts = _inputs(ask.body.get("input"))
    if not texts:
        return bad_request("'$.input' is invalid.")
    dimensions = int(ask.body.get("dimensions") or EMBEDDING[ask.model])
    binary = ask.body.get("encoding_format") == "base64"
    total = sum(prose.tokens(text) for text in texts)
    data = [
        {"object": "embedding", "index": n, "embedding": _vector(text, dimensions, binary=binary)}
        for n, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": total, "total_tokens": total}
    return Reply(
        headers=headers(ask),
        body=to_json({"object": "list", "data": data, "model": ask.model, "usage": usage}),
        model=ask.model,
        usage=Usage(input_tokens=total),
    )


def _inputs(asked: object) -> list[str]:
    """One text, several texts, or token numbers (each number is one token)."""
    if isinstance(asked, str):
        return [asked]
    if not isinstance(asked, list):
        return []
    if asked and isinstance(asked[0], int):
        return [" ".join(map(str, asked))]
    return [item if isinstance(item, str) else " ".join(map(str, item)) for item in asked]


def _vector(text: str, dimensions: int, *, binary: bool) -> str | list[float]:
    numbers = prose.vector(text, dimensions)
    return base64.b64encode(struct.pack(f"<{dimensions}f", *numbers)).decode() if binary else numbers


_ENDPOINTS = {"/v1/chat/completions": chat, _RESPONSES: responses, "/v1/embeddings": _embeddings}
