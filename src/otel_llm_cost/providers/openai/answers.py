"""What comes back: whole answers, stream events, and failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_llm_cost.errors import classify
from otel_llm_cost.read import count, items, text, view, within
from otel_llm_cost.record import Error, Request, Response, Usage

from .usage import in_background, pictures, speech, stated_cost, tokens

_USAGE_OF: Final[dict[str | None, Callable[[Mapping[str, Any], Mapping[str, Any]], Usage | None]]] = {
    "fetch_response": in_background,
    "image_generation": pictures,
    "speech_to_text": speech,
}
_MEDIA: Final = frozenset({"images", "transcriptions", "translations", "speech"})
# the last event of a stream that names no reason for its end
_LAST: Final = frozenset(
    {"image_generation.completed", "image_edit.completed", "transcript.text.done", "speech.audio.done"}
)
_STOPPED: Final = ((0, "stop"),)


def response(body: Any, request: Request) -> Response:
    """Any of the answers, whole."""
    answer = view(body)
    usage = within(answer, "usage") or within(within(answer, "x_groq"), "usage")
    return Response(
        id=text(answer, "id"),
        model=text(answer, "model"),
        finish_reasons=_finish_reasons(answer),
        service_tier=text(answer, "service_tier") or text(usage, "service_tier"),
        system_fingerprint=text(answer, "system_fingerprint"),
        stated_cost=stated_cost(usage) if usage else None,
        usage=_USAGE_OF.get(request.operation, tokens)(usage, answer) if usage else None,
        error=error_of(answer.get("error")),
    )


def dull(event: bytes, request: Request) -> bool:
    """A delta: every finish_reason and usage in it is null, and it is neither an error nor the last or a whole answer.

    Text that a model wrote cannot be mistaken for these keys: inside a JSON string their quotes are escaped.
    """
    if request.api_type == "responses":
        return event.find(b'"response"') < 0 and event.find(b'"error"') < 0
    if request.api_type in _MEDIA and (event.find(b'.done"') >= 0 or event.find(b'.completed"') >= 0):
        return False
    return (
        event.count(b'"finish_reason"') == event.count(b'"finish_reason":null')
        and event.count(b'"usage"') == event.count(b'"usage":null')
        and event.find(b'"error"') < 0
    )


def chunk(event: Any, request: Request) -> Response:
    """A chat chunk, a Responses event that carries the response so far, or an event of an image or audio stream."""
    said = view(event)
    kind = text(said, "type")
    if kind == "error":
        return Response(error=error_of(within(said, "error") or said))
    part = response(within(said, "response") or said, request)
    return part._replace(finish_reasons=_STOPPED) if kind in _LAST else part


def error(exception: BaseException) -> Error:
    """The provider's code, else its type, else the exception's name."""
    said, name = view(exception), type(exception).__name__
    status, code, kind = count(said, "status_code"), text(said, "code"), text(said, "type")
    known = f"{code or ''} {kind or ''}"
    shown = code if code and not code.isdigit() else kind
    return Error(type=shown or name, error_class=classify(status, known, name), status_code=status)


def billed(exception: BaseException) -> Any:
    """`.parse()` raises LengthFinishReasonError and its kin after a full answer, which they carry."""
    return view(exception).get("completion")


def rejects_stream_usage(exception: BaseException) -> bool:
    """A 400 or 422 that names the option; hosts may quote the whole request elsewhere, so only the reason is read."""
    said = view(exception)
    if count(said, "status_code") not in (400, 422):
        return False
    body = within(said, "body")
    named = [text(body, "param"), text(body, "message"), text(body, "detail"), body.get("error")]
    named += [entry.get("loc") for raw in items(body, "detail") if (entry := view(raw))]
    reason = " ".join(str(name) for name in named if name)
    return "stream_options" in reason or "include_usage" in reason


def is_usage_only(event: Any) -> bool:
    """The last chunk that `include_usage` adds: usage and no choices."""
    said = view(event)
    return bool(said.get("usage")) and said.get("choices") == []


def error_of(raw: Any) -> Error | None:
    """An error that stands in an answer or an event; hosts word it as an object or as a text."""
    if not raw:
        return None
    said = view(raw)
    code, kind, numeric = text(said, "code"), text(said, "type"), count(said, "code")
    status = numeric if numeric is not None and 400 <= numeric < 600 else None
    shown = code or (str(numeric) if numeric is not None else None)
    name = shown or (kind if kind != "error" else None) or "error"
    return Error(type=name, error_class=classify(status, name))


def _finish_reasons(answer: Mapping[str, Any]) -> tuple[tuple[int, str], ...] | None:
    """Chat and completions say it per choice; a response says it once, by its status."""
    choices = [view(choice) for choice in items(answer, "choices")]
    if choices:
        found = [(count(c, "index") or 0, reason) for c in choices if (reason := text(c, "finish_reason"))]
        return tuple(found) or None
    match answer.get("status"):
        case "completed":
            return _STOPPED
        case "incomplete":
            return ((0, text(within(answer, "incomplete_details"), "reason") or "incomplete"),)
        case "failed":
            return ((0, "error"),)
        case "cancelled":
            return ((0, "cancelled"),)
        case _:
            return None
