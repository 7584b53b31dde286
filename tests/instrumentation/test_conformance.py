"""The contract, over every way of calling: the program sees what the bare SDK gives, one span says what was used."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode

from otel_llm_cost.instrumentor import OpenAIInstrumentor

from .conftest import Seen
from .ways import ALL_WAYS, CHAT_WAYS, COMPLETION_WAYS, EMBEDDING_WAYS, RESPONSE_WAYS, Way, read_async, read_sync
from .wire import CHAT_DELTAS, CHAT_EVENTS, COMPLETION_EVENTS, RESPONSE, Body, Reply, Wire, error

Runner = Callable[[Way, Wire, "int | None"], Awaitable[list[Any]]]


async def run_sync(way: Way, wire: Wire, take: int | None = None) -> list[Any]:
    """A synchronous program."""
    with wire.client() as client:
        return read_sync(way.read, way.call(client), take)


async def run_async(way: Way, wire: Wire, take: int | None = None) -> list[Any]:
    """An asynchronous program."""
    async with wire.async_client() as client:
        return await read_async(way.read, way.call(client), take)


@pytest.fixture(params=[run_sync, run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Both kinds of program."""
    runner: Runner = request.param
    return runner


async def bare(run: Runner, way: Way, wire: Wire, take: int | None = None) -> list[Any]:
    """What the SDK gives on its own."""
    OpenAIInstrumentor().uninstrument()
    return await run(way, wire, take)


def each(ways: list[Way]) -> pytest.MarkDecorator:
    """One test per way."""
    return pytest.mark.parametrize("way", ways, ids=lambda way: way.name)


@each(ALL_WAYS)
async def test_the_program_sees_what_the_bare_sdk_gives(way: Way, run: Runner, seen: Seen) -> None:
    observed = await run(way, Wire(Reply(way.body)), None)
    asked: dict[int, Body] = {
        id(CHAT_EVENTS): [*CHAT_DELTAS, "[DONE]"],
        id(COMPLETION_EVENTS): [*COMPLETION_EVENTS[:-2], "[DONE]"],
    }
    unasked = Wire(Reply(asked.get(id(way.body), way.body)))  # as without our option
    assert len(seen.spans) == 1
    plain = await bare(run, way, unasked)
    if way.read == "lines":  # the bytes of a chunk say `"usage":null` once usage was asked for
        observed = [str(line).replace(',"usage":null', "") for line in observed[1:]]
        plain = [str(line).replace(',"usage":null', "") for line in plain[1:]]
    assert observed == plain


@each(CHAT_WAYS)
async def test_chat_usage(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, Wire(Reply(way.body)), None)
    a = seen.attributes
    assert seen.span.name == "chat gpt-4o"
    assert seen.span.kind is SpanKind.CLIENT
    assert seen.span.status.status_code is StatusCode.UNSET
    assert a["gen_ai.provider.name"] == "openai"
    assert (a["server.address"], a["openai.api.type"]) == ("api.openai.com", "chat_completions")
    assert (a["gen_ai.response.model"], a["gen_ai.response.id"]) == ("gpt-4o-2024-08-06", "chatcmpl-1")
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (120, 45)
    assert a["gen_ai.usage.cache_read.input_tokens"] == 100
    assert a["gen_ai.usage.reasoning.output_tokens"] == 30
    assert a["gen_ai.response.finish_reasons"] == ("stop",)
    assert a["llm_cost.response.service_tier"] == a["openai.response.service_tier"] == "default"
    assert a["openai.response.system_fingerprint"] == "fp_1"
    assert a["llm_cost.request.id"] == "req-1"
    assert ("gen_ai.response.time_to_first_chunk" in a) is way.streamed
    assert a.get("llm_cost.stream.outcome") == ("completed" if way.streamed else None)


@each(RESPONSE_WAYS)
async def test_responses_usage(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, Wire(Reply(way.body)), None)
    a = seen.attributes
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (120, 45)
    assert (a["gen_ai.usage.cache_read.input_tokens"], a["gen_ai.usage.reasoning.output_tokens"]) == (100, 30)
    assert a["llm_cost.usage.web_search.requests"] == 1
    assert a["llm_cost.response.service_tier"] == "flex"
    assert a["gen_ai.response.id"] == "resp_1"
    assert a["gen_ai.response.finish_reasons"] == ("stop",)


@each(EMBEDDING_WAYS)
async def test_embeddings_usage(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, Wire(Reply(way.body)), None)
    assert seen.span.name == "embeddings text-embedding-3-small"
    assert seen.attributes["gen_ai.usage.input_tokens"] == 8
    assert "gen_ai.usage.output_tokens" not in seen.attributes


@each(COMPLETION_WAYS)
async def test_completions_usage(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, Wire(Reply(way.body)), None)
    assert seen.span.name == "text_completion gpt-3.5-turbo-instruct"
    a = seen.attributes
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (120, 45)
    assert a["gen_ai.response.finish_reasons"] == ("stop",)


