"""What a request to Google asks for, told by its path and its body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from otel_llm_cost.hosts import vendor
from otel_llm_cost.provider import Wire
from otel_llm_cost.read import count, items, number, text, texts, valid, view, within
from otel_llm_cost.record import Request

from .words import lower, plain

VERTEX: Final = "vertexai"
"""A word among `Wire.client` of a client in Vertex mode, whatever its base URL."""
_VERTEX_PATH: Final = "/locations/"
_MODEL = re.compile(r"(?:^|/)(models|tunedModels|endpoints)/([^/:]+):(\w+)$")
_INTERACTION = re.compile(r"(?:^|/)(?:interactions|decisions)(/[^/:]+)?/?$")
_CACHES = re.compile(r"(?:^|/)cachedContents/?$")
_RESULTS = re.compile(r"(?:^|/)(?:batches/[^/:]+|files/[^/:]+:download)$")
_OPERATIONS: Final = {
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "countTokens": "count_tokens",
}
_OUTPUTS: Final = {"TEXT": "text", "IMAGE": "image", "AUDIO": "speech"}


def request(wire: Wire, provider: str | None = None) -> Request | None:
    """A POST to one of the doors above, or the fetch of a stored interaction; everything else is not a call."""
    asked = _asked(wire)
    if asked is None:
        return None
    stream = wire.path.endswith(":streamGenerateContent") or wire.body.get("stream") is True
    body = wire.body
    config = within(body, "generationConfig") or within(body, "generation_config")
    return asked._replace(
        provider=provider or _provider(wire.host, wire.port, VERTEX in wire.client or _VERTEX_PATH in wire.path),
        server_address=wire.host,
        server_port=wire.port,
        stream=stream or None,
        service_tier=text(body, "serviceTier") or text(body, "service_tier"),
        **(_parameters(config, body) if config or "response_format" in body else {}),
    )


def _asked(wire: Wire) -> Request | None:
    """Operation and model, by the path."""
    found = _INTERACTION.search(wire.path)
    if found is not None:
        return _interaction(wire, fetched=bool(found[1]))
    if wire.method != "POST":
        return None
    found = _MODEL.search(wire.path)
    if found is None:
        return Request("create_cache", model=plain(text(wire.body, "model"))) if _CACHES.search(wire.path) else None
    kind, name, method = found[1], valid(found[2]), found[3]
    if method.startswith("predict"):
        return _prediction(wire.body, name) if kind == "models" else None
    model = name if kind == "models" else f"{kind}/{name}"
    return Request(_OPERATIONS[method], model=model) if method in _OPERATIONS else None


def _interaction(wire: Wire, *, fetched: bool) -> Request | None:
    if fetched:
        return Request("fetch_response") if wire.method == "GET" else None
    if wire.method != "POST":
        return None
    model, agent = plain(text(wire.body, "model")), text(wire.body, "agent")
    return Request(
        "generate_content" if model or not agent else "invoke_agent",
        model=model or agent,
        previous_response_id=text(wire.body, "previous_interaction_id"),
    )


def _prediction(body: Mapping[str, Any], model: str) -> Request:
    """`predict` is Vertex's general door: embeddings, images, and (`predictLongRunning`) videos."""
    if "prompt" not in view(next(iter(items(body, "instances")), None)):
        return Request("embeddings", model=model)
    return Request("generate_content", model=model, output_type="image" if model.startswith("imagen") else None)


def _parameters(config: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says beyond its model and its contents; interactions, and the SDK within, say it in snake_case."""
    choices = count(config, "candidateCount")
    thinking = within(config, "thinkingConfig") or config
    level = text(thinking, "thinkingLevel") or text(thinking, "thinking_level")
    top_p, limit = number(config, "topP"), count(config, "maxOutputTokens")
    return {
        "max_tokens": count(config, "max_output_tokens") if limit is None else limit,
        "temperature": number(config, "temperature"),
        "top_p": number(config, "top_p") if top_p is None else top_p,
        "top_k": number(config, "topK"),
        "frequency_penalty": number(config, "frequencyPenalty"),
        "presence_penalty": number(config, "presencePenalty"),
        "stop_sequences": texts(config, "stopSequences") or texts(config, "stop_sequences"),
        "seed": count(config, "seed"),
        "choice_count": choices if choices != 1 else None,
        "reasoning_level": lower(level),
        "output_type": _output_type(config, body),
    }


def _output_type(config: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    if text(config, "responseMimeType") == "application/json" or body.get("response_format"):
        return "json"
    asked = [kind for kind in items(config, "responseModalities") if kind != "TEXT"]
    return _OUTPUTS.get(str.upper(asked[0])) if asked and isinstance(asked[0], str) else None


@lru_cache(maxsize=256)
def _provider(host: str, port: int | None, vertex: bool) -> str:
    """A host that is not Google's is itself, or the vendor that it belongs to: its prices are not Google's."""
    host = host.lower()
    if vertex or (host.endswith(".googleapis.com") and "aiplatform" in host):
        return "gcp.vertex_ai"
    return "gcp.gemini" if host.endswith("generativelanguage.googleapis.com") else vendor(host, port)


def download(wire: Wire, provider: str | None = None) -> Request | None:
    """The fetch of a batch, whose results may stand in it, or of a file, which may hold them."""
    if wire.method != "GET" or not _RESULTS.search(wire.path):
        return None
    return Request(
        operation="generate_content",
        provider=provider or _provider(wire.host, wire.port, VERTEX in wire.client or _VERTEX_PATH in wire.path),
        server_address=wire.host,
        server_port=wire.port,
        batch=True,
    )
