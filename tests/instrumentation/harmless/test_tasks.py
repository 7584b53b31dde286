"""Tasks, threads, contexts and the garbage collector: whoever runs, reads, drops or ends a call, and wherever."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import types
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace

from tests.instrumentation.conftest import watching

from .doors import FEW, INSTRUMENTORS, SOME, STREAMS, Door, each, instrumented
from .hosts import Host, Part

pytestmark = pytest.mark.integration

ASYNC = [door for door in SOME if door.asynchronous and not isinstance(door.way.body, bytes)]
ASYNC_STREAMS = [door for door in STREAMS if door.asynchronous and door.way.read in ("stream", "helper")]
SYNC_STREAMS = [door for door in STREAMS if not door.asynchronous and door.way.read in ("stream", "helper")]
NOISE = ("Failed to detach", "never awaited", "was destroyed", "different Context", "exception was never retrieved")


@pytest.fixture(autouse=True, scope="module")
def _little_to_collect() -> Iterator[None]:
    """A collection looks at what a test made, not at three SDKs."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing is said of contexts, coroutines and tasks, and the context is what it was."""
    caplog.set_level(logging.DEBUG, "asyncio")
    before = otel_context.get_current()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        gc.collect()
    said = caplog.text + capsys.readouterr().err
    assert not [noise for noise in NOISE if noise in said], said
    assert otel_context.get_current() == before


def held_back(host: Host, event: Part, after: int) -> None:
    """The host sends `after` parts and then waits."""
    host.shape = lambda parts: [*parts[:after], event, *parts[after:]]


async def _cancelled(door: Door, after: int, stop: Callable[[Awaitable[Any]], Awaitable[Any]]) -> Any:
    host = door.host()
    held_back(host, asyncio.Event(), after)
    try:
        return await stop(door.run(host))
    except BaseException as exc:  # noqa: BLE001  # what is compared
        return type(exc), str(exc)


async def _by_cancel(work: Awaitable[Any]) -> Any:
    task = asyncio.ensure_future(work)
    for _ in range(50):
        await asyncio.sleep(0)
    task.cancel()
    return await task


