"""Why a call failed, from what other hands write: a class's name in many spellings, a number, an exception's event.

The message of an exception is looked at for the HTTP status that the SDKs begin it with, and for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from otel_llm_cost.attributes import ERROR_CLASS, ERROR_TYPE, STATUS_CODE
from otel_llm_cost.errors import classify

_STATUS: Final = re.compile(r"(?:Error code: )?([45]\d\d)\b")
_STATUSES: Final = {
    "BadRequestError": 400,
    "AuthenticationError": 401,
    "PermissionDeniedError": 403,
    "NotFoundError": 404,
    "ConflictError": 409,
    "UnprocessableEntityError": 422,
    "RateLimitError": 429,
}
"""Exceptions of the SDKs of OpenAI and Anthropic that mean one HTTP status each."""

EXCEPTION: Final = ("exception.type", "exception.message")
MESSAGE: Final = "langfuse.observation.status_message"


def explain(attributes: dict[str, Any], exceptions: Iterable[dict[str, Any]]) -> None:
    """Add type, class and status of the failure of a span, as far as the span or its exceptions tell."""
    kind, status = attributes.get(ERROR_TYPE), attributes.get(STATUS_CODE)
    said = [attributes.get(MESSAGE)]
    for exception in exceptions:
        kind = kind or exception.get(EXCEPTION[0])
        said.append(exception.get(EXCEPTION[1]))
    name = _bare(kind) if isinstance(kind, str) else ""
    if not isinstance(status, int) or status < 400:
        status = next((found for text in (name, *said) if (found := _status(text)) is not None), _STATUSES.get(name))
    if name or status is not None:
        attributes[ERROR_TYPE] = name or str(status)
        attributes.setdefault(ERROR_CLASS, classify(status, exception=name))
    if status is not None:
        attributes[STATUS_CODE] = status


def _bare(kind: str) -> str:
    """`<class 'openai.RateLimitError'>`, `openai.RateLimitError` → `RateLimitError`."""
    return kind.removeprefix("<class '").removesuffix("'>").rpartition(".")[2]


def _status(text: Any) -> int | None:
    found = _STATUS.match(text) if isinstance(text, str) else None
    return int(found[1]) if found else None
