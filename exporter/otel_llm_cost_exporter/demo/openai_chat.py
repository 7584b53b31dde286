"""OpenAI's chat completions, whole and streamed."""

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

_FAILURE = {
    "error": {"message": "The server had an error", "type": "server_error", "param": None, "code": "server_error"}
}


def chat(ask: Ask) -> Reply:
    """POST /v1/chat/completions."""
    model = snapshot(ask.model)
    if model is None:
        return no_such_model(ask.model)
    messages = ask.body.get("messages")
    if not isinstance(messages, list) or not messages:
        return bad_request("Missing required parameter: 'messages'.", "missing_required_parameter")
    if ask.body.get("stream_options") and not ask.body.get("stream"):
        return bad_request("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    texts = [(str(m.get("role")), content_text(m.get("content"))) for m in messages]
    choices = _choices(ask)
    return _reply(ask, _head(ask, model), choices, _bill(ask, texts, choices))


def _choices(ask: Ask) -> list[prose.Generation]:
    limit = ask.body.get("max_completion_tokens") or ask.body.get("max_tokens")
    seed = prose.digest(ask.path, ask.body.get("model"), ask.body.get("messages"))
    schema = _schema(ask.body.get("response_format"))
    return [prose.generate(f"{seed}/{n}", schema, limit) for n in range(int(ask.body.get("n") or 1))]


def _schema(response_format: Any) -> Mapping[str, Any] | None:
    if not isinstance(response_format, Mapping):
        return None
    if response_format.get("type") == "json_schema":
        schema: Mapping[str, Any] = response_format["json_schema"].get("schema") or {}
        return schema
    return {"type": "object"} if response_format.get("type") == "json_object" else None


def _bill(ask: Ask, texts: list[tuple[str, str]], choices: list[prose.Generation]) -> Bill:
    reasoning = reasoning_tokens(ask.model, ask.body.get("reasoning_effort")) * len(choices)
    called = sum(prose.tokens(_arguments(ask, n)) for n in range(len(choices))) if _tool(ask) else 0
    written = called or sum(prose.tokens(choice.text) for choice in choices)
    return Bill(input=count_input(texts), output=written + reasoning, cached=count_cached(texts), reasoning=reasoning)


def _head(ask: Ask, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{prose.digest(ask.serial, ask.body, size=14)}",
        "created": ask.created,
        "model": model,
        "service_tier": served_tier(ask.body.get("service_tier")),
        "system_fingerprint": f"fp_{prose.digest(model, size=5)}",
    }


def _usage(bill: Bill) -> dict[str, Any]:
    return {
        "prompt_tokens": bill.input,
        "completion_tokens": bill.output,
        "total_tokens": bill.input + bill.output,
        "prompt_tokens_details": {"cached_tokens": bill.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": bill.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _reply(ask: Ask, head: dict[str, Any], choices: list[prose.Generation], bill: Bill) -> Reply:
    whole = not ask.body.get("stream")
    told = whole or bool((ask.body.get("stream_options") or {}).get("include_usage"))
    usage = Usage(
        input_tokens=bill.input,
        output_tokens=bill.output,
        cache_read_input_tokens=bill.cached,
        reasoning_output_tokens=bill.reasoning,
    )
    return Reply(
        headers=headers(ask),
        body=to_json(_whole(ask, head, choices, bill)) if whole else b"",
        events=None if whole else tuple(_frames(ask, head, choices, bill if told else None)),
        failure=(_frame(_FAILURE),),
        model=head["model"],
        response_id=head["id"],
        usage=usage if told else None,
    )


def _whole(ask: Ask, head: dict[str, Any], choices: list[prose.Generation], bill: Bill) -> dict[str, Any]:
    return {
        **head,
        "object": "chat.completion",
        "choices": [
            {"index": n, "message": _message(ask, choice, n), "logprobs": None, "finish_reason": _finish(ask, choice)}
            for n, choice in enumerate(choices)
        ],
        "usage": _usage(bill),
    }


def _message(ask: Ask, choice: prose.Generation, index: int) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []}
    return {**plain, "content": None, "tool_calls": [_tool_call(ask, index)]} if _tool(ask) else plain


def _finish(ask: Ask, choice: prose.Generation) -> str:
    if _tool(ask):
        return "tool_calls"
    return "length" if choice.cut else "stop"


def _tool(ask: Ask) -> Mapping[str, Any] | None:
    """The function that is called: the first one, where the caller demands a call."""
    tools = ask.body.get("tools")
    demanded = ask.body.get("tool_choice") == "required" or isinstance(ask.body.get("tool_choice"), Mapping)
    if not demanded or not isinstance(tools, list) or not tools:
        return None
    function: Mapping[str, Any] | None = tools[0].get("function")
    return function


def _arguments(ask: Ask, index: int) -> str:
    function = _tool(ask) or {}
    seed = prose.digest(ask.body.get("messages"), index)
    return to_json(prose.instance(function.get("parameters") or {"type": "object"}, seed)).decode()


def _tool_call(ask: Ask, index: int) -> dict[str, Any]:
    return {
        "id": f"call_{prose.digest(ask.serial, index)}",
        "type": "function",
        "function": {"name": (_tool(ask) or {}).get("name"), "arguments": _arguments(ask, index)},
    }


def _frames(ask: Ask, head: dict[str, Any], choices: list[prose.Generation], told: Bill | None) -> Iterator[bytes]:
    """The stream.  With usage asked for, every chunk says `usage: null` and one more, without choices, says it."""
    base = {**head, "object": "chat.completion.chunk"}
    silent = {} if told is None else {"usage": None}
    for n, choice in enumerate(choices):
        for delta in _deltas(ask, choice, n):
            yield _frame({**base, "choices": [_delta(n, delta)], **silent})
    for n, choice in enumerate(choices):
        yield _frame({**base, "choices": [_delta(n, {}, _finish(ask, choice))], **silent})
    if told is not None:
        yield _frame({**base, "choices": [], "usage": _usage(told)})
    yield b"data: [DONE]\n\n"


def _deltas(ask: Ask, choice: prose.Generation, index: int) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": None if _tool(ask) else "", "refusal": None}
    if not _tool(ask):
        yield from ({"content": piece} for piece in prose.pieces(choice.text))
        return
    call = _tool_call(ask, index)
    yield {"tool_calls": [{"index": 0, **call, "function": {**call["function"], "arguments": ""}}]}
    yield {"tool_calls": [{"index": 0, "function": {"arguments": call["function"]["arguments"]}}]}


def _delta(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _frame(data: Mapping[str, Any]) -> bytes:
    return b"data: " + to_json(data) + b"\n\n"
