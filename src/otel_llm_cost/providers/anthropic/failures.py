"""What goes wrong, in the words of the API and of the clouds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm_cost.errors import classify
from otel_llm_cost.read import count, text, view, within
from otel_llm_cost.record import Error

# kinds that may come without an HTTP status of their own, inside a stream or a batch → the status they stand for
_STATUS: Final = {
    "api_error": 500,
    "request_too_large": 413,
    "throttlingException": 429,
    "serviceUnavailableException": 503,
    "internalServerException": 500,
    "modelStreamErrorException": 500,
    "modelTimeoutException": 504,
    "validationException": 400,
}
_UNNAMED: Final = "error"


def error(exception: BaseException) -> Error:
    """The API's own kind of error, else the exception's name.

    Anthropic and Vertex AI word it `{"error": {…}}`, Vertex sometimes in a list; Bedrock gives a message only.
    """
    said, name = view(exception), type(exception).__name__
    status, body = count(said, "status_code"), said.get("body")
    told = failure(within(view(body[0] if isinstance(body, list) and body else body), "error"))
    kind = told.type if told.type != _UNNAMED else ""
    known = classify(status, kind, name)
    return Error(type=kind or name, error_class=told.error_class if known == "unknown" else known, status_code=status)


def failure(said: Mapping[str, Any]) -> Error:
    """An error that stands in an answer, an event or a result; its message is left where it is."""
    kind = text(said, "type") or text(said, "status") or _UNNAMED
    return Error(type=kind, error_class=classify(_STATUS.get(kind), kind))
