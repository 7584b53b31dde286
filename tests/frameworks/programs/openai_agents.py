"""The OpenAI Agents SDK, which has traces of its own; an instrumentation turns them into spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.frameworks.scenario import Door, use, weather

_INSTRUMENTORS = {
    "openinference": "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
    "openllmetry": "opentelemetry.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
}


def instrument(tracers: Any, with_: str) -> None:
    use("agents:set_trace_processors")([])  # it would send its traces to OpenAI
    use(_INSTRUMENTORS[with_])().instrument(tracer_provider=tracers)


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    import openai

    client = openai.AsyncOpenAI(base_url=door.openai)
    agent, run = use("agents:Agent"), use("agents:Runner")
    tool = use("agents:function_tool")(weather)
    for kind in ("OpenAIChatCompletionsModel", "OpenAIResponsesModel"):
        model = use(f"agents:{kind}")("gpt-4o", client)
        plain = agent(name="plain", model=model)
        tools = agent(name="tools", model=model, tools=[tool])
        yield partial(run.run, plain, "Where?")
        yield partial(run.run, tools, "Where?")
        yield partial(_streamed, run, plain)
        yield partial(_streamed, run, tools)


async def _streamed(run: Any, agent: Any) -> None:
    async for _ in run.run_streamed(agent, "Where?").stream_events():
        pass
