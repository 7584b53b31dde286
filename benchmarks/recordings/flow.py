"""Synchronous and asynchronous clients driven by the same lines.

A driver is a coroutine that settles whatever an SDK returns.  A synchronous client returns nothing awaitable, so its
coroutine never waits and `run` can finish it without an event loop, as in an ordinary program.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

EARLY: Final = 2
"""After so many events an impatient caller stops."""


class Mode(NamedTuple):
    """How a program calls: which client, and `create`, `helper` (the SDK's conveniences) or `early` (stops early)."""

    asynchronous: bool
    way: str


MODES: Final = {
    "sync": Mode(False, "create"),
    "async": Mode(True, "create"),
    "helper": Mode(False, "helper"),
    "helper-async": Mode(True, "helper"),
    "early": Mode(False, "early"),
    "early-async": Mode(True, "early"),
}


class NotDriven(Exception):
    """This recording cannot be sent again through this SDK; the text says why."""


def run(work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop | None) -> Any:
    """The coroutine's result; without a loop it must never have to wait."""
    if loop is not None:
        return loop.run_until_complete(work)
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a synchronous client returned something to wait for")


async def settled(value: Any) -> Any:
    """The value, or what it becomes."""
    return await value if inspect.isawaitable(value) else value


async def drained(stream: Any, mode: Mode) -> list[Any]:
    """The items of a stream, looped over as such a program does; an impatient one stops and closes it."""
    seen: list[Any] = []
    limit = EARLY if mode.way == "early" else None
    if mode.asynchronous:
        async for item in stream:
            seen.append(item)
            if len(seen) == limit:
                break
    else:
        for item in stream:
            seen.append(item)
            if len(seen) == limit:
                break
    if limit is not None:
        close = getattr(stream, "close", None) or getattr(stream, "aclose", None)
        await settled(close() if close else None)
    return seen


@asynccontextmanager
async def entered(manager: Any, mode: Mode) -> AsyncIterator[Any]:
    """A context manager of the client's kind."""
    if mode.asynchronous:
        async with manager as inside:
            yield inside
    else:
        with manager as inside:
            yield inside


def fitting(method: Any, body: dict[str, Any]) -> dict[str, Any]:
    """A recorded body as keyword arguments; what this SDK does not name goes to `extra_body`."""
    known = set(inspect.signature(method).parameters)
    named = {k: v for k, v in body.items() if k in known}
    extra = {k: v for k, v in body.items() if k not in known}
    return {**named, **({"extra_body": extra} if extra else {})}
