"""OpenAI and every host that speaks its protocol: chat completions, responses, embeddings, completions.

Usage conventions, from OpenAI's API reference: `prompt_tokens` includes `cached_tokens`, `completion_tokens` includes
`reasoning_tokens`.  xAI counts reasoning beside completion tokens; then, and only then, the three add up to
`total_tokens`, which is how it is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from otel_llm_cost.errors import classify
from otel_llm_cost.provider import Wire
from otel_llm_cost.read import count, items, number, text, view, within
from otel_llm_cost.record import Error, Request, Response, Usage

# what OpenTelemetry names the vendor behind a host; the longest matching suffix decides
_HOSTS: tuple[tuple[str, str], ...] = (
    ("openai.azure.com", "azure.ai.openai"),
    ("cognitiveservices.azure.com", "azure.ai.openai"),
    ("services.ai.azure.com", "azure.ai.inference"),
    ("models.inference.ai.azure.com", "azure.ai.inference"),
    ("api.openai.com", "openai"),
    ("us.api.openai.com", "openai"),
    ("eu.api.openai.com", "openai"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x_ai"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.perplexity.ai", "perplexity"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("openrouter.ai", "openrouter"),
    ("api.together.xyz", "together"),
    ("api.together.ai", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.cerebras.ai", "cerebras"),
    ("api.cloudflare.com", "cloudflare"),
    ("router.huggingface.co", "huggingface"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("api.anthropic.com", "anthropic"),
    ("cloud.databricks.com", "databricks"),
    ("azuredatabricks.net", "databricks"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("api.moonshot.cn", "moonshot_ai"),
    ("amazonaws.com", "aws.bedrock"),
    ("api.aws", "aws.bedrock"),
)

_ENDPOINT = re.compile(r"(?:^|/)(chat/completions|responses|embeddings|completions)/?$")
_FETCH = re.compile(r"(?:^|/)responses/[^/]+/?$")
_OPERATIONS = {
    "chat/completions": ("chat", "chat_completions"),
    "responses": ("chat", "responses"),
    "embeddings": ("embeddings", "embeddings"),
    "completions": ("text_completion", "completions"),
}
_PLAIN = 2
"""Keys of a request that names a model and an input, and nothing else."""
_OUTPUT_TYPES = {"json_object": "json", "json_schema": "json", "text": "text"}
# these report a stream's usage unasked (seen in recorded traffic); their requests need no change
_UNASKED = frozenset({"mistral_ai", "groq", "deepseek", "together", "openrouter", "databricks"})
_XAI_TICKS_PER_USD = Decimal(10) ** 10


def request(wire: Wire, provider: str | None = None) -> Request | None:
    """A POST to one of the four endpoints, or the fetch of a stored response; everything else is not a call."""
    name = provider or _provider(wire)
    if wire.method == "GET" and _FETCH.search(wire.path):
        return Request(operation="fetch_response", provider=name, server_address=wire.host, server_port=wire.port)
    found = _ENDPOINT.search(wire.path)
    if found is None or wire.method != "POST":
        return None
    operation, api_type = _OPERATIONS[found[1]]
    body = wire.body
    said = Request(
        operation=operation,
        provider=name,
        model=text(body, "model"),
        server_address=wire.host,
        server_port=wire.port,
        api_type=api_type,
        stream=True if body.get("stream") is True else None,
    )
    return said._replace(**_parameters(body)) if len(body) > _PLAIN else said


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says beyond its model and its messages; most say nothing more."""
    stop, choices = body.get("stop"), count(body, "n")
    encoding, prompt = text(body, "encoding_format"), within(body, "prompt")
    return {
        "max_tokens": _first(body, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        "temperature": number(body, "temperature"),
        "top_p": number(body, "top_p"),
        "frequency_penalty": number(body, "frequency_penalty"),
        "presence_penalty": number(body, "presence_penalty"),
        "stop_sequences": (stop,) if isinstance(stop, str) else _texts(stop),
        "seed": count(body, "seed"),
        "choice_count": choices if choices != 1 else None,
        "encoding_formats": (encoding,) if encoding else None,
        "reasoning_level": text(body, "reasoning_effort") or text(within(body, "reasoning"), "effort"),
        "previous_response_id": text(body, "previous_response_id"),
        "output_type": _output_type(body),
        "conversation_id": text(body, "conversation") or text(within(body, "conversation"), "id"),
        "prompt_name": text(prompt, "id"),
        "prompt_version": text(prompt, "version"),
        "service_tier": text(body, "service_tier"),
    }


def response(body: Any, request: Request) -> Response:
    """Any of the four answers, whole."""
    answer = view(body)
    usage = within(answer, "usage") or within(within(answer, "x_groq"), "usage")
    return Response(
        id=text(answer, "id"),
        model=text(answer, "model"),
        finish_reasons=_finish_reasons(answer),
        service_tier=text(answer, "service_tier") or text(usage, "service_tier"),
        system_fingerprint=text(answer, "system_fingerprint"),
        stated_cost=_stated_cost(usage),
        # what was fetched was billed when it was created
        usage=None if request.operation == "fetch_response" else _usage(usage, answer),
        error=_error_of(answer.get("error")),
    )


def dull(event: bytes, request: Request) -> bool:
    """A delta: every finish_reason and usage in it is null, and it is neither an error nor a whole response.

    Text that a model wrote cannot be mistaken for these keys: inside a JSON string their quotes are escaped.
    """
    if request.api_type == "responses":
        return event.find(b'"response"') < 0 and event.find(b'"error"') < 0
    return (
        event.count(b'"finish_reason"') == event.count(b'"finish_reason":null')
        and event.count(b'"usage"') == event.count(b'"usage":null')
        and event.find(b'"error"') < 0
    )


def chunk(event: Any, request: Request) -> Response:
    """A chat chunk, or a Responses event that carries the response so far."""
    said = view(event)
    if said.get("type") == "error":
        return Response(error=_error_of(within(said, "error") or said))
    return response(within(said, "response") or said, request)


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


def stream_usage_option(wire: Wire) -> tuple[str, Any] | None:
    """`stream_options.include_usage`, where a completions stream does not have it from the caller."""
    if wire.body.get("stream") is not True or not wire.path.rstrip("/").endswith("completions"):
        return None
    if _provider(wire) in _UNASKED:
        return None
    options = wire.body.get("stream_options")
    if options is not None and (not isinstance(options, Mapping) or "include_usage" in options):
        return None
    return "stream_options", {**(options or {}), "include_usage": True}


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


@lru_cache(maxsize=256)
def _vendor(host: str) -> str:
    """The vendor whose host this is, else the host itself."""
    return next((name for suffix, name in _HOSTS if host == suffix or host.endswith("." + suffix)), host)


def _provider(wire: Wire) -> str:
    return "azure.ai.openai" if "AzureOpenAI" in wire.client else _vendor(wire.host.lower())


def _first(body: Mapping[str, Any], *names: str) -> int | None:
    return next((value for name in names if (value := count(body, name)) is not None), None)


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and value and all(isinstance(v, str) for v in value) else None


def _output_type(body: Mapping[str, Any]) -> str | None:
    form = within(body, "response_format") or within(within(body, "text"), "format")
    return _OUTPUT_TYPES.get(text(form, "type") or "")


def _finish_reasons(answer: Mapping[str, Any]) -> tuple[tuple[int, str], ...] | None:
    """Chat and completions say it per choice; a response says it once, by its status."""
    choices = [view(choice) for choice in items(answer, "choices")]
    if choices:
        found = [(count(c, "index") or 0, reason) for c in choices if (reason := text(c, "finish_reason"))]
        return tuple(found) or None
    match answer.get("status"):
        case "completed":
            return ((0, "stop"),)
        case "incomplete":
            return ((0, text(within(answer, "incomplete_details"), "reason") or "incomplete"),)
        case "failed":
            return ((0, "error"),)
        case "cancelled":
            return ((0, "cancelled"),)
        case _:
            return None


def _usage(usage: Mapping[str, Any], answer: Mapping[str, Any]) -> Usage | None:
    prompt = _either(count(usage, "prompt_tokens"), count(usage, "input_tokens"))
    completion = _either(count(usage, "completion_tokens"), count(usage, "output_tokens"))
    if prompt is None and completion is None:
        return None
    given = within(usage, "prompt_tokens_details") or within(usage, "input_tokens_details")
    made = within(usage, "completion_tokens_details") or within(usage, "output_tokens_details")
    reasoning = _either(count(made, "reasoning_tokens"), count(usage, "reasoning_tokens"))
    if reasoning and count(usage, "total_tokens") == (prompt or 0) + (completion or 0) + reasoning:
        completion = (completion or 0) + reasoning
    searches = count(within(usage, "server_tool_use_details"), "web_search_requests")
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        cache_read_input_tokens=_either(count(given, "cached_tokens"), count(usage, "prompt_cache_hit_tokens")),
        cache_write_input_tokens=count(given, "cache_write_tokens"),
        reasoning_output_tokens=reasoning,
        audio_input_tokens=_some(count(given, "audio_tokens")),
        image_input_tokens=_some(count(given, "image_tokens")),
        audio_output_tokens=_some(count(made, "audio_tokens")),
        image_output_tokens=_some(count(made, "image_tokens")),
        web_search_requests=_either(searches, _tool_calls(answer, "web_search_call")),
        file_search_requests=_tool_calls(answer, "file_search_call"),
    )


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def _some(tokens: int | None) -> int | None:
    """Every answer lists every modality; a zero there says no more than silence."""
    return tokens or None


