"""What a program asks of the three vendors: one case for each thing that a bill depends on.

The cases are called through the vendors' SDKs alone, with whatever peer was switched on beforehand.  They run in the
environment that `run.py` makes for the peer, hence `use`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_WHO = os.environ.get("OTEL_SERVICE_NAME", "")
"""In every prompt, so that no two programs get answers of the same id."""
LONG = f"For {_WHO}. " + "Answer as the shop's clerk would. " * 220
"""Some 1,700 tokens for the emulator: long enough for every vendor's prompt cache."""
ASKED = f"Where is my order, {_WHO}?"
_ASKED = [{"role": "user", "content": ASKED}]
_TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
_AUDIO = {"inline_data": {"mime_type": "audio/wav", "data": "UklGRg=="}}
_IMAGE = {"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo="}}


@dataclass(frozen=True)
class Case:
    """One call, and what the ledger of the emulator does not hold of it."""

    vendor: str
    name: str
    run: Callable[[], Any]
    finish: str = ""
    """Why the answer ended, in the vendor's word."""
    tier: str = ""
    """The service tier that serves it."""


def use(name: str) -> Any:
    """`module:name`, imported; or the module, where no name is given."""
    module, _, attribute = name.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def openai(origin: str) -> Iterator[Case]:
    """Chat completions, responses and embeddings."""
    where: dict[str, Any] = {"base_url": f"{origin}/v1", "api_key": "k", "max_retries": 0}
    client, calling = use("openai:OpenAI")(**where), use("openai:AsyncOpenAI")
    yield from _chats(client, lambda: calling(**where))
    yield from _responses(client, lambda: calling(**where))
    yield _case("embeddings", lambda: client.embeddings.create(model="text-embedding-3-small", input=f"Where, {_WHO}?"))
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": _ASKED}
    yield _case("chat refused", lambda: _failing(client.chat.completions.create, **asked, extra_headers=_REFUSED))


_REFUSED = {"x-emulator-script": "rate-limit"}


def _case(name: str, run: Callable[[], Any], **facts: str) -> Case:
    return Case("openai", name, run, **facts)


def _chats(client: Any, calling: Callable[[], Any]) -> Iterator[Case]:
    create = client.chat.completions.create
    plain: dict[str, Any] = {"model": "gpt-4o", "messages": _ASKED}
    cached: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "system", "content": LONG}, *_ASKED]}
    thought: dict[str, Any] = {"model": "gpt-5-mini", "messages": [{"role": "system", "content": LONG}, *_ASKED]}
    told: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    done = {"finish": "stop", "tier": "default"}
    yield _case("chat", lambda: create(**plain), **done)
    yield _case("chat cached", lambda: create(**cached), **done)
    yield _case("chat reasoning", lambda: create(**thought, reasoning_effort="low"), **done)
    yield _case("chat tool", lambda: create(**plain, tools=_TOOLS, tool_choice="required"), **done | _CALLED)
    yield _case("chat priority", lambda: create(**plain, service_tier="priority"), finish="stop", tier="priority")
    yield _case("chat asynchronous", lambda: _awaited(calling().chat.completions.create, **cached), **done)
    yield _case("chat streamed", lambda: _read(create(**cached, **told)), **done)
    yield _case("chat streamed reasoning", lambda: _read(create(**thought, **told)), **done)
    yield _case(
        "chat streamed asynchronous", lambda: _aread(calling().chat.completions.create, **cached, **told), **done
    )
    yield _case("chat streamed untold", lambda: _read(create(**plain, stream=True)), **done)


_CALLED = {"finish": "tool_calls"}


def _responses(client: Any, calling: Callable[[], Any]) -> Iterator[Case]:
    create = client.responses.create
    cached: dict[str, Any] = {"model": "gpt-5-mini", "input": "Where?", "instructions": LONG}
    done = {"finish": "stop", "tier": "default"}
    yield _case("responses", lambda: create(model="gpt-4o", input=f"Where, {_WHO}?"), **done)
    yield _case("responses cached, reasoning", lambda: create(**cached), **done)
    yield _case("responses flex", lambda: create(**cached, service_tier="flex"), finish="stop", tier="flex")
    yield _case("responses streamed", lambda: _read(create(**cached, stream=True)), **done)
    yield _case(
        "responses streamed asynchronous", lambda: _aread(calling().responses.create, **cached, stream=True), **done
    )


