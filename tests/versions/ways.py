"""What the suite knows of an SDK, and how the result of a call is read, whatever the SDK and its version."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import reduce
from importlib.metadata import version
from typing import Any, Protocol

import pydantic

from .wire import Body, Reply, Wire, http_library

USED = {
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 45,
    "gen_ai.usage.cache_read.input_tokens": 100,
    "gen_ai.usage.reasoning.output_tokens": 30,
}
"""What the answers of every wire here say was used."""
MANAGERS = ("lazy", "lazy stream", "lines", "helper")
"""Kinds of which the result has to be entered."""


class City(pydantic.BaseModel):
    """The structured answer of `.parse()`."""

    city: str


@dataclass(frozen=True)
class Way:
    """One way to call an SDK."""

    needs: str
    """Dotted name of the method, from the client; a version without it lacks this way."""
    ask: dict[str, Any]
    kind: str
    """How the result is read: whole, raw, lazy, stream, raw stream, lazy stream, lines, helper."""
    body: Body
    said: dict[str, Any] = field(default_factory=lambda: USED)
    """Attributes of the span."""
    unasked: Body | None = None
    """What the host answers to a program without us, where that is something else."""
    vertex: bool = False
    call: Callable[[Any, dict[str, Any]], Any] = lambda method, ask: method(**ask)

    @property
    def streamed(self) -> bool:
        """Whether the answer is an event stream."""
        return isinstance(self.body, list)

    def __str__(self) -> str:
        vertex, stream = "vertex " if self.vertex else "", " stream=True" if self.ask.get("stream") else ""
        return f"{vertex}{self.needs}{stream} {self.kind}"


class Maker(Protocol):
    """Makes a client on a wire."""

    def __call__(self, wire: Wire, way: Way, *, asynchronous: bool, retries: int, tracers: Any) -> Any:
        """`tracers` is the provider of the SDK's own spans, if it makes any."""


@dataclass(frozen=True)
class Sdk:
    """An SDK, the ways to call it, and how its provider words a failure."""

    distribution: str
    instrumentor: str
    make: Maker
    ways: tuple[Way, ...]
    bad: Reply
    """A request that is refused for good, with status 400."""
    busy: Reply
    """One that is refused for now, with status 429 or 503."""
    retried: tuple[int, ...] = ()
    """Which of the ways (by index) are tried again by the SDK."""

    @property
    def http(self) -> str:
        """The HTTP library that it uses."""
        return http_library(self.distribution)

    def __str__(self) -> str:
        return self.distribution

    def described(self) -> str:
        """What is installed."""
        return f"{self.distribution} {version(self.distribution)} ({self.http} {version(self.http)})"


def method(client: Any, needs: str) -> Any:
    """The method that a way needs; None in a version without it, or (OpenAI's 1.99.0) that cannot import it."""
    try:
        return reduce(getattr, needs.split("."), client)
    except (AttributeError, ImportError):
        return None


def shown(value: Any) -> Any:
    """What a program can see of a value: its exact type and its content."""
    return type(value), value.model_dump(warnings=False) if isinstance(value, pydantic.BaseModel) else value


async def settled(value: Any) -> Any:
    """The value itself, or what it stands for once awaited."""
    return await value if inspect.isawaitable(value) else value


async def listed(items: Any, take: int | None) -> list[Any]:
    """The items of either kind of iterable, or the first `take` of them."""
    found: list[Any] = [type(items)]
    if hasattr(items, "__aiter__"):
        async for item in items:
            found.append(shown(item))
            if take and len(found) > take:
                break
    else:
        for item in items:
            found.append(shown(item))
            if take and len(found) > take:
                break
    return found


async def read(kind: str, result: Any, take: int | None = None) -> list[Any]:
    """Read a result to its end, or leave it after `take` items."""
    result = await settled(result)
    async with AsyncExitStack() as stack:
        if kind in MANAGERS:
            awaited = hasattr(result, "__aenter__")
            result = await stack.enter_async_context(result) if awaited else stack.enter_context(result)
        if kind == "lines":
            result = result.iter_lines()
        elif kind.startswith(("raw", "lazy")):
            result = await settled(result.parse())
        if kind in ("whole", "raw", "lazy"):
            return [shown(result)]
        return await listed(result, take)
