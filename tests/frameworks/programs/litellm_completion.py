"""LiteLLM, with its own OpenTelemetry callback and with OpenInference's instrumentation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.frameworks.scenario import Door, use

_TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
_QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "Where?"}]


def instrument(tracers: Any, with_: str) -> None:
    if with_ == "openinference":
        use("openinference.instrumentation.litellm:LiteLLMInstrumentor")().instrument(tracer_provider=tracers)
    else:
        use("litellm").callbacks = ["otel"]


def settle() -> None:
    """Its callbacks run in threads of their own."""
    time.sleep(2)


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    litellm = use("litellm")
    openai = {"model": "openai/gpt-4o", "api_base": door.openai, "api_key": "k"}
    anthropic = {"model": "anthropic/claude-sonnet-4-5", "api_base": door.anthropic, "api_key": "k"}
    for host in (openai, anthropic):
        yield partial(litellm.completion, messages=_QUESTION, **host)
        yield partial(litellm.acompletion, messages=_QUESTION, **host)
        yield partial(_stream, litellm, host)
        yield partial(_loop, litellm, host)
    yield lambda: litellm.embedding(
        model="openai/text-embedding-3-small", input=["Where?"], api_base=door.openai, api_key="k"
    )


def _stream(litellm: Any, host: dict[str, Any]) -> None:
    for _ in litellm.completion(messages=_QUESTION, stream=True, **host):
        pass


def _loop(litellm: Any, host: dict[str, Any]) -> None:
    asked = litellm.completion(messages=_QUESTION, tools=[_TOOL], **host).choices[0].message
    answer = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "Snow."}
    litellm.completion(messages=[*_QUESTION, asked.model_dump(), answer], tools=[_TOOL], **host)
