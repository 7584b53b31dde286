"""Google's models behind the Gemini API and Vertex AI: generateContent, embeddings, predict, interactions, batches.

Usage conventions, from the API references of `UsageMetadata` and `GenerateContentResponse`: `totalTokenCount` is the
sum of `promptTokenCount`, `toolUsePromptTokenCount`, `candidatesTokenCount` and `thoughtsTokenCount`, and
`cachedContentTokenCount` is part of the prompt.  So tool-use prompt tokens are input beside the prompt, and thoughts
are output beside the candidates.  Each chunk of a stream repeats the counts so far.  An interaction (and a decision)
counts the same things under other names.  Zeros are left out of the JSON; that nothing was generated is known only by
the total.

Image tokens are told apart from text; video and documents are not, as no field of a usage holds them.  What a cache
costs (its creation and the hours it is kept) is not billed as a call: creating one has a span without usage.
"""

from __future__ import annotations

from typing import Any

from otel_llm_cost.provider import Wire

from .answers import chunk, dull, response
from .batches import results
from .conversation import answer, prompt, said
from .failures import error
from .requests import download, request

__all__ = [
    "answer",
    "billed",
    "chunk",
    "download",
    "dull",
    "error",
    "is_usage_only",
    "prompt",
    "rejects_stream_usage",
    "request",
    "response",
    "results",
    "said",
    "stream_usage_option",
]


def billed(exception: BaseException) -> Any:
    """No exception of these SDKs carries an answer."""


def stream_usage_option(wire: Wire) -> tuple[str, Any] | None:
    """Every stream reports its usage unasked."""


def rejects_stream_usage(exception: BaseException) -> bool:  # noqa: ARG001
    """There is nothing to refuse."""
    return False


def is_usage_only(event: Any) -> bool:  # noqa: ARG001
    """No event was asked for."""
    return False
