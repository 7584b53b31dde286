"""Another instrumentation of the OpenAI SDK beside ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.frameworks.scenario import Door, use

_INSTRUMENTORS = {
    "genai": "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    "openinference": "openinference.instrumentation.openai:OpenAIInstrumentor",
    "openllmetry": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
}
_ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Where?"}]}


def instrument(tracers: Any, with_: str) -> None:
    use(_INSTRUMENTORS[with_])().instrument(tracer_provider=tracers)


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    import openai

    client = openai.OpenAI(base_url=door.openai)
    waiting = openai.AsyncOpenAI(base_url=door.openai)
    yield lambda: client.chat.completions.create(**_ASK)
    yield lambda: client.responses.create(model="gpt-4o", input="Where?")
    yield lambda: client.embeddings.create(model="text-embedding-3-small", input="Where?")
    yield lambda: list(client.chat.completions.create(**_ASK, stream=True, stream_options={"include_usage": True}))
    yield lambda: list(client.chat.completions.create(**_ASK, stream=True))
    yield lambda: list(client.responses.create(model="gpt-4o", input="Where?", stream=True))
    yield lambda: _streamed(waiting)


async def _streamed(client: Any) -> None:
    async for _ in await client.chat.completions.create(**_ASK, stream=True):
        pass
    await client.chat.completions.create(**_ASK)
    await client.close()