def _tool_calls(answer: Mapping[str, Any], kind: str) -> int | None:
    """Built-in tool calls are billed per call; opening or reading a page that a search found is not a search."""
    if "output" not in answer:
        return None
    calls = [item for raw in items(answer, "output") if (item := view(raw)).get("type") == kind]
    return sum(text(within(call, "action"), "type") in (None, "search") for call in calls) or None


def _stated_cost(usage: Mapping[str, Any]) -> str | None:
    """OpenRouter and Perplexity state USD, xAI ticks of 1e-10 USD."""
    ticks = count(usage, "cost_in_usd_ticks")
    if ticks is not None:
        return format(Decimal(ticks) / _XAI_TICKS_PER_USD, "f")
    stated = number(usage, "cost")
    stated = number(within(usage, "cost"), "total_cost") if stated is None else stated
    return format(Decimal(repr(stated)), "f") if stated is not None else None


def _error_of(raw: Any) -> Error | None:
    """An error that stands in an answer or an event; hosts word it as an object or as a text."""
    if not raw:
        return None
    said = view(raw)
    code, kind, numeric = text(said, "code"), text(said, "type"), count(said, "code")
    status = numeric if numeric is not None and 400 <= numeric < 600 else None
    shown = code or (str(numeric) if numeric is not None else None)
    name = shown or (kind if kind != "error" else None) or "error"
    return Error(type=name, error_class=classify(status, name))