async def _by_timeout(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(0.02):
        return await work


async def _by_wait_for(work: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(work, 0.02)


@each([door for door in FEW if door in ASYNC])
@pytest.mark.parametrize("stop", [_by_cancel, _by_timeout, _by_wait_for])
@pytest.mark.parametrize("after", [0, 1])
async def test_a_task_is_cancelled(door: Door, stop: Any, after: int) -> None:
    asyncio.get_running_loop().set_debug(True)
    with watching(INSTRUMENTORS[door.sdk]) as seen:
        observed = await _cancelled(door, after if door.streamed else 0, stop)
        gc.collect()
        if "count" not in door.name:
            seen.collected.wait()
        assert otel_context.get_current() == {}
    assert observed == await _cancelled(door, after if door.streamed else 0, stop)


async def _opened(door: Door, client: Any) -> AsyncIterator[Any]:
    result = door.way.call(client)
    result = await result if hasattr(result, "__await__") else result
    stream: AsyncIterator[Any] = await result.__aenter__() if hasattr(result, "__aenter__") else result
    return stream


def _client(door: Door, host: Any) -> Any:
    return host.client().aio if door.sdk == "google" else host.async_client()


@each(ASYNC_STREAMS)
async def test_a_stream_made_in_one_task_and_read_in_others(door: Door) -> None:
    async def read() -> list[Any]:
        stream = await asyncio.create_task(_opened(door, _client(door, door.host())))
        iterator = aiter(stream)
        items = []
        while (item := await asyncio.create_task(_next(iterator))) is not None:
            items.append(item)
        return items

    with watching(INSTRUMENTORS[door.sdk]) as seen:
        observed = await read()
        assert seen.collected.wait()[0].attributes
    assert repr(observed) == repr(await read())


async def _next(iterator: AsyncIterator[Any]) -> Any:
    return await anext(iterator, None)


@each(SYNC_STREAMS)
def test_a_stream_made_in_one_thread_and_read_in_others(door: Door) -> None:
    def read() -> list[Any]:
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other, door.sync_client(door.host()) as client:
            result = one.submit(door.way.call, client).result()
            stream = one.submit(result.__enter__).result() if hasattr(result, "__enter__") else result
            iterator = iter(stream)
            items: list[Any] = []
            while (item := (one, other)[len(items) % 2].submit(next, iterator, None).result()) is not None:
                items.append(item)
            return items

    with watching(INSTRUMENTORS[door.sdk]) as seen:
        observed = read()
        assert seen.collected.wait()[0].attributes["llm_cost.stream.outcome"] == "completed"  # type: ignore[index]
    assert repr(observed) == repr(read())


@each(ASYNC_STREAMS)
@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_left_open_when_the_loop_ends(door: Door, read: int) -> None:
    async def program() -> None:
        stream = await _opened(door, _client(door, door.host()))
        iterator = aiter(stream)
        for _ in range(_least(door, read)):
            await anext(iterator)
        kept.append((stream, iterator))

    kept: list[Any] = []
    with watching(INSTRUMENTORS[door.sdk]) as seen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            asyncio.run(program())
            kept.clear()
            gc.collect()
        seen.collected.wait()


def _least(door: Door, read: int) -> int:
    """Google's streams send nothing before they are read, and then there is no call."""
    return max(read, 1 if door.sdk == "google" else 0)


@each([door for door in STREAMS if door.way.read == "stream"])
@pytest.mark.parametrize("read", [0, 1])
@pytest.mark.parametrize("held", ["alone", "in a cycle"])
def test_a_stream_is_dropped(door: Door, read: int, held: str) -> None:
    async def program() -> None:
        stream: Any
        if door.asynchronous:
            stream = await _opened(door, _client(door, door.host()))
            for _ in range(_least(door, read)):
                await anext(aiter(stream))
        else:
            client = door.host().client()
            stream = door.way.call(client)
            for _ in range(_least(door, read)):
                next(iter(stream))
        if held == "in a cycle":
            holder: dict[str, Any] = {"stream": stream}
            holder["self"] = holder
            del holder
        del stream
        for _ in range(5):
            gc.collect()
            await asyncio.sleep(0)

    with watching(INSTRUMENTORS[door.sdk]) as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(program())
        seen.collected.wait()


def test_twenty_threads_have_each_their_own_spans() -> None:
    doors = [door for door in SOME if not door.asynchronous and not isinstance(door.way.body, bytes)]
    for sdk in INSTRUMENTORS:
        mine = [door for door in doors if door.sdk == sdk]
        tracer = trace.get_tracer(__name__)
        with watching(INSTRUMENTORS[sdk]) as seen:
            tracer = seen.provider.get_tracer(__name__)

            def work(number: int, mine: list[Door] = mine, tracer: trace.Tracer = tracer) -> tuple[int, int]:
                with tracer.start_as_current_span(f"parent {number}") as parent:
                    for _ in range(3):
                        asyncio.run(mine[number % len(mine)].run(mine[number % len(mine)].host()))
                    return parent.get_span_context().span_id, parent.get_span_context().trace_id

            with ThreadPoolExecutor(20) as pool:
                parents = dict(pool.map(work, range(20)))
            spans = [s for s in seen.collected.wait(20 * 4) if not s.name.startswith("parent")]
            assert len(spans) == 20 * 3
            for span in spans:
                assert span.parent is not None
                assert span.context is not None
                assert parents[span.parent.span_id] == span.context.trace_id


# -- a coroutine that is run by hand, or not to its end


@types.coroutine
def _pause() -> Generator[None, None, None]:
    yield


def _paused(cleanup: Callable[[], None]) -> openai.AsyncOpenAI:
    async def handler(_request: httpx2.Request) -> httpx2.Response:
        try:
            await _pause()
        finally:
            cleanup()
        return httpx2.Response(500)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    client = openai.AsyncOpenAI(api_key="k", http_client=http, max_retries=0)
    client._platform = "Unknown"  # or the SDK asks for it in another thread, which needs a loop
    return client


@pytest.mark.parametrize(
    ("end", "cleanup"),
    [
        ("closed", lambda: None),
        ("thrown into elsewhere", lambda: None),
        ("closed elsewhere", lambda: None),
        ("collected", lambda: None),
    ],
)
def test_a_coroutine_that_is_not_run_to_its_end(
    cleanup: Callable[[], None], end: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = next(door for door in SOME if door.name == "openai chat create async")
    with instrumented(door), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = otel_context.get_current()
        coroutine: Any = _paused(cleanup).chat.completions.create(model="gpt-4o", messages=[])
        if end == "closed":
            coroutine.send(None)
            _try(coroutine.close)
        else:
            contextvars.copy_context().run(coroutine.send, None)
            if end == "closed elsewhere":
                _try(coroutine.close)
            elif end == "thrown into elsewhere":
                _try(partial(coroutine.throw, ValueError()))
        del coroutine
        gc.collect()
        assert otel_context.get_current() == before
        assert not trace.get_current_span().get_span_context().is_valid
        assert "detach" not in caplog.text


def _try(action: Callable[[], Any]) -> None:
    try:
        action()
    except (RuntimeError, ValueError, openai.APIConnectionError):
        return


def test_a_call_made_while_another_is_being_sent(caplog: pytest.LogCaptureFixture) -> None:
    """From a hook of the HTTP client, as who fetches a token does."""
    door = next(door for door in SOME if door.name == "openai chat create sync")
    inner = door.host()

    def hook(_request: Any) -> None:
        with inner.client() as client:
            door.way.call(client)

    with watching(INSTRUMENTORS["openai"]) as seen:
        http = httpx2.Client(transport=httpx2.MockTransport(door.host()), event_hooks={"request": [hook]})
        assert door.way.call(openai.OpenAI(api_key="k", http_client=http))
        assert len(inner.requests) == 1
        assert len(seen.spans) in (1, 2)


def test_a_call_made_by_a_span_processor(caplog: pytest.LogCaptureFixture) -> None:
    door = next(door for door in SOME if door.name == "openai chat create sync")
    made = threading.Event()

    def calls_once(_span: Any) -> None:
        if not made.is_set():
            made.set()
            with door.host().client() as client:
                door.way.call(client)

    with watching(INSTRUMENTORS["openai"]) as seen:
        processor = type("P", (type(seen.collected),), {"on_end": lambda _self, span: calls_once(span)})()
        seen.provider.add_span_processor(processor)
        with door.host().client() as client:
            door.way.call(client)
        assert len(seen.collected.wait(2)) == 2


def test_switched_on_and_off_in_the_middle() -> None:
    for door in SYNC_STREAMS:
        instrumentor = INSTRUMENTORS[door.sdk]()
        with watching(INSTRUMENTORS[door.sdk]) as seen, door.sync_client(door.host()) as client:
            result = door.way.call(client)
            stream = iter(result.__enter__() if hasattr(result, "__enter__") else result)
            items = [next(stream)]
            instrumentor.uninstrument()
            instrumentor.uninstrument()
            items += stream
            assert seen.collected.wait()
            with door.sync_client(door.host()) as other:
                door.way.call(other)
            assert len(seen.spans) == 1
            instrumentor.instrument(tracer_provider=seen.provider)
            instrumentor.instrument(tracer_provider=seen.provider)
            asyncio.run(door.run(door.host()))
            assert len(seen.collected.wait(2)) == 2
