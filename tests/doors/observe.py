"""Walks one way through one door and keeps the spans that come out."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import httpx2
from opentelemetry.sdk.trace import ReadableSpan

from tests.instrumentation.conftest import Seen, watching
from tests.instrumentation.wire import Wire

from .kits import AnyWay, Kit

Spans = tuple[ReadableSpan, ...]


class Observed(NamedTuple):
    """The spans of the same call under five circumstances; what does not apply to a way has none."""

    answered: Spans
    refused: Spans = ()
    retried: Spans = ()
    broken: Spans = ()
    """The connection is lost after four fifths of a stream."""
    left: Spans = ()
    """The program stops after the first item of a stream."""


class Walk(NamedTuple):
    """A way taken synchronously or asynchronously."""

    kit: Kit
    way: AnyWay
    asynchronous: bool
    observed: Observed


async def walk_all(kits: list[Kit]) -> list[Walk]:
    """Every way of every kit, both times."""
    walks = []
    try:
        for kit in kits:
            with watching(kit.instrumentor) as seen:
                for way, asynchronous in _each(kit):
                    walks.append(Walk(kit, way, asynchronous, await _observe(kit, way, asynchronous, seen)))
    finally:
        gc.unfreeze()
    return walks


def _each(kit: Kit) -> Iterator[tuple[AnyWay, bool]]:
    return ((way, asynchronous) for way in kit.ways for asynchronous in (False, True))


async def _observe(kit: Kit, way: AnyWay, asynchronous: bool, seen: Seen) -> Observed:
    run = _Runner(kit, way, asynchronous, seen)
    answered = await run(kit.wire(way.body))
    if not kit.is_call:
        return Observed(answered)
    refused = await run(kit.wire(None, kit.refusal), fails=True)
    retried = await run(kit.wire(way.body, kit.refusal), retries=1)
    if not isinstance(way.body, list):
        return Observed(answered, refused, retried)
    cut = [*way.body[: max(1, len(way.body) * 4 // 5)], httpx2.ReadError("reset")]
    broken = await run(kit.wire(cut), fails=True)
    return Observed(answered, refused, retried, broken, await run(kit.wire(way.body), take=1))


class _Runner(NamedTuple):
    kit: Kit
    way: AnyWay
    asynchronous: bool
    seen: Seen

    async def __call__(self, wire: Wire, *, fails: bool = False, take: int | None = None, retries: int = 0) -> Spans:
        """The spans of one call, which fails if it is to; a span that does not come is waited for in vain."""
        self.seen.collected.spans.clear()
        if take:
            gc.freeze()  # what is older need not be searched for a stream that nobody holds
        with suppress(*([Exception] if fails else [])):  # the SDK's own, whichever it is: the span tells
            await self._program(wire, take, retries)
        if take:
            await _forgotten(self.seen)
        with suppress(AssertionError):
            self.seen.collected.wait(self.kit.spans)
        return tuple(self.seen.spans)

    async def _program(self, wire: Wire, take: int | None, retries: int) -> Any:
        if self.asynchronous:
            return await self.kit.asynchronous(self.way, wire, take, retries)
        return self.kit.sync(self.way, wire, take, retries)


async def _forgotten(seen: Seen) -> None:
    for _ in range(20):  # the loop closes a collected generator in a task, which frees the next one in the chain
        if seen.spans:
            return
        gc.collect()
        await asyncio.sleep(0)
