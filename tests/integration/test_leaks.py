"""Ten thousand calls of every kind leave nothing behind: no object of ours, no context, no memory that grows."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider

from otel_llm_cost import configure, reaper
from otel_llm_cost.batch import Download
from otel_llm_cost.call import OpenCall
from otel_llm_cost.stream import Reading
from otel_llm_cost.turn import Settings, Turn
from tests.instrumentation.harmless.doors import ALL, INSTRUMENTORS, Door
from tests.instrumentation.harmless.hosts import Host

pytestmark = pytest.mark.integration

CALLS = 10_000
BATCH = 1_000
OURS = (OpenCall, Reading, Turn, Download)
BOUND = 200
"""Blocks of memory by which a thousand calls may raise what is allocated, after the first thousands."""

Work = Callable[[int], None]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The HTTP client logs each request, and pytest keeps what is logged."""
    for name in ("httpx", "httpx2", "google_genai", "openai", "anthropic", "asyncio"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)
    gc.collect()
    gc.freeze()  # what is there already is none of ours, and collections are short
    yield
    gc.unfreeze()


def _door(name: str) -> Door:
    return next(door for door in ALL if door.name == name)


def _forget(host: Host) -> None:
    host.requests.clear()
    host.answers.clear()


def whole(name: str) -> Work:
    """Call and take the result."""
    return _sync(name, lambda result: None)


def read(name: str) -> Work:
    """Read a stream to its end."""
    return _sync(name, lambda result: [None for _ in result])


def left(name: str) -> Work:
    """Read one event and drop the stream."""
    return _sync(name, lambda result: next(iter(result)))


def closed(name: str) -> Work:
    """Read one event and close the stream."""
    return _sync(name, lambda result: (next(iter(result)), result.close()))


def refused(name: str) -> Work:
    """The host refuses."""
    return _sync(name, lambda result: None, status=400)


def broken(name: str) -> Work:
    """The connection breaks after the first event."""
    return _sync(name, list, shape=lambda parts: [parts[0], ConnectionResetError()])


def _sync(name: str, use: Callable[[Any], Any], **host_options: Any) -> Work:
    door = _door(name)
    host = door.host()
    for option, value in host_options.items():
        setattr(host, option, value)
    client = host.client()

    def work(calls: int) -> None:
        for _ in range(calls):
            with suppress(*((Exception,) if host_options else ())):  # what is raised is of no interest here
                use(door.way.call(client))
            _forget(host)

    return work


def cancelled(name: str) -> Work:
    """The task is cancelled while it waits for the second event."""
    door = _door(name)

    async def one(client: Any) -> None:
        async for _ in await door.way.call(client):
            pass

    async def many(calls: int) -> None:
        host = door.host()
        host.shape = lambda parts: [parts[0], asyncio.Event()]
        client = host.client().aio if door.sdk == "google" else host.async_client()
        for _ in range(calls):
            task = asyncio.ensure_future(one(client))
            while not (host.answers and host.answers[0].pulled):  # noqa: ASYNC110  # there is no event of it
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            _forget(host)

    return lambda calls: asyncio.run(many(calls))


KINDS = {
    "whole": ("openai chat create sync", whole),
    "read": ("openai chat stream sync", read),
    "left": ("openai chat stream sync", left),
    "closed": ("openai chat stream sync", closed),
    "refused": ("openai chat create sync", refused),
    "broken": ("openai chat stream sync", broken),
    "cancelled": ("openai chat stream async", cancelled),
    "anthropic read": ("anthropic messages stream sync", read),
    "google whole": ("google generate sync", whole),
    "google read": ("google stream sync", read),
    "google left": ("google stream sync", left),
}


def _alive() -> list[str]:
    """The objects of ours that are left once the reaper has had its turn.

    It must be at rest by then: CPython fails a tuple that grows in one thread while another lists all objects.
    """
    for _ in range(3):  # what is collected may let go of more
        gc.collect()
        at_rest = threading.Event()
        reaper.start()
        reaper.leave(at_rest.set)
        assert at_rest.wait(60)
    return [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, OURS)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_calls_leave_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, made = KINDS[kind]
    given: list[Settings] = []
    chosen = configure.settings

    def choose(arguments: Mapping[str, Any]) -> Settings:
        given.append(chosen(arguments))
        return given[-1]

    monkeypatch.setattr(configure, "settings", choose)
    instrumentor = INSTRUMENTORS[_door(name).sdk]()
    instrumentor.instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
    try:
        work, before = made(name), otel_context.get_current()
        work(BATCH)
        assert _alive() == []
        start = sys.getallocatedblocks()
        work(CALLS - BATCH)
        assert _alive() == []
        grown = (sys.getallocatedblocks() - start) * BATCH // (CALLS - BATCH)
    finally:
        instrumentor.uninstrument()
    assert grown < BOUND
    assert len(reaper._open) == 0
    assert otel_context.get_current() == before
    assert [settings.refusing for settings in given] == [set()]
