"""Pydantic AI, whose agents, model requests and tools have spans of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.frameworks.scenario import Door, use, weather


def instrument(tracers: Any, with_: str) -> None:
    settings = use("pydantic_ai.models.instrumented:InstrumentationSettings")
    plain = {"use_aggregated_usage_attribute_names": False} if with_ == "plain names" else {}
    use("pydantic_ai:Agent").instrument_all(settings(tracer_provider=tracers, **plain))
    use("pydantic_ai:Embedder").instrument_all(settings(tracer_provider=tracers))


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    agent = use("pydantic_ai:Agent")
    host = use("pydantic_ai.providers.openai:OpenAIProvider")(base_url=door.openai, api_key="k")
    for kind in ("OpenAIChatModel", "OpenAIResponsesModel"):
        model = use(f"pydantic_ai.models.openai:{kind}")("gpt-4o", provider=host)
        yield from _ways(agent, model)
    other = use("pydantic_ai.providers.anthropic:AnthropicProvider")(base_url=door.anthropic, api_key="k")
    yield from _ways(agent, use("pydantic_ai.models.anthropic:AnthropicModel")("claude-sonnet-4-5", provider=other))
    embedding = use("pydantic_ai.embeddings.openai:OpenAIEmbeddingModel")("text-embedding-3-small", provider=host)
    yield lambda: use("pydantic_ai:Embedder")(embedding).embed_query("Where?")


def _ways(agent: Any, model: Any) -> Iterator[Callable[[], Any]]:
    yield lambda: agent(model).run("Where?")
    yield lambda: agent(model, tools=[weather]).run("Where?")
    yield lambda: _streamed(agent(model))
    yield lambda: _streamed(agent(model, tools=[weather]))


async def _streamed(agent: Any) -> None:
    async with agent.run_stream("Where?") as result:
        async for _ in result.stream_text():
            pass
