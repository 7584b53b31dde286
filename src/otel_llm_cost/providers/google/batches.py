"""The calls that a batch of Google's reports when its results are fetched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from otel_llm_cost.provider import Result
from otel_llm_cost.read import items, text, view, within
from otel_llm_cost.record import Request

from .answers import response
from .words import plain


def results(document: Any, request: Request) -> list[Result]:
    """`{"key", "response"}` is a line of a file; a batch that has ended holds `inlinedResponses`."""
    said = view(document)
    about = within(said, "metadata")
    ended_at = _seconds(text(about, "endTime"))
    asked = request._replace(model=plain(text(about, "model")))
    made = within(said, "response")
    for name in ("inlinedResponses", "inlinedEmbedContentResponses"):
        if name in made:
            inlined = within(made, name)
            found = [_result(view(each), asked, ended_at) for each in items(inlined, "inlinedResponses")]
            return [
                _known_by(each, f"{text(said, 'name')}/{place}") for place, each in enumerate(found) if each is not None
            ]
    one = _result(said, asked, None) if "done" not in said else None
    return [one] if one is not None else []


def _known_by(result: Result, place: str) -> Result:
    """What has no id of its own (embeddings) gets its place in the batch, which may be asked for again and again."""
    response = result.response
    return result if response.id else result._replace(response=response._replace(id=place))


def _result(said: Mapping[str, Any], asked: Request, ended_at: float | None) -> Result | None:
    answer = within(said, "response")
    embedding = "embedding" in answer
    if not (embedding or "candidates" in answer or "promptFeedback" in answer):
        return None
    told = response(answer, asked)
    operation = "embeddings" if embedding else asked.operation
    made_at = _seconds(text(answer, "createTime"))
    return Result(
        asked._replace(operation=operation, model=asked.model or plain(told.model)),
        told,
        ended_at if made_at is None else made_at,
    )


def _seconds(timestamp: str | None) -> float | None:
    try:
        return datetime.fromisoformat(timestamp).timestamp() if timestamp else None
    except ValueError:
        return None
