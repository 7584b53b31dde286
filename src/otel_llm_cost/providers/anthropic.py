"""Anthropic's Messages API, and the clouds that serve it: calls, token counts, the results of batches.

Usage conventions, from Anthropic's API reference and the SDK's types: `input_tokens` leaves out what was read from and
written to the cache, so the total here is the sum of the three; `output_tokens` includes thinking.  A stream announces
its input in `message_start`, where the output count is a placeholder, and then reports cumulative counts in
`message_delta`.  `usage.iterations` lists the samplings behind one answer.  The headline counts are the sum of the
`message` entries; a `compaction` is billed on top of them and is added here; an `advisor_message` is billed on top too,
at the price of another model, so it is told apart by `asides`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from otel_llm_cost.content import Kind, Message, Part, Prompt, Said
from otel_llm_cost.errors import classify
from otel_llm_cost.provider import Result, Wire
from otel_llm_cost.read import count, items, number, text, view, within
from otel_llm_cost.record import NOTHING, Error, Request, Response, Usage

_ENDPOINT: Final = re.compile(r"(?:^|/)v1/(messages|messages/count_tokens|complete)/?$")
_RESULTS: Final = re.compile(r"(?:^|/)messages/batches/[^/]+/results/?$")
_OPERATIONS: Final = {
    "messages": "chat",
    "messages/count_tokens": "count_tokens",
    "complete": "text_completion",
}
_PLAIN: Final = 3
"""Keys of a request that names a model, its messages and max_tokens, which are required, and nothing else."""

# Which platform bills.  Foundry, the Claude Platform on AWS and the one on Google Cloud serve Anthropic's own API with
# its ids and its prices, and the SDK's own spans name them `anthropic`; Bedrock and Vertex AI have prices of their own.
_CLIENTS: Final = (
    ("AnthropicBedrock", "aws.bedrock"),
    ("AnthropicVertex", "gcp.vertex_ai"),
    ("AnthropicAWS", "anthropic"),
    ("AnthropicFoundry", "anthropic"),
    ("AnthropicGoogleCloud", "anthropic"),
)
_HOSTS: Final = (
    (r"(.+\.)?anthropic\.com", "anthropic"),
    (r".+\.services\.ai\.azure\.com", "anthropic"),
    (r"aws-external-anthropic\..+\.api\.aws", "anthropic"),
    (r"claude\.googleapis\.com", "anthropic"),
    (r"bedrock.*\.(amazonaws\.com|api\.aws)", "aws.bedrock"),
    (r"(.+-)?aiplatform(\.(us|eu)\.rep)?\.googleapis\.com", "gcp.vertex_ai"),
    (r"(.+\.)?openrouter\.ai", "openrouter"),
    (r"api\.deepseek\.com", "deepseek"),
    (r"api\.x\.ai", "x_ai"),
    (r"api\.moonshot\.(ai|cn)", "moonshot_ai"),
    (r".+\.(cloud\.databricks\.com|azuredatabricks\.net)", "databricks"),
)

# kinds of error that arrive without an HTTP status of their own, inside a stream or a batch → the status they stand for
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


def request(wire: Wire, provider: str | None = None) -> Request | None:
    """A POST to messages, count_tokens or the legacy complete; everything else is not a call.

    Clients of Bedrock and Vertex AI rewrite the path later than it is seen here.
    """
    found = _ENDPOINT.search(wire.path) if wire.method == "POST" else None
    if found is None:
        return None
    body = wire.body
    said = Request(
        operation=_OPERATIONS[found[1]],
        provider=provider or _provider(wire),
        model=text(body, "model"),
        server_address=wire.host,
        server_port=wire.port,
        max_tokens=_either(count(body, "max_tokens"), count(body, "max_tokens_to_sample")),
        stream=True if body.get("stream") is True else None,
    )
    return said._replace(**_parameters(body)) if len(body) > _PLAIN else said


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says beyond what it must say."""
    output = within(body, "output_config")
    form = within(output, "format") or within(body, "output_format")
    stop = body.get("stop_sequences")
    return {
        "temperature": number(body, "temperature"),
        "top_p": number(body, "top_p"),
        "top_k": number(body, "top_k"),
        "stop_sequences": tuple(word for word in stop if isinstance(word, str)) if isinstance(stop, list) else None,
        "reasoning_level": text(output, "effort"),
        "output_type": "json" if text(form, "type") == "json_schema" else None,
        "service_tier": text(body, "service_tier"),
    }


