"""The calls of a batch, as the file of its results tells them.

From OpenAI's batch guide: a line each, `{"id", "custom_id", "response": {"status_code", "request_id", "body"},
"error"}`, where the body is what the endpoint would have answered, and the error of a call that was never made
stands in the place of a response.  Azure, Groq, Mistral and Together write the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from otel_llm_cost.errors import classify
from otel_llm_cost.provider import Result, Wire
from otel_llm_cost.read import count, items, number, text, view, within
from otel_llm_cost.record import Error, Request, Response

from .answers import error_of, response
from .endpoints import provider_of

_CONTENT = re.compile(r"(?:^|/)files/[^/]+/content/?$")
_CONTAINER = re.compile(r"(?:^|/)containers/")
_BATCH: Final = "batch"
"""The operation of a line that does not tell its endpoint: that of a failure."""
_OBJECTS: Final = {
    "chat.completion": ("chat", "chat_completions"),
    "response": ("chat", "responses"),
    "text_completion": ("text_completion", "completions"),
    "list": ("embeddings", "embeddings"),
}


def download(wire: Wire, provider: str | None = None) -> Request | None:
    """The content of an uploaded or generated file: it may be the results of a batch."""
    if wire.method != "GET" or not _CONTENT.search(wire.path) or _CONTAINER.search(wire.path):
        return None
    return Request(
        operation=_BATCH,
        provider=provider or provider_of(wire),
        server_address=wire.host,
        server_port=wire.port,
        batch=True,
    )


def results(document: Any, request: Request) -> list[Result]:
    """The call of one line; none of a line of any other file."""
    line = document if isinstance(document, Mapping) else {}
    if "custom_id" not in line or "response" not in line:
        return []
    answered = within(line, "response")
    body, status = within(answered, "body"), count(answered, "status_code")
    failed = error_of(line.get("error")) or (_refused(body, status) if status is not None and status >= 400 else None)
    operation, api_type = _endpoint(body)
    if failed is None and api_type is None:
        return []
    asked = request._replace(operation=operation, api_type=api_type, model=text(body, "model"), batch=True)
    told = response(body, asked) if failed is None else Response(error=failed)
    # what has no id of its own (embeddings) gets that of its line, so that it is billed once however often it is read
    request_id = text(answered, "request_id")
    told = told._replace(id=told.id or text(line, "id") or request_id, request_id=request_id)
    return [Result(asked, told, number(body, "created_at") or number(body, "created"))]


def _refused(body: Mapping[str, Any], status: int) -> Error:
    told = error_of(body.get("error")) or Error(type=str(status))
    return told._replace(error_class=classify(status, told.type), status_code=status)


def _endpoint(body: Mapping[str, Any]) -> tuple[str, str | None]:
    """Which endpoint answered; the line does not say."""
    known = _OBJECTS.get(text(body, "object") or "")
    if known is not None:
        return known
    if "results" in body:
        return "moderation", "moderations"
    pictures = [view(item) for item in items(body, "data")]
    if any("b64_json" in picture or "url" in picture for picture in pictures):
        return "image_generation", "images"
    return _BATCH, None
