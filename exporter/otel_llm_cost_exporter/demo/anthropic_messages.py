"""Anthropic's messages, whole and as the stream of typed events.

Its `input_tokens` leave out what was read from or written to the cache.  A stream says the prompt's counts in
`message_start`, with a placeholder for the output; `message_delta` has the cumulative truth, the input included, which
grows when the model searched the web.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_llm_cost.record import Usage

from . import prose
from .anthropic_blocks import Writing, write
from .anthropic_models import bad_request, error_body, headers, no_such_model, snapshot
from .anthropic_prompt import Prompt, weigh
from .reply import Ask, Reply, to_json


def messages(ask: Ask, tier: str = "standard") -> Reply:
    """POST /v1/messages; `tier` is the service tier that serves it."""
    model = snapshot(ask.model)
    if model is None:
        return no_such_model(ask.model)
    if not ask.body.get("messages"):
        return bad_request("messages: at least one message is required")
    if not ask.body.get("max_tokens"):
        return bad_request("max_tokens: Field required")
    prompt, writing = weigh(ask), write(ask)
    message = _message(ask, model, prompt, writing, tier)
    stream = bool(ask.body.get("stream"))
    return Reply(
        headers=headers(ask),
        body=b"" if stream else to_json(message),
        events=tuple(map(_frame, _events(message, prompt))) if stream else None,
        failure=(_frame(error_body("overloaded_error", "Overloaded")),),
        model=model,
        response_id=message["id"],
        usage=_record(prompt, writing),
        prefixes=prompt.prefixes,
    )


def count_tokens(ask: Ask) -> Reply:
    """POST /v1/messages/count_tokens, which costs nothing."""
    return Reply(headers=headers(ask), body=to_json({"input_tokens": weigh(ask).total}))


def _record(prompt: Prompt, writing: Writing) -> Usage:
    """The same in the ledger's convention: totals include the cache."""
    return Usage(
        input_tokens=prompt.total + writing.found,
        output_tokens=writing.output,
        cache_read_input_tokens=prompt.read,
        cache_write_input_tokens=prompt.written_5m + prompt.written_1h,
        cache_write_5m_input_tokens=prompt.written_5m,
        cache_write_1h_input_tokens=prompt.written_1h,
        reasoning_output_tokens=writing.thinking,
        web_search_requests=writing.searches,
    )


def _message(ask: Ask, model: str, prompt: Prompt, writing: Writing, tier: str) -> dict[str, Any]:
    return {
        "id": f"msg_{prose.digest(ask.serial, ask.body)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(writing.content),
        "stop_reason": writing.stop,
        "stop_sequence": None,
        "usage": {
            **_cumulative(prompt, writing),
            "cache_creation": {
                "ephemeral_5m_input_tokens": prompt.written_5m,
                "ephemeral_1h_input_tokens": prompt.written_1h,
            },
            "service_tier": tier,
            "inference_geo": "global",
        },
    }


def _cumulative(prompt: Prompt, writing: Writing) -> dict[str, Any]:
    """The part of the usage that a stream repeats at its end."""
    used = {"web_search_requests": writing.searches, "web_fetch_requests": 0} if writing.searches else None
    counts = {
        "input_tokens": prompt.plain + writing.found,
        "cache_creation_input_tokens": prompt.written_5m + prompt.written_1h,
        "cache_read_input_tokens": prompt.read,
        "output_tokens": writing.output,
        "server_tool_use": used,
    }
    return {**counts, "output_tokens_details": {"thinking_tokens": writing.thinking}} if writing.thinking else counts


def _events(message: dict[str, Any], prompt: Prompt) -> Iterator[dict[str, Any]]:
    usage = message["usage"]
    told = {name: value for name, value in usage.items() if name not in ("output_tokens_details", "server_tool_use")}
    start = {**told, "input_tokens": prompt.plain, "output_tokens": 1}
    begun = {**message, "content": [], "stop_reason": None, "usage": start}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    last = {name: usage[name] for name in (*names, "server_tool_use", "output_tokens_details") if name in usage}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": last}
    yield {"type": "message_stop"}


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    """A block before its deltas."""
    blanks = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: blanks.get(name, value) if name != "type" else value for name, value in block.items()}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "text":
            yield from ({"type": "text_delta", "text": piece} for piece in prose.pieces(block["text"]))
        case "thinking":
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in prose.pieces(block["thinking"]))
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use" | "server_tool_use":
            yield {"type": "input_json_delta", "partial_json": to_json(block["input"]).decode()}


def _frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + to_json(event) + b"\n\n"