@lru_cache(maxsize=256)
def _vendor(client: str, host: str) -> str:
    """Who bills: told by the client's class, else by the host; an unknown host is named itself."""
    of_class = next((name for kind, name in _CLIENTS if kind in client), None)
    return of_class or next((name for pattern, name in _HOSTS if re.fullmatch(pattern, host)), host)


def _provider(wire: Wire) -> str:
    return _vendor(wire.client, wire.host.lower())


# -- what comes back


def response(body: Any, request: Request) -> Response:
    """A message, a token count or a completion, whole."""
    answer = view(body)
    if answer.get("type") == "error":
        return Response(error=_error_of(within(answer, "error")))
    usage = within(answer, "usage")
    return _message(answer, usage, _usage(usage) if request.operation == "chat" else None)


def dull(event: bytes, request: Request) -> bool:
    """Neither the start nor the end of a message nor an error.

    Text that a model wrote cannot be mistaken for these: inside a JSON string their quotes are escaped.
    """
    return event.find(b'"message_') < 0 and event.find(b'"error"') < 0 and request.operation == "chat"


def chunk(event: Any, request: Request) -> Response:  # noqa: ARG001
    """The start of a message, a delta of it as a whole, or an error; or a piece of a legacy completion."""
    said = view(event)
    match said.get("type"):
        case "message_start":
            message = within(said, "message")
            usage = within(message, "usage")
            announced = _usage({**usage, "output_tokens": None, "output_tokens_details": None})
            return _message(message, usage, announced)
        case "message_delta":
            usage = within(said, "usage")
            return _message(within(said, "delta"), usage, _usage(usage))
        case "error":
            return Response(error=_error_of(within(said, "error")))
        case "completion":
            return _message(said, {}, None)
        case _:
            return NOTHING


def _message(message: Mapping[str, Any], usage: Mapping[str, Any], counted: Usage | None) -> Response:
    reason = text(message, "stop_reason")
    return Response(
        id=text(message, "id"),
        model=text(message, "model"),
        finish_reasons=((0, reason),) if reason else None,
        service_tier=text(usage, "service_tier"),
        speed=text(usage, "speed"),
        inference_geo=text(usage, "inference_geo"),
        usage=counted,
    )


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    """The headline counts and what compactions add to them."""
    fresh, output = count(usage, "input_tokens"), count(usage, "output_tokens")
    if fresh is None and output is None:
        return None
    compactions = [entry for raw in items(usage, "iterations") if (entry := view(raw)).get("type") == "compaction"]
    counted = [usage, *compactions]
    summarised = [_prompt_tokens(entry) for entry in compactions]
    tools = within(usage, "server_tool_use")
    return Usage(
        input_tokens=None if fresh is None else _prompt_tokens(usage) + sum(summarised),
        output_tokens=None if output is None else _sum(counted, "output_tokens"),
        cache_read_input_tokens=_sum(counted, "cache_read_input_tokens"),
        cache_write_input_tokens=_each(map(_written, counted)),
        cache_write_5m_input_tokens=_lasting(counted, "5m"),
        cache_write_1h_input_tokens=_lasting(counted, "1h"),
        reasoning_output_tokens=count(within(usage, "output_tokens_details"), "thinking_tokens"),
        compaction_input_tokens=sum(summarised) if compactions else None,
        compaction_output_tokens=_sum(compactions, "output_tokens"),
        # every answer lists every tool; a zero there says no more than silence
        web_search_requests=count(tools, "web_search_requests") or None,
        code_execution_requests=count(tools, "code_execution_requests") or None,
    )


