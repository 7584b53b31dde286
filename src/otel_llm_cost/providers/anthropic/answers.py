"""What comes back: whole, or event by event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_llm_cost.read import text, view, within
from otel_llm_cost.record import NOTHING, Request, Response, Usage

from .failures import failure
from .usage import advised, served_by, used


def response(body: Any, request: Request) -> Response:
    """A message, a token count or a completion, whole; of these only a message is billed by what it says."""
    answer = view(body)
    if answer.get("type") == "error":
        return Response(error=failure(within(answer, "error")))
    usage = within(answer, "usage")
    return _message(answer, usage, used(usage) if request.operation == "chat" else None)


def dull(event: bytes, request: Request) -> bool:
    """Neither the start nor the end of a message nor an error.

    Text that a model wrote cannot hide these, and at worst looks like one: inside a JSON string quotes are escaped.
    """
    return event.find(b'"message_') < 0 and event.find(b'"error"') < 0 and request.operation == "chat"


def chunk(event: Any, request: Request) -> Response:  # noqa: ARG001
    """The start of a message, what changed of it since, or an error; or a piece of a legacy completion.

    The start announces the input; the output that it tells is a placeholder.
    """
    said = view(event)
    match said.get("type"):
        case "message_start":
            message = within(said, "message")
            usage = within(message, "usage")
            announced = used({**usage, "output_tokens": None, "output_tokens_details": None})
            return _message(message, usage, announced)
        case "message_delta":
            usage = within(said, "usage")
            return _message(within(said, "delta"), usage, used(usage))
        case "error":
            return Response(error=failure(within(said, "error")))
        case "completion":
            return _message(said, {}, None)
        case _:
            return NOTHING


def _message(message: Mapping[str, Any], usage: Mapping[str, Any], counted: Usage | None) -> Response:
    reason = text(message, "stop_reason")
    return Response(
        id=text(message, "id"),
        model=served_by(usage) or text(message, "model"),
        finish_reasons=((0, reason),) if reason else None,
        service_tier=text(usage, "service_tier"),
        speed=text(usage, "speed"),
        inference_geo=text(usage, "inference_geo"),
        usage=counted,
        asides=advised(usage) if "iterations" in usage else None,
    )


def billed(exception: BaseException) -> Any:  # noqa: ARG001
    """No exception of this SDK carries an answer."""
    return None


def is_usage_only(event: Any) -> bool:  # noqa: ARG001
    """No event is there for its usage alone."""
    return False
