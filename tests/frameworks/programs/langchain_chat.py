"""LangChain, with the instrumentations of OpenInference and of OpenLLMetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.frameworks.scenario import Door, use, weather

_INSTRUMENTORS = {
    "openinference": "openinference.instrumentation.langchain:LangChainInstrumentor",
    "openllmetry": "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
}


def instrument(tracers: Any, with_: str) -> None:
    use(_INSTRUMENTORS[with_])().instrument(tracer_provider=tracers)


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    of_openai = {"model": "gpt-4o", "base_url": door.openai, "api_key": "k"}
    of_anthropic = {"model": "claude-sonnet-4-5", "base_url": door.anthropic, "api_key": "k"}
    openai, anthropic = use("langchain_openai:ChatOpenAI"), use("langchain_anthropic:ChatAnthropic")
    yield from _ways(openai(**of_openai, stream_usage=True))
    yield from _ways(openai(**of_openai, use_responses_api=True))
    yield lambda: list(openai(**of_openai, stream_usage=False).stream("Where?"))
    yield from _ways(anthropic(**of_anthropic))
    embeddings = use("langchain_openai:OpenAIEmbeddings")
    asked = {**of_openai, "model": "text-embedding-3-small", "check_embedding_ctx_length": False}
    yield lambda: embeddings(**asked).embed_query("Where?")


def _ways(model: Any) -> Iterator[Callable[[], Any]]:
    agent = use("langchain.agents:create_agent")
    chain = use("langchain_core.prompts:ChatPromptTemplate").from_messages([("user", "{question}")])
    asked = {"messages": [{"role": "user", "content": "Where?"}]}
    yield lambda: model.invoke("Where?")
    yield lambda: (chain | model).invoke({"question": "Where?"})
    yield lambda: model.ainvoke("Where?")
    yield lambda: list(model.stream("Where?"))
    yield lambda: _streamed(model)
    yield lambda: agent(model, tools=[weather]).invoke(asked)
    yield lambda: list(agent(model, tools=[weather]).stream(asked, stream_mode="messages"))


async def _streamed(model: Any) -> None:
    async for _ in model.astream("Where?"):
        pass