def _prompt_tokens(entry: Mapping[str, Any]) -> int:
    """All that the model read, cached or not."""
    return (count(entry, "input_tokens") or 0) + (count(entry, "cache_read_input_tokens") or 0) + (_written(entry) or 0)


def _written(entry: Mapping[str, Any]) -> int | None:
    """Tokens written to the cache: the total, or the sum of its lifetimes where only those are given."""
    total = count(entry, "cache_creation_input_tokens")
    if total is not None or entry.get("cache_creation") is None:
        return total
    return _each(count(within(entry, "cache_creation"), f"ephemeral_{ttl}_input_tokens") for ttl in ("5m", "1h"))


def _lasting(entries: Iterable[Mapping[str, Any]], ttl: str) -> int | None:
    return _sum([within(entry, "cache_creation") for entry in entries], f"ephemeral_{ttl}_input_tokens") or None


def _sum(entries: Iterable[Mapping[str, Any]], name: str) -> int | None:
    return _each(count(entry, name) for entry in entries)


def _each(counts: Iterable[int | None]) -> int | None:
    """Their sum; None where nobody said anything."""
    said = [tokens for tokens in counts if tokens is not None]
    return sum(said) if said else None


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def asides(body: Any, request: Request) -> list[Result]:
    """What another model was asked on the way to this answer, and is billed for at its own price: advisors.

    `body` is a whole message or the last `message_delta`.  An aside has no id of its own.
    """
    found = [view(entry) for entry in items(within(view(body), "usage"), "iterations")]
    return [
        Result(request._replace(model=model, stream=None), Response(model=model, usage=_usage(entry)))
        for entry in found
        if entry.get("type") == "advisor_message" and (model := text(entry, "model"))
    ]


# -- what goes wrong


def error(exception: BaseException) -> Error:
    """The API's own kind of error, else the exception's name."""
    said, name = view(exception), type(exception).__name__
    status = count(said, "status_code")
    # Anthropic and Vertex AI word it {"error": {…}}, Vertex sometimes in a list; Bedrock gives a message only
    body = said.get("body")
    told = _error_of(within(view(body[0] if isinstance(body, list) and body else body), "error"))
    kind = told.type if told.type != "error" else ""
    known = classify(status, kind, name)
    return Error(
        type=kind or name,
        error_class=told.error_class if known == "unknown" else known,
        status_code=status,
    )


def _error_of(said: Mapping[str, Any]) -> Error:
    kind = text(said, "type") or text(said, "status") or "error"
    return Error(type=kind, error_class=classify(_STATUS.get(kind), kind))


def billed(exception: BaseException) -> Any:  # noqa: ARG001
    """No exception of this SDK carries an answer."""
    return None


def stream_usage_option(wire: Wire) -> tuple[str, Any] | None:  # noqa: ARG001
    """Streams report their usage unasked."""
    return None


def rejects_stream_usage(exception: BaseException) -> bool:  # noqa: ARG001
    """Nothing was asked for."""
    return False


def is_usage_only(event: Any) -> bool:  # noqa: ARG001
    """No event is there for the usage alone."""
    return False


# -- batches


def download(wire: Wire, provider: str | None = None) -> Request | None:
    """The results of a message batch: JSON lines."""
    if wire.method != "GET" or not _RESULTS.search(wire.path):
        return None
    return Request(
        operation="chat",
        provider=provider or _provider(wire),
        server_address=wire.host,
        server_port=wire.port,
        batch=True,
    )


def results(document: Any, request: Request) -> list[Result]:
    """One line: `{"custom_id": …, "result": {"type": "succeeded", "message": {…}}}`, or why there is no message."""
    result = within(view(document), "result")
    match result.get("type"):
        case "succeeded":
            message = within(result, "message")
            return [Result(request._replace(model=text(message, "model")), response(message, request))]
        case "errored":
            failed = within(result, "error")
            return [Result(request, Response(error=_error_of(within(failed, "error") or failed)))]
        case "canceled":
            return [Result(request, Response(error=Error(type="canceled", error_class="cancelled")))]
        case "expired":
            return [Result(request, Response(error=Error(type="expired", error_class="timeout")))]
        case _:
            return []


