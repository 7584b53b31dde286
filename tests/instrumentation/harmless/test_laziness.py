"""Nothing is sent or read earlier or later than without us: requests and parts taken are counted after every step."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from .doors import STREAMS, Door, each, instrumented

pytestmark = pytest.mark.integration

Steps = list[tuple[str, tuple[int, int]]]


async def _steps(door: Door, host: Any) -> Steps:
    """What was taken from the host after each step of the program."""
    steps: Steps = []

    def note(step: str) -> None:
        steps.append((step, host.taken))

    if not door.asynchronous:
        with door.sync_client(host) as client:
            result = door.way.call(client)
            note("called")
            stream = result.__enter__() if hasattr(result, "__enter__") else result
            note("entered")
            stream = stream.parse() if door.way.read in ("raw stream", "lazy stream") else stream
            items = iter(stream.iter_lines() if door.way.read == "lines" else stream)
            note("iterated")
            for _ in items:
                note("next")
            note("ended")
        return steps
    made: Any = door.sync_client(host) if door.sdk == "google" else nullcontext(host)
    with made as whole:
        client = whole.aio if door.sdk == "google" else host.async_client()
        async with client:
            result = door.way.call(client)
            note("called")
            result = await result if hasattr(result, "__await__") else result
            note("awaited")
            stream = await result.__aenter__() if hasattr(result, "__aenter__") else result
            if door.way.read in ("raw stream", "lazy stream"):
                stream = stream.parse()
                stream = await stream if hasattr(stream, "__await__") else stream
            note("entered")
            async for _ in stream.iter_lines() if door.way.read == "lines" else stream:
                note("next")
            note("ended")
    return steps


@each(STREAMS)
async def test_nothing_is_taken_earlier_or_later(door: Door) -> None:
    with instrumented(door, stream_usage=False):  # the event that we ask for would be one part more
        observed = await _steps(door, door.host())
    assert observed == await _steps(door, door.host())
    assert len(observed) > 3


@each([door for door in STREAMS if door.sdk == "google" and "interaction" not in door.name and not door.asynchronous])
def test_a_synchronous_stream_of_google_sends_nothing_before_it_is_read(door: Door) -> None:
    host = door.host()
    with instrumented(door), door.sync_client(host) as client:
        stream = door.way.call(client)
        assert host.taken == (0, 0)
        next(stream)
        assert host.taken == (1, 1)