def anthropic(origin: str) -> Iterator[Case]:
    """Messages: the cache read and written for five minutes and for an hour, thoughts, searches."""
    where: dict[str, Any] = {"base_url": origin, "api_key": "k", "max_retries": 0}
    client, calling = use("anthropic:Anthropic")(**where), use("anthropic:AsyncAnthropic")
    create = client.messages.create
    plain: dict[str, Any] = {"model": "claude-opus-4-5", "max_tokens": 4000, "messages": _ASKED}
    thought = plain | {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    search = plain | {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}

    def case(name: str, run: Callable[[], Any]) -> Case:
        return Case("anthropic", name, run, finish="end_turn", tier="standard")

    yield case("messages", lambda: create(**plain))
    yield case("messages, 5m written", lambda: create(**plain, system=_kept("5m", "whole")))
    yield case("messages, 5m read", lambda: create(**plain, system=_kept("5m", "whole")))
    yield case("messages, 1h written", lambda: create(**plain, system=_kept("1h", "whole for long")))
    yield case("messages, both written", lambda: create(**plain, system=_both("whole")))
    yield case("messages, read and written", lambda: create(**plain, system=_both("whole"), tools=[]))
    yield case("messages thinking", lambda: create(**thought))
    yield case("messages searching", lambda: create(**search))
    yield case(
        "messages asynchronous", lambda: _awaited(calling(**where).messages.create, **plain, system=_kept("5m", "a"))
    )
    yield case("messages streamed", lambda: _read(create(**plain, stream=True)))
    yield case(
        "messages streamed, 5m written", lambda: _read(create(**plain, stream=True, system=_kept("5m", "piece")))
    )
    yield case("messages streamed, 5m read", lambda: _read(create(**plain, stream=True, system=_kept("5m", "piece"))))
    yield case("messages streamed, 1h written", lambda: _read(create(**plain, stream=True, system=_kept("1h", "hour"))))
    yield case("messages streamed thinking", lambda: _read(create(**thought, stream=True)))
    yield case("messages streamed searching", lambda: _read(create(**search, stream=True)))
    yield case("messages streamed by manager", lambda: _managed(client, **plain, system=_kept("5m", "manager")))
    yield case(
        "messages streamed asynchronous",
        lambda: _aread(calling(**where).messages.create, **plain, stream=True, system=_kept("5m", "b")),
    )
    yield Case("anthropic", "messages refused", lambda: _failing(create, **plain, extra_headers=_REFUSED))


def _kept(ttl: str, who: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": f"{who}: {LONG}", "cache_control": {"type": "ephemeral", "ttl": ttl}}]


def _both(who: str) -> list[dict[str, Any]]:
    """An hour's prefix that differs from every other case's, and five minutes' after it."""
    return [*_kept("1h", f"{who}, both"), *_kept("5m", f"{who}, more")]


def google(origin: str) -> Iterator[Case]:
    """generateContent, whole and streamed, and embedContent."""

    def calling() -> Any:
        return use("google.genai:Client")(api_key="k", http_options={"base_url": origin})

    client = calling()

    def case(name: str, run: Callable[..., Any], model: str = "gemini-2.5-flash", **given: Any) -> Case:
        return Case("gcp.gemini", name, lambda: run(model=model, **given), finish="STOP")

    whole, streamed = client.models.generate_content, client.models.generate_content_stream
    asked: dict[str, Any] = {"contents": ASKED}
    long: dict[str, Any] = {"contents": LONG}
    spoken: dict[str, Any] = {"contents": {"role": "user", "parts": [{"text": f"What is it, {_WHO}?"}, _AUDIO, _IMAGE]}}
    page: dict[str, Any] = {"config": {"tools": [{"url_context": {}}]}}
    search: dict[str, Any] = {"config": {"tools": [{"google_search": {}}]}}
    yield case("generate", whole, "gemini-2.0-flash", **asked)
    yield case("generate thinking", whole, **asked)
    yield case("generate before cache", whole, **long)
    yield case("generate cached", whole, **long)
    yield case("generate from a page", whole, **asked, **page)
    yield case("generate searching", whole, **asked, **search)
    yield case("generate from audio and image", whole, **spoken)
    yield case("generate asynchronous", lambda **of: _awaited(calling().aio.models.generate_content, **of), **long)
    yield case("generate streamed", lambda **of: _read(streamed(**of)), **long)
    yield case("generate streamed from a page", lambda **of: _read(streamed(**of)), **asked, **page)
    yield case(
        "generate streamed asynchronous",
        lambda **of: _aread(calling().aio.models.generate_content_stream, **of),
        **long,
    )
    embed = client.models.embed_content
    yield Case("gcp.gemini", "embed", lambda: embed(model="gemini-embedding-001", contents="Where?"))
    refused = {"config": {"http_options": {"headers": {"x-emulator-script": "overloaded"}}}}
    yield Case("gcp.gemini", "generate refused", lambda: _failing(whole, model="gemini-2.5-flash", **asked, **refused))


CASES = {"openai": openai, "anthropic": anthropic, "gcp.gemini": google}


def _failing(call: Callable[..., Any], **given: Any) -> None:
    with suppress(Exception):
        call(**given)


def _read(stream: Any) -> None:
    for _ in stream:
        pass


async def _awaited(call: Callable[..., Any], **given: Any) -> None:
    await call(**given)


async def _aread(call: Callable[..., Any], **given: Any) -> None:
    async for _ in await call(**given):
        pass


def _managed(client: Any, **given: Any) -> None:
    with client.messages.stream(**given) as stream:
        stream.until_done()