# -- what is said


def prompt(body: Mapping[str, Any]) -> Prompt:
    """The system text and the messages; of a legacy completion, its prompt."""
    legacy = text(body, "prompt")
    if legacy is not None:
        return Prompt([], [{"role": "user", "parts": [_text(legacy)]}])
    messages = [view(message) for message in items(body, "messages")]
    return Prompt(
        _parts(body.get("system")),
        [{"role": text(message, "role") or "user", "parts": _parts(message.get("content"))} for message in messages],
    )


def answer(body: Any) -> list[Message]:
    """The blocks of a message as one message; or a legacy completion."""
    said = view(body)
    parts = _parts(said.get("content")) or _parts(said.get("completion"))
    if not parts:
        return []
    return [{"role": "assistant", "parts": parts, "finish_reason": text(said, "stop_reason") or "unknown"}]


_DELTAS: Final[dict[Any, tuple[Kind, str]]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("reasoning", "thinking"),
    "input_json_delta": ("tool_call", "partial_json"),
}


def said(event: Any) -> list[Said]:
    """The start of a tool call, or a piece of a block."""
    told = view(event)
    index = count(told, "index") or 0
    match told.get("type"):
        case "content_block_start":
            block = within(told, "content_block")
            if not str(block.get("type")).endswith("tool_use"):
                return []
            return [Said(index, "tool_call", "", text(block, "id"), text(block, "name"))]
        case "content_block_delta":
            delta = within(told, "delta")
            kind, field = _DELTAS.get(delta.get("type"), ("text", ""))
            piece = text(delta, field)
            return [Said(index, kind, piece)] if piece else []
        case "completion":
            piece = text(told, "completion")
            return [Said(0, "text", piece)] if piece else []
        case _:
            return []


def _text(content: str) -> Part:
    return {"type": "text", "content": content}


def _parts(content: Any) -> list[Part]:
    """A text, or a list of blocks.  A generator is never consumed."""
    if isinstance(content, str):
        return [_text(content)]
    blocks = content if isinstance(content, (list, tuple)) else []
    return [part for block in blocks if (part := _part(view(block))) is not None]


def _part(block: Mapping[str, Any]) -> Part | None:
    kind = text(block, "type") or ""
    if kind in ("text", "compaction"):
        return _text(text(block, "text") or text(block, "content") or "")
    if kind == "thinking":
        return {"type": "reasoning", "content": text(block, "thinking") or ""}
    if kind in ("image", "document"):
        return _medium(kind, within(block, "source"))
    if kind == "container_upload":
        return {"type": "file", "modality": "document", "file_id": text(block, "file_id")}
    if kind == "search_result":
        return _text(_joined(block.get("content")))
    if kind.endswith("tool_use"):
        return {
            "type": "tool_call",
            "id": text(block, "id"),
            "name": text(block, "name"),
            "arguments": block.get("input"),
        }
    if kind.endswith("tool_result"):
        return {
            "type": "tool_call_response",
            "id": text(block, "tool_use_id"),
            "response": _joined(block.get("content")),
        }
    return None


def _joined(content: Any) -> str:
    """The texts of what a tool or a search gave; a picture in it says nothing here."""
    return "\n".join(part["content"] for part in _parts(content) if part["type"] == "text")


def _medium(modality: str, source: Mapping[str, Any]) -> Part | None:
    """A picture or a document, by where it comes from; a document may be text."""
    mime = text(source, "media_type")
    match source.get("type"):
        case "base64":
            return {"type": "blob", "modality": modality, "mime_type": mime}
        case "url":
            return {"type": "uri", "modality": modality, "mime_type": mime, "uri": text(source, "url")}
        case "file":
            return {"type": "file", "modality": modality, "file_id": text(source, "file_id")}
        case "text":
            return _text(text(source, "data") or "")
        case "content":
            return _text(_joined(source.get("content")))
        case _:
            return None
