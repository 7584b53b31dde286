"""The same through Pydantic AI, whose models make spans of their own: one request each, without an agent around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .cases import ASKED, LONG, Case, use


def _messages(system: str = "") -> list[Any]:
    part, request = use("pydantic_ai.messages:SystemPromptPart"), use("pydantic_ai.messages:ModelRequest")
    asked = use("pydantic_ai.messages:UserPromptPart")(content=ASKED)
    return [request(parts=[*([part(content=system)] if system else []), asked])]


def _request(model: Any, messages: list[Any], **settings: Any) -> Callable[[], Any]:
    def run() -> Any:
        return use("pydantic_ai.direct:model_request")(
            model, messages, model_settings=settings or None, instrument=True
        )

    return run


def _stream(model: Any, messages: list[Any], **settings: Any) -> Callable[[], Any]:
    async def run() -> None:
        open_stream = use("pydantic_ai.direct:model_request_stream")
        async with open_stream(model, messages, model_settings=settings or None, instrument=True) as stream:
            async for _ in stream:
                pass

    return run


def openai(origin: str) -> Iterator[Case]:
    """Chat completions and responses."""
    host = use("pydantic_ai.providers.openai:OpenAIProvider")(base_url=f"{origin}/v1", api_key="k")
    chat = use("pydantic_ai.models.openai:OpenAIChatModel")("gpt-4o", provider=host)
    thinking = use("pydantic_ai.models.openai:OpenAIChatModel")("gpt-5-mini", provider=host)
    responses = use("pydantic_ai.models.openai:OpenAIResponsesModel")("gpt-5-mini", provider=host)
    plain, long = _messages(), _messages(LONG)

    def case(name: str, run: Callable[[], Any], tier: str = "default") -> Case:
        return Case("openai", name, run, finish="stop", tier=tier)

    yield case("chat", _request(chat, plain))
    yield case("chat cached", _request(chat, long))
    yield case("chat reasoning", _request(thinking, long))
    yield case("chat priority", _request(chat, plain, openai_service_tier="priority"), "priority")
    yield case("chat streamed reasoning", _stream(thinking, long))
    yield case("responses cached, reasoning", _request(responses, long))
    yield case("responses streamed", _stream(responses, long))


def anthropic(origin: str) -> Iterator[Case]:
    """Messages, with the cache of the system prompt that Pydantic AI can ask for."""
    host = use("pydantic_ai.providers.anthropic:AnthropicProvider")(base_url=origin, api_key="k")
    model = use("pydantic_ai.models.anthropic:AnthropicModel")("claude-opus-4-5", provider=host)
    long, thinking = _messages(LONG), {"anthropic_thinking": {"type": "enabled", "budget_tokens": 2000}}

    def case(name: str, run: Callable[[], Any]) -> Case:
        return Case("anthropic", name, run, finish="end_turn", tier="standard")

    yield case("messages", _request(model, _messages()))
    yield case("messages, 5m written", _request(model, long, anthropic_cache_instructions=True))
    yield case("messages, 5m read", _request(model, long, anthropic_cache_instructions=True))
    yield case("messages, 1h written", _request(model, _messages(f"hour {LONG}"), anthropic_cache_instructions="1h"))
    yield case("messages thinking", _request(model, _messages(), max_tokens=4000, **thinking))
    yield case("messages streamed, 5m read", _stream(model, long, anthropic_cache_instructions=True))


def google(origin: str) -> Iterator[Case]:
    """generateContent, whole and streamed."""
    host = use("pydantic_ai.providers.google:GoogleProvider")(base_url=origin, api_key="k")
    model = use("pydantic_ai.models.google:GoogleModel")("gemini-2.5-flash", provider=host)

    def case(name: str, run: Callable[[], Any]) -> Case:
        return Case("gcp.gemini", name, run, finish="STOP")

    yield case("generate thinking", _request(model, _messages()))
    yield case("generate before cache", _request(model, _messages(LONG)))
    yield case("generate cached", _request(model, _messages(LONG)))
    yield case("generate streamed", _stream(model, _messages(LONG)))


CASES = {"openai": openai, "anthropic": anthropic, "gcp.gemini": google}
