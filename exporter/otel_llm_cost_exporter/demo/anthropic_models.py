"""What Anthropic's endpoints have in common: the models, the refusals, the headers."""

from __future__ import annotations

from typing import Any, Final

from . import prose
from .reply import Ask, Refusal, Reply, to_json

_MODELS: Final = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-haiku-5-5": "claude-haiku-5-5",
    "claude-sonnet-5-5": "claude-sonnet-5-5",
    "claude-opus-5-5": "claude-opus-5-5",
}
"""Name asked for → snapshot that answers."""

_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUS: Final = {"overloaded": 529, "insufficient_quota": 402}
"""Where Anthropic answers with another status than the script has."""


def snapshot(model: str) -> str | None:
    """The name that the answer carries; `None` where the model does not exist."""
    return _MODELS.get(model) or (model if model in _MODELS.values() else None)


def error_body(kind: str, message: str) -> dict[str, Any]:
    """Anthropic's words for a failure, in an answer, a stream or a batch's result."""
    request_id = f"req_{prose.digest(kind, message)}"
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def refuse(refusal: Refusal) -> Reply:
    """A refusal in Anthropic's words."""
    status = _STATUS.get(refusal.code, refusal.status)
    body = error_body(_KINDS.get(status, "api_error"), refusal.message)
    return Reply(status=status, headers={**refusal.headers, "request-id": body["request_id"]}, body=to_json(body))


def no_such_model(model: str) -> Reply:
    return refuse(Refusal(status=404, code="", kind="", message=f"model: {model}"))


def bad_request(message: str) -> Reply:
    return refuse(Refusal(status=400, code="", kind="", message=message))


def headers(ask: Ask) -> dict[str, str]:
    return {"request-id": f"req_{prose.digest('request', ask.serial)}", "anthropic-organization-id": "demo"}