@each(ALL_WAYS)
async def test_an_error_is_the_sdks_own(way: Way, run: Runner, seen: Seen) -> None:
    with pytest.raises(openai.RateLimitError) as raised:
        await run(way, Wire(error(429, "insufficient_quota", "insufficient_quota")), None)
    assert raised.value.code == "insufficient_quota"
    a = seen.attributes
    assert seen.span.status.status_code is StatusCode.ERROR
    assert (a["error.type"], a["llm_cost.error.class"]) == ("insufficient_quota", "quota")
    assert a["http.response.status_code"] == 429
    assert "gen_ai.usage.input_tokens" not in a


@each(ALL_WAYS)
async def test_no_connection(way: Way, run: Runner, seen: Seen) -> None:
    with pytest.raises(openai.APIConnectionError):
        await run(way, Wire(httpx2.ConnectError("refused")), None)
    assert seen.attributes["llm_cost.error.class"] == "connection"


@each([way for way in ALL_WAYS if way.streamed])
async def test_a_stream_left_early_ends_its_span(way: Way, run: Runner, seen: Seen) -> None:
    wire = Wire(Reply(way.body))
    await run(way, wire, 1)
    for _ in range(10):  # the loop closes a collected generator in a task, which frees the next one in the chain
        gc.collect()
        await asyncio.sleep(0)
    (span,) = seen.collected.wait()
    a = dict(span.attributes or {})
    if way.read == "next":  # this program reads to the end
        assert a["llm_cost.stream.outcome"] == "completed"
    else:
        assert a["llm_cost.stream.outcome"] in ("cancelled", "abandoned")
        assert a["llm_cost.usage.estimated"] is True  # the provider never got to say, and nobody may think it did
        assert a["gen_ai.usage.input_tokens"] == 2
        assert "input_tokens" in str(a["llm_cost.usage.estimated_counts"])
        assert a["gen_ai.response.id"] in ("chatcmpl-1", "resp_1", "cmpl-1")
    assert wire.streams[0].closed


@each([way for way in ALL_WAYS if way.streamed])
async def test_a_broken_stream_raises_what_the_sdk_raises(way: Way, run: Runner, seen: Seen) -> None:
    assert not isinstance(way.body, (dict, str))
    body = [*way.body[:2], httpx2.ReadError("reset")]
    with pytest.raises((openai.APIConnectionError, httpx2.ReadError)) as observed:
        await run(way, Wire(Reply(body)), None)
    a = seen.attributes
    assert (a["llm_cost.stream.outcome"], a["llm_cost.error.class"]) == ("broken", "connection")
    assert seen.span.status.status_code is StatusCode.ERROR
    with pytest.raises(type(observed.value)):
        await bare(run, way, Wire(Reply(body)))


@each([way for way in CHAT_WAYS if way.streamed and way.read != "lines"])
async def test_an_error_event_inside_a_stream(way: Way, run: Runner, seen: Seen) -> None:
    event = {"error": {"message": "no", "type": "server_error", "code": "server_error"}}
    with pytest.raises(openai.APIError):
        await run(way, Wire(Reply([CHAT_DELTAS[0], event])), None)
    a = seen.attributes
    assert (a["llm_cost.stream.outcome"], a["error.type"]) == ("broken", "server_error")
    assert (a["llm_cost.error.class"], a["http.response.status_code"]) == ("server", 200)


@each(ALL_WAYS)
@pytest.mark.parametrize("door", ["request", "response", "chunk", "dull", "error", "stream_usage_option"])
async def test_a_fault_of_ours_never_reaches_the_program(
    way: Way, run: Runner, door: str, seen: Seen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    secret = "a prompt that must not be logged"

    def fault(*_: object) -> object:
        raise ZeroDivisionError(secret)

    expected = await run(way, Wire(Reply(way.body)), None)
    monkeypatch.setattr(f"otel_llm_cost.providers.openai.{door}", fault)
    assert len(await run(way, Wire(Reply(way.body)), None)) >= len(expected)
    assert secret not in caplog.text


@each(ALL_WAYS)
async def test_suppressed_calls_are_not_seen(way: Way, run: Runner, seen: Seen) -> None:
    with suppress_instrumentation():
        await run(way, Wire(Reply(way.body)), None)
    assert seen.spans == []


def test_uninstrument_restores_the_originals(seen: Seen) -> None:
    from openai._base_client import AsyncAPIClient, SyncAPIClient

    targets = [SyncAPIClient, AsyncAPIClient, httpx2.Client, httpx2.AsyncClient]
    wrapped = [vars(t).get("request" if "API" in t.__name__ else "send") for t in targets]
    OpenAIInstrumentor().uninstrument()
    originals = [vars(t).get("request" if "API" in t.__name__ else "send") for t in targets]
    assert [getattr(w, "__wrapped__", None) for w in wrapped] == originals
    assert not any(hasattr(o, "__wrapped__") for o in originals)


async def test_a_fetched_response_bills_nothing(run: Runner, seen: Seen) -> None:
    way = Way("fetch", lambda c: c.responses.retrieve("resp_1"), "value", RESPONSE)
    await run(way, Wire(Reply(RESPONSE)), None)
    assert seen.attributes["gen_ai.operation.name"] == "fetch_response"
    assert not [name for name in seen.attributes if name.startswith("gen_ai.usage.")]
