"""OpenAI's Responses API, whole and as its stream of typed events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from otel_llm_cost.record import Usage

from . import prose
from .openai_models import (
    Bill,
    bad_request,
    content_text,
    count_cached,
    count_input,
    headers,
    no_such_model,
    reasoning_tokens,
    served_tier,
    snapshot,
)
from .reply import Ask, Reply, to_json

PATH = "/v1/responses"


def responses(ask: Ask) -> Reply:
    """POST /v1/responses."""
    model = snapshot(ask.model)
    if model is None:
        return no_such_model(ask.model)
    if not ask.body.get("input"):
        return bad_request("Missing required parameter: 'input'.", "missing_required_parameter")
    texts = _texts(ask.body)
    written = _generation(ask)
    reasoning = reasoning_tokens(ask.model, (ask.body.get("reasoning") or {}).get("effort"))
    bill = Bill(
        input=count_input(texts),
        output=prose.tokens(written.text) + reasoning,
        cached=count_cached(texts),
        reasoning=reasoning,
    )
    return _reply(ask, _response(ask, model, written, bill), written, bill)


def _texts(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    instructions = [("system", str(body["instructions"]))] if body.get("instructions") else []
    asked = body["input"]
    if isinstance(asked, str):
        return [*instructions, ("user", asked)]
    items = [item for item in asked if isinstance(item, Mapping)]
    return [*instructions, *((str(item.get("role")), content_text(item.get("content"))) for item in items)]


def _generation(ask: Ask) -> prose.Generation:
    form = (ask.body.get("text") or {}).get("format") or {}
    schema = form.get("schema") if form.get("type") == "json_schema" else None
    seed = prose.digest(ask.path, ask.body.get("model"), ask.body.get("input"), ask.body.get("instructions"))
    return prose.generate(seed, schema, ask.body.get("max_output_tokens"))


def _response(ask: Ask, model: str, written: prose.Generation, bill: Bill) -> dict[str, Any]:
    body = ask.body
    cut = written.cut
    return {
        "id": f"resp_{prose.digest(ask.serial, body, size=24)}",
        "object": "response",
        "created_at": ask.created,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": model,
        "output": _output(ask, written, bill),
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": (body.get("reasoning") or {}).get("effort"), "summary": None},
        "service_tier": served_tier(body.get("service_tier")),
        "store": body.get("store") is not False,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(bill),
        "user": None,
    }


def _output(ask: Ask, written: prose.Generation, bill: Bill) -> list[dict[str, Any]]:
    thought = {"id": f"rs_{prose.digest('thought', ask.serial)}", "type": "reasoning", "summary": []}
    part = {"type": "output_text", "text": written.text, "annotations": [], "logprobs": []}
    message = {
        "id": f"msg_{prose.digest('message', ask.serial)}",
        "type": "message",
        "status": "incomplete" if written.cut else "completed",
        "role": "assistant",
        "content": [part],
    }
    return [thought, message] if bill.reasoning else [message]


def _usage(bill: Bill) -> dict[str, Any]:
    return {
        "input_tokens": bill.input,
        "input_tokens_details": {"cached_tokens": bill.cached, "cache_write_tokens": 0},
        "output_tokens": bill.output,
        "output_tokens_details": {"reasoning_tokens": bill.reasoning},
        "total_tokens": bill.input + bill.output,
    }


def _reply(ask: Ask, response: dict[str, Any], written: prose.Generation, bill: Bill) -> Reply:
    stream = bool(ask.body.get("stream"))
    body = to_json(response)
    return Reply(
        headers=headers(ask),
        body=b"" if stream else body,
        events=tuple(_frames(_events(response, written))) if stream else None,
        failure=tuple(_frames([_failed(response)])),
        model=response["model"],
        response_id=response["id"],
        usage=Usage(
            input_tokens=bill.input,
            output_tokens=bill.output,
            cache_read_input_tokens=bill.cached,
            reasoning_output_tokens=bill.reasoning,
        ),
        keep={f"{PATH}/{response['id']}": Reply(body=body, response_id=response["id"])} if response["store"] else {},
    )


def _events(response: dict[str, Any], written: prose.Generation) -> Iterator[dict[str, Any]]:
    """The typed events of a stream, in OpenAI's order; usage stands on the last one only."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        start = {**item, "status": "in_progress", "content": []} if item["type"] == "message" else item
        yield {"type": "response.output_item.added", "output_index": index, "item": start}
        if item["type"] == "message":
            yield from _text_events(item, index, written)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


def _text_events(item: dict[str, Any], index: int, written: prose.Generation) -> Iterator[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = item["content"][0]
    yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
    for piece in prose.pieces(written.text):
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": written.text, "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}


def _failed(response: dict[str, Any]) -> dict[str, Any]:
    error = {"code": "server_error", "message": "The model failed to generate a response."}
    return {
        "type": "response.failed",
        "response": {**response, "status": "failed", "error": error, "output": [], "usage": None},
    }


def _frames(events: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Iterator[bytes]:
    for number, event in enumerate(events):
        yield f"event: {event['type']}\ndata: ".encode() + to_json({**event, "sequence_number": number}) + b"\n\n"
