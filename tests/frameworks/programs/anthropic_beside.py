"""The Anthropic SDK's own spans, and other instrumentations of it, beside ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.frameworks.scenario import Door, use

_INSTRUMENTORS = {
    "openinference": "openinference.instrumentation.anthropic:AnthropicInstrumentor",
    "openllmetry": "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
    "genai": "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
}
_ASK: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Where?"}],
}


def instrument(tracers: Any, with_: str) -> None:
    if with_:
        use(_INSTRUMENTORS[with_])().instrument(tracer_provider=tracers)


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    import anthropic

    client = anthropic.Anthropic(base_url=door.anthropic)
    waiting = anthropic.AsyncAnthropic(base_url=door.anthropic)
    yield lambda: client.messages.create(**_ASK)
    yield lambda: list(client.messages.create(**_ASK, stream=True))
    yield lambda: _helper(client)
    yield lambda: _waiting(waiting)


def _helper(client: Any) -> None:
    with client.messages.stream(**_ASK) as stream:
        stream.until_done()


async def _waiting(client: Any) -> None:
    await client.messages.create(**_ASK)
    async for _ in await client.messages.create(**_ASK, stream=True):
        pass
    async with client.messages.stream(**_ASK) as stream:
        await stream.until_done()
    await client.close()
