"""Why a request to Google failed, told by an exception or by an answer's body."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from otel_llm_cost.errors import classify
from otel_llm_cost.read import items, text, view
from otel_llm_cost.record import Error, ErrorClass

# https://cloud.google.com/apis/design/errors: the canonical codes, where they say more than their HTTP status
_CLASSES: Final[dict[str, ErrorClass]] = {
    "RESOURCE_EXHAUSTED": "rate_limit",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "PERMISSION_DENIED": "auth",
    "UNAUTHENTICATED": "auth",
    "INVALID_ARGUMENT": "bad_request",
    "FAILED_PRECONDITION": "bad_request",
    "OUT_OF_RANGE": "bad_request",
    "UNIMPLEMENTED": "bad_request",
    "NOT_FOUND": "not_found",
    "CANCELLED": "cancelled",
    "INTERNAL": "server",
    "DATA_LOSS": "server",
}


def error(exception: BaseException) -> Error:
    """The canonical code where Google gave one, else the exception's name.

    Of google.genai.errors (`code`, `status`, `details`), google.api_core.exceptions (`code`, `grpc_status_code` or the
    HTTP response) and the interactions' own (`status_code`, `body`).
    """
    name = type(exception).__name__
    cause = getattr(exception, "cause", None)
    if name == "RetryError" and isinstance(cause, BaseException):
        return error(cause)
    said = next(filter(None, map(error_in, _bodies(exception))), None)
    status = _integer(getattr(exception, "code", None)) or _integer(getattr(exception, "status_code", None))
    if said is not None and said.type != "error":
        return said._replace(status_code=status or said.status_code)
    code = getattr(exception, "status", None) or getattr(getattr(exception, "grpc_status_code", None), "name", None)
    if isinstance(code, str) and code.isupper():
        return Error(code, _CLASSES.get(code) or classify(status, code, name), status)
    return Error(name, classify(status, "", name), status)


def _bodies(exception: BaseException) -> Iterator[Any]:
    yield getattr(exception, "details", None)
    yield getattr(exception, "body", None)
    if type(exception).__module__.startswith("google.api_core"):
        read = getattr(getattr(exception, "response", None), "content", None)
        if isinstance(read, bytes):
            with suppress(ValueError):
                yield json.loads(read)


def error_in(body: Any) -> Error | None:
    """The error that a body holds, as `{"error": {"code", "status", "details"}}`; a stream's stands in a list."""
    if isinstance(body, list):
        body = body[0] if len(body) == 1 else None
    raw = view(body).get("error")
    if not raw:
        return None
    said = view(raw)
    status, code = _integer(said.get("code")), text(said, "status") or text(said, "code")
    shown = code or (str(status) if status is not None else "error")
    status = status if status is not None and 400 <= status < 600 else None
    return Error(shown, _detailed(said) or _CLASSES.get(shown.upper()) or classify(status, shown), status)


def _detailed(said: Mapping[str, Any]) -> ErrorClass | None:
    """What only the details tell: that a key is bad, or that it is the day's quota that is used up."""
    for raw in items(said, "details"):
        detail = view(raw)
        if str(detail.get("reason")).startswith("API_KEY"):
            return "auth"
        if any("PerDay" in str(view(violation).get("quotaId")) for violation in items(detail, "violations")):
            return "quota"
    return None


def _integer(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None
