"""What must not happen to a program: waiting for ever, losing a call at its end, another instrumentation in our way."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
import wrapt
from openai._base_client import SyncAPIClient
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

import otel_llm_cost
from otel_llm_cost.instrumentor import OpenAIInstrumentor

from .conftest import Seen
from .ways import MESSAGES
from .wire import CHAT, CHAT_DELTAS, CHAT_EVENTS, Json, Reply, Wire

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}


class Locking(SpanProcessor):
    """A span processor with a plain lock, in which the garbage collector strikes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Collects while it holds its lock."""
        with self.lock:
            gc.collect()
            self.ended += 1


@pytest.mark.parametrize("read", [0, 1], ids=["unread", "half read"])
def test_a_stream_collected_inside_a_lock_of_the_sdk_does_not_wait_for_itself(seen: Seen, read: int) -> None:
    processor = Locking()
    seen.provider.add_span_processor(processor)
    gc.disable()
    try:
        stream = Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True)
        for _ in range(read):
            next(stream)
        del stream
        call = threading.Thread(target=lambda: Wire(Reply(CHAT)).client().chat.completions.create(**ASK), daemon=True)
        call.start()
        call.join(20)
        assert not call.is_alive()
    finally:
        gc.enable()
    seen.collected.wait(2)


_PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from otel_llm_cost.instrumentor import OpenAIInstrumentor
from tests.instrumentation.wire import CHAT_EVENTS, Json, Reply, Wire
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
stream = Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(model="gpt-4o", messages=[], stream=True)
{ending}
"""


@pytest.mark.parametrize("ending", ["pass", "next(stream)", "for _ in stream: sys.exit(0)", "del stream"])
def test_a_stream_open_at_the_end_of_the_program_is_reported(ending: str) -> None:
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # noqa: PTH120
    program = _PROGRAM.format(root=root, ending=ending)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count('"llm_cost.stream.outcome": "abandoned"') == 1, done.stdout + done.stderr
    assert "otel_llm_cost" not in done.stderr  # the SDK itself may complain of its unread stream


def test_a_forked_child_leaves_its_parents_calls_alone(seen: Seen) -> None:
    stream = Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True)
    pid = os.fork()
    if not pid:
        stream.close()
        os._exit(len(seen.spans))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    list(stream)
    assert seen.attributes["gen_ai.usage.output_tokens"] == 45


@pytest.fixture
def _above() -> Iterator[None]:
    """Another instrumentation that wraps the request of the subclass, as some do, before ours is switched on."""
    OpenAIInstrumentor().uninstrument()
    wrapt.wrap_function_wrapper(openai, "OpenAI.request", lambda wrapped, _i, args, kwargs: wrapped(*args, **kwargs))
    yield
    del openai.OpenAI.request


@pytest.mark.usefixtures("_above")
def test_another_instrumentation_on_the_subclass_does_not_hide_the_call(seen: Seen) -> None:
    OpenAIInstrumentor().instrument(tracer_provider=seen.provider)
    Wire(Reply(CHAT)).client().chat.completions.create(**ASK)
    assert len(seen.spans) == 1
    OpenAIInstrumentor().uninstrument()
    Wire(Reply(CHAT)).client().chat.completions.create(**ASK)
    assert len(seen.spans) == 1


def test_what_others_kept_of_us_falls_silent_when_we_are_switched_off(seen: Seen) -> None:
    kept = vars(SyncAPIClient)["request"]
    OpenAIInstrumentor().uninstrument()
    client = Wire(Reply(CHAT)).client()
    options = openai._models.FinalRequestOptions.construct(method="post", url="/chat/completions", json_data=ASK)
    kept.__get__(client)(openai.types.chat.ChatCompletion, options)
    assert seen.spans == []


async def test_a_bad_request_that_quotes_our_option_is_no_refusal(seen: Seen) -> None:
    body = {"detail": [{"loc": ["body", "top_k"], "msg": "bad", "input": {"stream_options": {"include_usage": True}}}]}
    wire = Wire(Reply(body, 422), Reply(CHAT_EVENTS))
    client = wire.async_client()
    with pytest.raises(openai.UnprocessableEntityError):
        await client.chat.completions.create(**ASK, stream=True)
    async for _ in await client.chat.completions.create(**ASK, stream=True):
        pass
    assert ["stream_options" in sent for sent in wire.sent] == [True, True]


