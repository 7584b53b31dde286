"""What OpenAI's endpoints have in common: the models, the bill, the refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import prose
from .reply import Ask, Refusal, Reply, to_json

_CHAT: Final = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-5.1": "gpt-5.1-2025-11-13",
    "o3": "o3-2025-04-16",
    "o4-mini": "o4-mini-2025-04-16",
    "acme-llm-1": "acme-llm-1",
}
"""Name asked for → snapshot that answers.  `acme-llm-1` is a model that no price list knows."""

EMBEDDING: Final = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""Model → dimensions of its vectors."""

_REASONING: Final = {"none": 0, "minimal": 16, "low": 64, "medium": 192, "high": 512, "xhigh": 1024}
_REASONING_FAMILIES: Final = ("o1", "o3", "o4", "gpt-5")
_CACHE_MINIMUM: Final = 1024
_CACHE_STEP: Final = 128
_MESSAGE_OVERHEAD: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one generation costs in tokens; totals are inclusive, as OpenAI reports them."""

    input: int
    output: int
    cached: int
    reasoning: int


def snapshot(model: str) -> str | None:
    """The name that the response carries; `None` where OpenAI would say that the model does not exist."""
    if model in _CHAT:
        return _CHAT[model]
    base = model.split(":")[1] if model.startswith("ft:") and model.count(":") > 1 else model
    known = {*_CHAT, *_CHAT.values()}
    return model if base in known else None


def refuse(refusal: Refusal) -> Reply:
    """A refusal in OpenAI's words."""
    error = {"message": refusal.message, "type": refusal.kind, "param": None, "code": refusal.code or None}
    return Reply(status=refusal.status, headers=refusal.headers, body=to_json({"error": error}))


def no_such_model(model: str) -> Reply:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return refuse(Refusal(status=404, code="model_not_found", kind="invalid_request_error", message=message))


def bad_request(message: str, code: str = "") -> Reply:
    return refuse(Refusal(status=400, code=code, kind="invalid_request_error", message=message))


def content_text(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""


def count_input(messages: list[tuple[str, str]]) -> int:
    """Prompt tokens of (role, text) messages."""
    return 3 + sum(_MESSAGE_OVERHEAD + prose.tokens(text) for _, text in messages)


def count_cached(messages: list[tuple[str, str]]) -> int:
    """Prompt tokens read from the cache.

    The real cache remembers prefixes; here a leading system or developer text of 1,024 tokens and more counts as
    remembered, in steps of 128 as OpenAI has them, so that the count depends on the request alone.
    """
    prefix = 0
    for role, text in messages:
        if role not in ("system", "developer"):
            break
        prefix += prose.tokens(text)
    return prefix // _CACHE_STEP * _CACHE_STEP if prefix >= _CACHE_MINIMUM else 0


def reasoning_tokens(model: str, effort: Any) -> int:
    if not model.startswith(_REASONING_FAMILIES):
        return 0
    return _REASONING.get(str(effort or "medium"), _REASONING["medium"])


def served_tier(asked: Any) -> str:
    return asked if asked in ("flex", "priority") else "default"


def headers(ask: Ask) -> dict[str, str]:
    return {"x-request-id": f"req_{prose.digest('request', ask.serial, size=16)}", "openai-version": "2020-10-01"}
