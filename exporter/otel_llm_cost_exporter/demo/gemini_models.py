"""What Gemini's endpoints have in common: the models, the refusals, what a prompt weighs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from . import prose
from .prompt_cache import Segment, segment
from .reply import Refusal, Reply, to_json

_THINKING: Final = frozenset({"gemini-2.5-pro", "gemini-2.5-flash", "gemini-3.5-flash"})
_MODELS: Final = _THINKING | {"gemini-2.5-flash-lite", "gemini-2.0-flash"}
EMBEDDING: Final = {"gemini-embedding-001": 3072, "gemini-embedding-2": 3072}
"""Model → dimensions of its vectors."""

_WORDS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_CACHED_FOR: Final = 3600
_MEDIA: Final = {"image": ("IMAGE", 258), "video": ("VIDEO", 2580), "audio": ("AUDIO", 320)}
"""First half of an inline part's MIME type → its modality and tokens."""


def exists(model: str) -> bool:
    return model in _MODELS


def thinks(model: str) -> bool:
    """Whether the model thinks unless it is told not to."""
    return model in _THINKING


def error_body(status: int, message: str) -> dict[str, Any]:
    """Google's words for a failure, in an answer or in a stream."""
    return {"error": {"code": status, "message": message, "status": _WORDS.get(status, "UNKNOWN")}}


def refuse(refusal: Refusal) -> Reply:
    """A refusal in Google's words."""
    body = to_json(error_body(refusal.status, refusal.message))
    return Reply(status=refusal.status, headers=refusal.headers, body=body)


def no_such_model(model: str) -> Reply:
    message = f"models/{model} is not found for API version v1beta, or is not supported for this method."
    return refuse(Refusal(status=404, code="", kind="", message=message))


def bad_request(message: str) -> Reply:
    return refuse(Refusal(status=400, code="", kind="", message=message))


def parts(content: Any) -> list[Mapping[str, Any]]:
    """The parts of one content."""
    found = content.get("parts") if isinstance(content, Mapping) else None
    return [part for part in found or () if isinstance(part, Mapping)]


def segments(body: Mapping[str, Any]) -> Iterator[tuple[str, Segment]]:
    """The prompt in pieces, each with its modality."""
    contents = [body.get("systemInstruction"), *(body.get("contents") or ())]
    for content in contents:
        for part in parts(content):
            yield _weighed(part)
    for tool in body.get("tools") or ():
        if "functionDeclarations" in tool:
            yield "TEXT", segment(tool, _CACHED_FOR)


def _weighed(part: Mapping[str, Any]) -> tuple[str, Segment]:
    inline = part.get("inlineData")
    if inline is None:
        return "TEXT", segment(part.get("text", part), _CACHED_FOR)
    kind = str(inline.get("mimeType")).partition("/")[0]
    modality, tokens = _MEDIA.get(kind, ("DOCUMENT", 258))
    return modality, Segment(prose.canonical(inline), tokens, _CACHED_FOR)
