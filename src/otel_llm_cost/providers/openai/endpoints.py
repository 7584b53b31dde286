"""Which requests are calls, and what they ask for.

An endpoint is known by the end of its path, so that base URLs with a prefix of their own (`/openai/v1`, a gateway's)
and Azure's `/deployments/NAME/…` are covered alike.  Operation names are the GenAI conventions' where they have one
(compacting a conversation is a `chat`: a model reads and writes); those of speech are of the conventions' draft for
voice agents, `image_generation` is what instrumentations have settled on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from otel_llm_cost.hosts import vendor
from otel_llm_cost.provider import Wire
from otel_llm_cost.read import count, number, text, texts, within
from otel_llm_cost.record import Request


class _Endpoint(NamedTuple):
    operation: str
    api_type: str
    output_type: str | None = None
    deployment: str | None = None
    """Azure: the deployment that the path names, which is the model where the body says none."""


_PICTURES: Final = _Endpoint("image_generation", "images", "image")
_ENDPOINTS: Final = {
    "chat/completions": _Endpoint("chat", "chat_completions"),
    "responses": _Endpoint("chat", "responses"),
    "responses/compact": _Endpoint("chat", "responses"),
    "responses/input_tokens": _Endpoint("count_tokens", "responses"),
    "embeddings": _Endpoint("embeddings", "embeddings"),
    "completions": _Endpoint("text_completion", "completions"),
    "images/generations": _PICTURES,
    "images/edits": _PICTURES,
    "images/variations": _PICTURES,
    "audio/transcriptions": _Endpoint("speech_to_text", "transcriptions"),
    "audio/translations": _Endpoint("speech_to_text", "translations"),
    "audio/speech": _Endpoint("text_to_speech", "speech", "speech"),
    "moderations": _Endpoint("moderation", "moderations"),
    "decisions": _Endpoint("decision", "decisions"),
}
_STORED: Final = _Endpoint("fetch_response", "responses")
# the longest first: `completions` also ends `chat/completions`
_POST = re.compile(r"(?:^|/)(" + "|".join(sorted(_ENDPOINTS, key=len, reverse=True)) + r")/?$")
_CANCEL = re.compile(r"(?:^|/)responses/[^/]+/cancel/?$")
_GET = re.compile(r"(?:^|/)responses/[^/]+/?$")
_DEPLOYMENT = re.compile(r"(?:^|/)deployments/([^/]+)/")
_PLAIN: Final = 2
"""Keys of a request that names a model and an input, and nothing else."""
_OUTPUT_TYPES: Final = {"json_object": "json", "json_schema": "json", "text": "text"}
# these report a stream's usage unasked (seen in recorded traffic); their requests need no change
_UNASKED: Final = frozenset({"mistral_ai", "groq", "deepseek", "together", "openrouter", "databricks"})


def request(wire: Wire, provider: str | None = None) -> Request | None:
    """A POST to one of the endpoints, or the fetch of a stored response; everything else is not a call."""
    endpoint = _endpoint(wire.method, wire.path)
    if endpoint is None:
        return None
    body = wire.body
    asked = Request(
        operation=endpoint.operation,
        provider=provider or provider_of(wire),
        model=text(body, "model") or endpoint.deployment,
        server_address=wire.host,
        server_port=wire.port,
        api_type=endpoint.api_type,
        stream=True if body.get("stream") is True or body.get("stream_format") == "sse" else None,
        output_type=endpoint.output_type,
    )
    return asked._replace(**_parameters(body, endpoint)) if len(body) > _PLAIN else asked


@lru_cache(maxsize=1024)
def _endpoint(method: str, path: str) -> _Endpoint | None:
    if method == "GET":
        return _STORED if _GET.search(path) else None
    if method != "POST":
        return None
    found = _POST.search(path)
    if found is None:
        return _STORED if _CANCEL.search(path) else None
    deployment = _DEPLOYMENT.search(path)
    endpoint = _ENDPOINTS[found[1]]
    return endpoint._replace(deployment=unquote(deployment[1])) if deployment else endpoint


def provider_of(wire: Wire) -> str:
    """Azure's client may be pointed at a gateway's host and speaks to Azure all the same."""
    return "azure.ai.openai" if "AzureOpenAI" in wire.client else vendor(wire.host, wire.port)


def stream_usage_option(wire: Wire) -> tuple[str, Any] | None:
    """`stream_options.include_usage`, where a completions stream does not have it from the caller."""
    if wire.body.get("stream") is not True or not wire.path.rstrip("/").endswith("completions"):
        return None
    if provider_of(wire) in _UNASKED:
        return None
    options = wire.body.get("stream_options")
    if options is not None and (not isinstance(options, Mapping) or "include_usage" in options):
        return None
    return "stream_options", {**(options or {}), "include_usage": True}


def _parameters(body: Mapping[str, Any], endpoint: _Endpoint) -> dict[str, Any]:
    """What a request says beyond its model and its messages; most say nothing more."""
    choices = count(body, "n")
    encoding, prompt = text(body, "encoding_format"), within(body, "prompt")
    return {
        "max_tokens": _first(body, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        "temperature": number(body, "temperature"),
        "top_p": number(body, "top_p"),
        "frequency_penalty": number(body, "frequency_penalty"),
        "presence_penalty": number(body, "presence_penalty"),
        "stop_sequences": texts(body, "stop"),
        "seed": count(body, "seed"),
        "choice_count": choices if choices != 1 else None,
        "encoding_formats": (encoding,) if encoding else None,
        "reasoning_level": text(body, "reasoning_effort") or text(within(body, "reasoning"), "effort"),
        "previous_response_id": text(body, "previous_response_id"),
        "output_type": endpoint.output_type or _output_type(body),
        "conversation_id": text(body, "conversation") or text(within(body, "conversation"), "id"),
        "prompt_name": text(prompt, "id"),
        "prompt_version": text(prompt, "version"),
        "service_tier": text(body, "service_tier"),
    }


def _first(body: Mapping[str, Any], *names: str) -> int | None:
    return next((value for name in names if (value := count(body, name)) is not None), None)


def _output_type(body: Mapping[str, Any]) -> str | None:
    form = within(body, "response_format") or within(within(body, "text"), "format")
    return _OUTPUT_TYPES.get(text(form, "type") or "")