async def test_a_host_that_refuses_anyway_is_not_remembered(seen: Seen) -> None:
    refusal = Reply({"error": {"message": "stream_options is not allowed, nor anything else", "code": None}}, 400)
    wire = Wire(refusal, refusal, Reply(CHAT_EVENTS))
    client = wire.async_client()
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(**ASK, stream=True)
    async for _ in await client.chat.completions.create(**ASK, stream=True):
        pass
    assert ["stream_options" in sent for sent in wire.sent] == [True, False, True]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("door", ["response", "chunk", "error", "is_usage_only"])
def test_a_fault_of_ours_still_ends_the_span(
    seen: Seen, stream: bool, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    monkeypatch.setattr(f"otel_llm_cost.providers.openai.{door}", lambda *_: 1 / 0)
    result = Wire(Reply(CHAT_EVENTS if stream else CHAT)).client().chat.completions.create(**ASK, stream=stream)
    assert list(result) if stream else result
    seen.collected.wait()


def test_a_stream_closed_by_another_thread_was_cancelled(seen: Seen) -> None:
    waiting, release = threading.Event(), threading.Event()

    class Slow(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'data: {"id":"chatcmpl-1","choices":[]}\n\n'
            waiting.set()
            release.wait(10)
            raise httpx2.ReadError("closed")

        def close(self) -> None:
            release.set()

    def handler(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=Slow(), headers={"content-type": "text/event-stream"})

    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    stream = openai.OpenAI(api_key="k", http_client=http).chat.completions.create(**ASK, stream=True)

    def read() -> None:
        with pytest.raises(openai.APIConnectionError):
            list(stream)

    reader = threading.Thread(target=read)
    reader.start()
    assert waiting.wait(10)
    stream.close()
    reader.join(10)
    assert seen.attributes["llm_cost.stream.outcome"] == "cancelled"


def test_a_connection_lost_between_the_last_word_and_the_usage_is_a_broken_stream(seen: Seen) -> None:
    events: list[Json | str | Exception] = [*CHAT_DELTAS, httpx2.ReadError("lost")]
    with pytest.raises(openai.APIConnectionError):
        list(Wire(Reply(events)).client().chat.completions.create(**ASK, stream=True))
    assert seen.attributes["llm_cost.stream.outcome"] == "broken"
    assert seen.attributes["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_finished_stream_leaves_nothing_on_the_response(seen: Seen) -> None:
    stream = Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True)
    list(stream)
    assert not {"iter_bytes", "close"} & set(vars(stream.response))


@otel_llm_cost.tags(feature="async")
async def _tagged(client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(**ASK)


@otel_llm_cost.tags(feature="sync", tenant="acme")
def _tagged_sync(client: openai.OpenAI) -> None:
    client.chat.completions.create(**ASK)


async def test_tags_decorate_functions_and_coroutine_functions(seen: Seen) -> None:
    wire = Wire(Reply(CHAT))
    await asyncio.gather(_tagged(wire.async_client()), _tagged(wire.async_client()))
    _tagged_sync(wire.client())
    wire.client().chat.completions.create(**ASK)
    assert [(s.attributes or {}).get("llm_cost.feature") for s in seen.spans] == ["async", "async", "sync", None]
    with pytest.raises(TypeError, match="generator"):

        @otel_llm_cost.tags(feature="x")
        def steps() -> Iterator[int]:
            yield 1


def test_objects_do_not_pile_up(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("httpx2"), "disabled", True)  # pytest keeps its records
    wire = Wire(Reply(CHAT_EVENTS))
    client = wire.client()

    def run(calls: int) -> int:
        for _ in range(calls):
            for _chunk in client.chat.completions.create(**ASK, stream=True):
                pass
        for kept in (seen.spans, wire.sent, wire.streams):
            kept.clear()
        gc.collect()
        return len(gc.get_objects())

    run(30)
    before = run(30)
    assert run(150) - before < 100
