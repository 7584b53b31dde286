"""LlamaIndex, with the instrumentations of OpenInference and of OpenLLMetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.frameworks.scenario import Door, use, weather

_INSTRUMENTORS = {
    "openinference": "openinference.instrumentation.llama_index:LlamaIndexInstrumentor",
    "openllmetry": "opentelemetry.instrumentation.llamaindex:LlamaIndexInstrumentor",
}


def instrument(tracers: Any, with_: str) -> None:
    use(_INSTRUMENTORS[with_])().instrument(tracer_provider=tracers)


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    model = use("llama_index.llms.openai:OpenAI")(model="gpt-4o", api_base=door.openai, api_key="k")
    yield lambda: model.complete("Where?")
    yield lambda: model.acomplete("Where?")
    yield lambda: list(model.stream_complete("Where?"))
    tool = use("llama_index.core.tools:FunctionTool").from_defaults(weather)
    agent = use("llama_index.core.agent.workflow:FunctionAgent")
    yield lambda: _run(agent(tools=[tool], llm=model, streaming=False))
    yield lambda: _run(agent(tools=[tool], llm=model))
    embedding = use("llama_index.embeddings.openai:OpenAIEmbedding")(api_base=door.openai, api_key="k")
    yield lambda: embedding.get_text_embedding("Where?")


async def _run(agent: Any) -> None:
    await agent.run("Where?")
