"""Every door of the three SDKs as one list, and what a program gets through one of them: a result or an exception."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost.instrumentor import AnthropicInstrumentor, GoogleGenAIInstrumentor, OpenAIInstrumentor
from tests.instrumentation import anthropic_ways, google_ways, openai_doors_wire, ways
from tests.instrumentation.wire import CHAT_EVENTS, COMPLETION_EVENTS

from .hosts import AnthropicHost, GoogleHost, OpenAIHost

INSTRUMENTORS = {"openai": OpenAIInstrumentor, "anthropic": AnthropicInstrumentor, "google": GoogleGenAIInstrumentor}
HOSTS: dict[str, type[Any]] = {"openai": OpenAIHost, "anthropic": AnthropicHost, "google": GoogleHost}


@dataclass(frozen=True)
class Door:
    """One way of calling one SDK, synchronously or not."""

    sdk: str
    way: Any
    """A `ways.Way`, or an `openai_doors_wire.Door`, which is read in ways of its own."""
    asynchronous: bool

    @property
    def name(self) -> str:
        """For a test's name."""
        return f"{self.sdk} {self.way.name} {'async' if self.asynchronous else 'sync'}"

    @property
    def streamed(self) -> bool:
        """Whether the answer is an event stream."""
        return isinstance(self.way.body, list)

    def host(self, body: Any = None) -> Any:
        """A host that answers as this door expects, or with another body."""
        host = HOSTS[self.sdk](self.way.body if body is None else body)
        host.usage_event = len(self.way.body) - 2 if self.way.body in (CHAT_EVENTS, COMPLETION_EVENTS) else None
        return host

    @contextmanager
    def sync_client(self, host: Any, **options: Any) -> Iterator[Any]:
        """A synchronous client."""
        if self.sdk == "google":
            options["vertex"] = self.way.name.startswith(google_ways.VERTEX)
        with host.client(**options) as client:
            yield client

    async def run(self, host: Any, take: int | None = None) -> list[Any]:
        """Call and consume to the end, or `take` items of it."""
        with tempfile.TemporaryDirectory() as folder:
            return await (self._async(host, take, folder) if self.asynchronous else self._sync(host, take, folder))

    async def _sync(self, host: Any, take: int | None, folder: str) -> list[Any]:
        with self.sync_client(host) as client:
            result = self.way.call(client)
            if isinstance(self.way, openai_doors_wire.Door):
                return openai_doors_wire.see_sync(self.way, result, Path(folder))
            reader = google_ways.read if self.sdk == "google" else ways.read_sync
            return reader(self.way.read, result, take)

    async def _async(self, host: Any, take: int | None, folder: str) -> list[Any]:
        if self.sdk == "google":
            with self.sync_client(host) as client:
                async with client.aio as half:
                    return await google_ways.read_awaiting(self.way.read, self.way.call(half), take)
        async with host.async_client() as client:
            result = self.way.call(client)
            if isinstance(self.way, openai_doors_wire.Door):
                return await openai_doors_wire.see_async(self.way, result, Path(folder))
            reader = anthropic_ways.read_awaiting if self.sdk == "anthropic" else ways.read_async
            return await reader(self.way.read, result, take)

    async def outcome(self, host: Any, take: int | None = None) -> Any:
        """What the program gets, in a form that compares."""
        try:
            return await self.run(host, take)
        except Exception as exc:  # noqa: BLE001  # what is compared
            return type(exc), str(exc), type(exc.__cause__), type(exc.__context__)


def _both(sdk: str, listed: list[Any]) -> list[Door]:
    return [Door(sdk, way, asynchronous) for way in listed for asynchronous in (False, True)]


ALL = [
    *_both("openai", [*ways.ALL_WAYS, *openai_doors_wire.DOORS, *openai_doors_wire.DOWNLOADS]),
    *_both("anthropic", anthropic_ways.ALL_WAYS),
    *_both("google", google_ways.ALL_WAYS),
]
_REPRESENTATIVE = {
    "openai": (
        "chat create",
        "chat raw",
        "chat json",
        "chat stream",
        "chat stream helper",
        "chat lines",
        "responses helper",
        "embeddings",
        "results pieces",
    ),
    "anthropic": ("messages create", "messages stream", "messages helper", "beta lazy stream", "count_tokens"),
    "google": ("generate", "stream", "chat stream", "interaction", "interaction stream", "embed"),
}
SOME = [door for door in ALL if door.way.name in _REPRESENTATIVE[door.sdk]]
_FEW = ("chat create", "chat stream", "results pieces", "messages create", "messages helper", "generate", "stream")
FEW = [door for door in SOME if door.way.name in _FEW]
STREAMS = [door for door in SOME if door.streamed]


def each(doors: list[Door]) -> pytest.MarkDecorator:
    """One test per door: a few that stand for the rest, and the rest where there is time."""
    slow = [door for door in ALL if door not in doors] if doors is SOME or doors is FEW else []
    params = [*doors, *(pytest.param(door, marks=pytest.mark.integration) for door in slow)]
    return pytest.mark.parametrize("door", params, ids=[door.name for door in [*doors, *slow]])


@contextmanager
def instrumented(door: Door, **settings: Any) -> Iterator[None]:
    """The door's SDK instrumented."""
    instrumentor = INSTRUMENTORS[door.sdk]()
    instrumentor.instrument(**settings)
    try:
        yield
    finally:
        instrumentor.uninstrument()
