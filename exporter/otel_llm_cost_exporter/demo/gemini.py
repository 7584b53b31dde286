"""Google's Gemini API as a pure function from request to reply.

Shapes are those of the public API reference: the model in the path, thoughts and tool prompts beside the headline
counts, modalities as details, a prompt cache that nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from otel_llm_cost.record import Usage

from . import prose
from .gemini_generate import generate
from .gemini_json import one_spelling
from .gemini_models import EMBEDDING, exists, no_such_model, parts, refuse
from .gemini_usage import weigh
from .reply import Ask, Refusal, Reply, to_json

__all__ = ["KEYS", "NAME", "answer", "operation", "refuse"]

NAME: Final = "gcp.gemini"
KEYS: Final = ("x-goog-api-key",)
PATH: Final = re.compile(r"^/v1\w*/models/[^/:]+:(\w+)$")
"""Any version of the API, a model, and the method that is asked of it."""

_OPERATIONS: Final = {
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "countTokens": "count_tokens",
}


def answer(ask: Ask) -> Reply:
    """The reply to one request; what Google would refuse is refused in its words."""
    ask = replace(ask, body=one_spelling(ask.body))
    match _method(ask):
        case "generateContent":
            return generate(ask, stream=False)
        case "streamGenerateContent":
            return generate(ask, stream=True)
        case "countTokens":
            return _count(ask)
        case "embedContent" | "batchEmbedContents":
            return _embed(ask)
        case _:
            return refuse(Refusal(status=404, code="", kind="", message="Requested entity was not found."))


def operation(ask: Ask) -> str:
    """By the method in the path."""
    return _OPERATIONS.get(_method(ask), "")


def _method(ask: Ask) -> str:
    found = PATH.match(ask.path)
    return found[1] if found and ask.method == "POST" else ""


def _count(ask: Ask) -> Reply:
    if not exists(ask.model):
        return no_such_model(ask.model)
    body: Mapping[str, Any] = ask.body.get("generateContentRequest") or ask.body
    prompt = weigh(Ask(path=ask.path, body=body))
    details = [{"modality": name, "tokenCount": count} for name, count in prompt.modalities.items()]
    return Reply(body=to_json({"totalTokens": prompt.total, "promptTokensDetails": details}))


def _embed(ask: Ask) -> Reply:
    """One content, or as many as there are requests."""
    if ask.model not in EMBEDDING:
        return no_such_model(ask.model)
    several = _method(ask) == "batchEmbedContents"
    requests = ask.body.get("requests") or [] if several else [ask.body]
    texts = [" ".join(str(part.get("text", "")) for part in parts(request.get("content"))) for request in requests]
    vectors = [
        {"values": prose.vector(text, int(request.get("outputDimensionality") or EMBEDDING[ask.model]))}
        for text, request in zip(texts, requests, strict=True)
    ]
    total = sum(map(prose.tokens, texts))
    answer = {"embeddings": vectors} if several else {"embedding": vectors[0]}
    return Reply(
        body=to_json({**answer, "usageMetadata": {"promptTokenCount": total, "totalTokenCount": total}}),
        model=ask.model,
        usage=Usage(input_tokens=total),
    )
