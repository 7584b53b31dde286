"""Every way a program may call the Anthropic SDK, once: how it is called, how it is read, what the wire answers."""

from __future__ import annotations

import inspect
from typing import Any

import anthropic

from .anthropic_wire import EVENTS, MESSAGE, TOKENS
from .ways import City, Way, read_async, shown

ASK: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Where?"}],
}
COUNT: dict[str, Any] = {name: ASK[name] for name in ("model", "messages")}


def _messages(kind: str, door: Any) -> list[Way]:
    """The ways of one `messages` resource, plain or beta."""
    return [
        Way(f"{kind} create", lambda c: door(c).create(**ASK), "value", MESSAGE),
        Way(f"{kind} parse", lambda c: door(c).parse(**ASK, output_format=City), "value", MESSAGE),
        Way(f"{kind} raw", lambda c: door(c).with_raw_response.create(**ASK), "raw", MESSAGE),
        Way(f"{kind} lazy", lambda c: door(c).with_streaming_response.create(**ASK), "lazy", MESSAGE),
        Way(f"{kind} json", lambda c: door(c).with_streaming_response.create(**ASK), "json", MESSAGE),
        Way(f"{kind} stream", lambda c: door(c).create(**ASK, stream=True), "stream", EVENTS),
        Way(f"{kind} next", lambda c: door(c).create(**ASK, stream=True), "next", EVENTS),
        Way(f"{kind} helper", lambda c: door(c).stream(**ASK), "helper", EVENTS),
        Way(f"{kind} parsing helper", lambda c: door(c).stream(**ASK, output_format=City), "helper", EVENTS),
        Way(f"{kind} raw stream", lambda c: door(c).with_raw_response.create(**ASK, stream=True), "raw stream", EVENTS),
        Way(
            f"{kind} lazy stream",
            lambda c: door(c).with_streaming_response.create(**ASK, stream=True),
            "lazy stream",
            EVENTS,
        ),
        Way(f"{kind} lines", lambda c: door(c).with_streaming_response.create(**ASK, stream=True), "lines", EVENTS),
    ]


MESSAGE_WAYS = [*_messages("messages", lambda c: c.messages), *_messages("beta", lambda c: c.beta.messages)]
COUNT_WAYS = [
    Way("count_tokens", lambda c: c.messages.count_tokens(**COUNT), "value", TOKENS),
    Way("beta count_tokens", lambda c: c.beta.messages.count_tokens(**COUNT), "value", TOKENS),
    Way("count_tokens raw", lambda c: c.messages.with_raw_response.count_tokens(**COUNT), "raw", TOKENS),
]
ALL_WAYS = [*MESSAGE_WAYS, *COUNT_WAYS]

CLOUDS: list[tuple[str, type[Any], type[Any], dict[str, Any], str]] = [
    (
        "bedrock",
        anthropic.AnthropicBedrock,
        anthropic.AsyncAnthropicBedrock,
        {"aws_region": "us-east-1"},
        "aws.bedrock",
    ),
    (
        "bedrock mantle",
        anthropic.AnthropicBedrockMantle,
        anthropic.AsyncAnthropicBedrockMantle,
        {"aws_region": "us-east-1"},
        "aws.bedrock",
    ),
    (
        "vertex",
        anthropic.AnthropicVertex,
        anthropic.AsyncAnthropicVertex,
        {"region": "us-east5", "project_id": "p", "access_token": "t"},
        "gcp.vertex_ai",
    ),
    (
        "aws",
        anthropic.AnthropicAWS,
        anthropic.AsyncAnthropicAWS,
        {"aws_region": "us-east-1", "workspace_id": "w"},
        "anthropic",
    ),
    (
        "google cloud",
        anthropic.AnthropicGoogleCloud,
        anthropic.AsyncAnthropicGoogleCloud,
        {"project": "p", "workspace_id": "w", "token_provider": lambda: "t"},
        "anthropic",
    ),
    ("foundry", anthropic.AnthropicFoundry, anthropic.AsyncAnthropicFoundry, {"resource": "r"}, "anthropic"),
]
"""Platform, its two clients, their arguments, who bills."""


async def read_awaiting(way: str, result: Any, take: int | None = None) -> list[Any]:
    """As `read_async`; a raw response of this SDK has to be awaited twice."""
    if not way.startswith("raw"):
        return await read_async(way, result, take)
    raw = await result
    parsed = raw.parse()
    parsed = await parsed if inspect.isawaitable(parsed) else parsed
    return [type(raw), *(await read_async("stream", parsed, take) if way == "raw stream" else [shown(parsed)])]
