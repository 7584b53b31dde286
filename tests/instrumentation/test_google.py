"""The contract over every way of calling google-genai, and what is its own: usage, tries, laziness, batches."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest
from google.genai import errors, types
from google.genai._interactions import RateLimitError
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from otel_llm_cost import reaper
from otel_llm_cost.instrumentor import GoogleGenAIInstrumentor
from otel_llm_cost.providers import google

from .conftest import Seen, watching
from .google_ways import (
    ALL_WAYS,
    ANSWER_WAYS,
    ASK,
    COUNT_WAYS,
    EMBEDDING_WAYS,
    INTERACTION_WAYS,
    MODEL,
    STREAM_WAYS,
    VERTEX,
    WHOLE_WAYS,
    client_for,
    read,
    read_awaiting,
)
from .google_wire import (
    BATCH,
    CHUNKS,
    GENERATED,
    INTERACTION,
    INTERACTION_EVENTS,
    USAGE,
    GoogleWire,
    candidate,
    error,
    so_far,
)
from .ways import Way
from .wire import Json, Reply

Runner = Callable[..., Awaitable[list[Any]]]
STREAMS = [way for way in ALL_WAYS if way.streamed]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """The SDK instrumented for the length of a test."""
    with watching(GoogleGenAIInstrumentor) as reported:
        yield reported


async def run_sync(way: Way, wire: GoogleWire, take: int | None = None, **options: Any) -> list[Any]:
    """A synchronous program."""
    with client_for(way, wire, **options) as client:
        return read(way.read, way.call(client), take)


async def run_async(way: Way, wire: GoogleWire, take: int | None = None, **options: Any) -> list[Any]:
    """An asynchronous program."""
    client = client_for(way, wire, **options)
    async with client.aio as half:
        result = await read_awaiting(way.read, way.call(half), take)
    client.close()
    return result


@pytest.fixture(params=[run_sync, run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Both kinds of program."""
    runner: Runner = request.param
    return runner


async def bare(run: Runner, way: Way, wire: GoogleWire, take: int | None = None) -> list[Any]:
    """What the SDK gives on its own."""
    GoogleGenAIInstrumentor().uninstrument()
    return await run(way, wire, take)


def ended(seen: Seen) -> dict[str, Any]:
    """The attributes of the only span, once it has ended: an interaction's stream is collected and ends elsewhere."""
    seen.collected.wait()
    return seen.attributes


def each(ways: list[Way]) -> pytest.MarkDecorator:
    """One test per way."""
    return pytest.mark.parametrize("way", ways, ids=lambda way: way.name)


# -- the contract


@each(ALL_WAYS)
async def test_the_program_sees_what_the_bare_sdk_gives(way: Way, run: Runner, seen: Seen) -> None:
    watched_wire, plain_wire = GoogleWire(Reply(way.body)), GoogleWire(Reply(way.body))
    observed = await run(way, watched_wire)
    assert len(seen.collected.wait()) == 1
    assert observed == await bare(run, way, plain_wire)
    assert watched_wire.sent == plain_wire.sent


@each(ANSWER_WAYS)
async def test_usage(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, GoogleWire(Reply(way.body)))
    a = ended(seen)
    assert (seen.span.name, seen.span.kind) == (f"generate_content {MODEL}", SpanKind.CLIENT)
    assert seen.span.status.status_code is StatusCode.UNSET
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (150, 45)
    assert (a["gen_ai.usage.cache_read.input_tokens"], a["gen_ai.usage.reasoning.output_tokens"]) == (100, 30)
    assert a["llm_cost.usage.tool_use.input_tokens"] == 30
    assert a["gen_ai.usage.audio.input_tokens"] == 40
    assert a["gen_ai.response.finish_reasons"] == ("stop",)
    assert ("gen_ai.response.time_to_first_chunk" in a) is way.streamed
    assert a.get("llm_cost.stream.outcome") == ("completed" if way.streamed else None)
    assert a["gen_ai.provider.name"] == ("gcp.vertex_ai" if way.name.startswith(VERTEX) else "gcp.gemini")
    assert "llm_cost.usage.estimated" not in a


@each([*WHOLE_WAYS, *STREAM_WAYS])
async def test_details_of_generated_content(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, GoogleWire(Reply(way.body)))
    a = ended(seen)
    assert (a["gen_ai.response.model"], a["gen_ai.response.id"]) == ("gemini-2.5-flash-001", "resp-1")
    assert a["llm_cost.response.service_tier"] == "ON_DEMAND_FLEX"
    assert a["llm_cost.usage.grounding.requests"] == (1 if way.streamed else 2)
    assert (a["gen_ai.usage.text.input_tokens"], a["gen_ai.usage.image.input_tokens"]) == (50, 50)
    assert a["gen_ai.usage.audio.cache_read.input_tokens"] == 40
    assert "gen_ai.usage.text.output_tokens" not in a  # there is but text


@each(INTERACTION_WAYS)
async def test_details_of_an_interaction(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, GoogleWire(Reply(way.body)))
    a = ended(seen)
    assert (a["gen_ai.response.model"], a["gen_ai.response.id"]) == (MODEL, "v1_1")
    assert a["llm_cost.response.service_tier"] == "flex"
    assert a["llm_cost.usage.grounding.requests"] == 2


@each(EMBEDDING_WAYS)
async def test_embeddings(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, GoogleWire(Reply(way.body)))
    assert seen.span.name.startswith("embeddings ")
    assert seen.attributes["gen_ai.usage.input_tokens"] == 8
    assert "gen_ai.usage.output_tokens" not in seen.attributes


@each(COUNT_WAYS)
async def test_counting_tokens_bills_none(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, GoogleWire(Reply(way.body)))
    assert seen.span.name == f"count_tokens {MODEL}"
    assert not [name for name in seen.attributes if name.startswith("gen_ai.usage.")]


@each(ALL_WAYS)
async def test_an_error_is_the_sdks_own(way: Way, run: Runner, seen: Seen) -> None:
    wire = GoogleWire(error(429, "RESOURCE_EXHAUSTED"))
    with pytest.raises((errors.ClientError, RateLimitError)) as raised:
        await run(way, wire)
    a = ended(seen)
    assert seen.span.status.status_code is StatusCode.ERROR
    assert (a["error.type"], a["llm_cost.error.class"]) == ("RESOURCE_EXHAUSTED", "rate_limit")
    assert a["http.response.status_code"] == 429
    assert "gen_ai.usage.input_tokens" not in a
    with pytest.raises(type(raised.value)):
        await bare(run, way, wire)


@each(ALL_WAYS)
async def test_no_connection(way: Way, run: Runner, seen: Seen) -> None:
    with pytest.raises(Exception, match="refused") as raised:
        await run(way, GoogleWire(httpx2.ConnectError("refused")))
    assert seen.attributes["llm_cost.error.class"] == "connection"
    with pytest.raises(type(raised.value)):
        await bare(run, way, GoogleWire(httpx2.ConnectError("refused")))


@each(STREAMS)
async def test_a_stream_left_early_ends_its_span(way: Way, run: Runner, seen: Seen) -> None:
    wire = GoogleWire(Reply(way.body))
    gc.freeze()  # what is older need not be searched
    await run(way, wire, 2)
    for _ in range(20):  # the loop closes a collected generator in a task, which frees the next one in the chain
        gc.collect()
        await asyncio.sleep(0)
    gc.unfreeze()
    (span,) = seen.collected.wait()
    a = dict(span.attributes or {})
    assert a["llm_cost.stream.outcome"] in ("cancelled", "abandoned")
    assert span.status.status_code is StatusCode.UNSET
    assert wire.streams[0].closed


@each(STREAMS)
async def test_a_broken_stream_raises_what_the_sdk_raises(way: Way, run: Runner, seen: Seen) -> None:
    assert not isinstance(way.body, (dict, str))
    body = [*way.body[:2], httpx2.ReadError("reset")]
    with pytest.raises(Exception, match="reset") as observed:
        await run(way, GoogleWire(Reply(body)))
    a = ended(seen)
    assert (a["llm_cost.stream.outcome"], a["llm_cost.error.class"]) == ("broken", "connection")
    assert seen.span.status.status_code is StatusCode.ERROR
    with pytest.raises(type(observed.value)):
        await bare(run, way, GoogleWire(Reply(body)))


@each(ALL_WAYS)
@pytest.mark.parametrize("door", ["request", "response", "chunk", "prompt"])
async def test_a_fault_of_ours_never_reaches_the_program(
    way: Way, run: Runner, door: str, seen: Seen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    secret = "a prompt that must not be logged"

    def fault(*_: object) -> object:
        raise ZeroDivisionError(secret)

    monkeypatch.setattr(google, door, fault)
    observed = await run(way, GoogleWire(Reply(way.body)))
    assert observed == await bare(run, way, GoogleWire(Reply(way.body)))
    assert secret not in caplog.text


@each(ALL_WAYS)
async def test_suppressed_calls_are_not_seen(way: Way, run: Runner, seen: Seen) -> None:
    with suppress_instrumentation():
        await run(way, GoogleWire(Reply(way.body)))
    assert seen.spans == []


def test_uninstrument_restores_the_originals(seen: Seen) -> None:
    from google.genai._api_client import BaseApiClient
    from google.genai._gaos.basesdk import AsyncBaseSDK, BaseSDK

    names = ("request", "async_request", "request_streamed", "async_request_streamed", "_request_once", "download_file")
    targets: list[tuple[type, str]] = [(BaseApiClient, name) for name in names]
    targets += [(BaseSDK, "do_request"), (AsyncBaseSDK, "do_request_async")]
    wrapped = [vars(owner)[name] for owner, name in targets]
    GoogleGenAIInstrumentor().uninstrument()
    assert [w.__wrapped__ for w in wrapped] == [vars(owner)[name] for owner, name in targets]
    assert not any(hasattr(vars(owner)[name], "__wrapped__") for owner, name in targets)


@pytest.mark.parametrize("way", [WHOLE_WAYS[0], STREAM_WAYS[0], INTERACTION_WAYS[0]], ids=lambda way: way.name)
async def test_the_older_httpx_does_as_well(way: Way, run: Runner, seen: Seen) -> None:
    wire = GoogleWire(Reply(way.body))
    wire.http = httpx
    if way.streamed:
        wire = GoogleWire(Reply("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in CHUNKS)))
        wire.http = httpx
    await run(way, wire)
    a = ended(seen)
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (150, 45)


# -- streams


def test_a_synchronous_stream_sends_nothing_before_it_is_read(seen: Seen) -> None:
    wire = GoogleWire(Reply(CHUNKS))
    with wire.client() as client:
        stream = client.models.generate_content_stream(**ASK)
        del stream
        assert (wire.sent, seen.spans) == ([], [])
        stream = client.models.generate_content_stream(**ASK)
        assert wire.sent == []
        next(stream)
        assert len(wire.sent) == 1
        list(stream)
    assert seen.attributes["llm_cost.stream.outcome"] == "completed"


def test_the_span_is_current_while_the_sdk_sends_and_never_while_the_program_reads(seen: Seen) -> None:
    current: list[Any] = []

    class Watching(GoogleWire):
        def __call__(self, request: Any) -> Any:
            current.append(trace.get_current_span())
            return super().__call__(request)

    with Watching(Reply(CHUNKS)).client() as client:
        for _ in client.models.generate_content_stream(**ASK):
            assert not trace.get_current_span().get_span_context().is_valid
    assert current[0].get_span_context().span_id == seen.span.context.span_id


def test_leaving_the_loop_is_cancelling_and_what_was_counted_is_kept(seen: Seen) -> None:
    with GoogleWire(Reply(CHUNKS)).client() as client:
        for chunk in client.models.generate_content_stream(**ASK):
            if chunk.text and "Os" in chunk.text:
                break
        del chunk
    a = seen.attributes  # at once: nobody collects
    assert a["llm_cost.stream.outcome"] == "cancelled"
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (120, 5)
    assert a["gen_ai.response.id"] == "resp-1"


def test_a_stream_that_was_cut_before_any_count_is_estimated(seen: Seen) -> None:
    silent = {"candidates": [candidate({"text": "twelve bytes"})]}
    with GoogleWire(Reply([silent, silent, so_far("never read", 9)])).client() as client:
        stream = client.models.generate_content_stream(**ASK)
        next(stream)
        next(stream)
        stream.close()
    a = seen.attributes
    assert a["gen_ai.usage.output_tokens"] == 6
    assert a["llm_cost.usage.estimated"] is True
    assert a["llm_cost.usage.estimated_counts"] == ("input_tokens", "output_tokens")


def test_an_error_event_inside_a_stream(seen: Seen) -> None:
    event = {"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}}
    with GoogleWire(Reply([CHUNKS[0], event])).client() as client, pytest.raises(errors.ServerError):
        list(client.models.generate_content_stream(**ASK))
    a = seen.attributes
    assert (a["llm_cost.stream.outcome"], a["error.type"]) == ("broken", "UNAVAILABLE")
    assert (a["llm_cost.error.class"], a["http.response.status_code"]) == ("overloaded", 503)


def test_counts_that_only_an_earlier_chunk_has_are_kept(seen: Seen) -> None:
    first = so_far("a", 1)
    first["usageMetadata"] |= {"cachedContentTokenCount": 100, "thoughtsTokenCount": 7}
    last = so_far("b", 2)
    last["candidates"][0]["finishReason"] = "MAX_TOKENS"
    grounded = so_far("c", 2)
    grounded["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["x", "y"]}
    with GoogleWire(Reply([first, so_far("a", 1), grounded, so_far("d", 2), last])).client() as client:
        list(client.models.generate_content_stream(**ASK))
    a = seen.attributes
    assert a["gen_ai.usage.cache_read.input_tokens"] == 100
    assert a["llm_cost.usage.grounding.requests"] == 2
    assert a["gen_ai.response.finish_reasons"] == ("max_tokens",)


def test_text_that_looks_like_a_key_is_no_key(seen: Seen) -> None:
    tricky = so_far('{"usageMetadata": {"promptTokenCount": 1}, "finishReason": "STOP"}', 4)
    with GoogleWire(Reply([tricky, tricky, CHUNKS[-1]])).client() as client:
        list(client.models.generate_content_stream(**ASK))
    assert seen.attributes["gen_ai.usage.input_tokens"] == 150


class Locking(SpanProcessor):
    """A span processor with a plain lock, in which the garbage collector strikes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def on_end(self, span: ReadableSpan) -> None:
        """Collects while it holds its lock."""
        with self.lock:
            gc.collect()


def test_a_stream_collected_inside_a_lock_of_the_sdk_does_not_wait_for_itself(seen: Seen) -> None:
    seen.provider.add_span_processor(Locking())
    with GoogleWire(Reply(CHUNKS)).client() as client:
        gc.disable()
        try:
            held: list[Any] = [client.models.generate_content_stream(**ASK)]
            next(held[0])
            held.append(held)  # a cycle: only the collector frees it
            del held
            call = threading.Thread(
                target=lambda: GoogleWire(Reply(GENERATED)).client().models.generate_content(**ASK), daemon=True
            )
            call.start()
            call.join(20)
            assert not call.is_alive()
        finally:
            gc.enable()
        outcomes = {dict(span.attributes or {}).get("llm_cost.stream.outcome") for span in seen.collected.wait(2)}
    assert outcomes == {None, "abandoned"}


async def test_a_cancelled_task(seen: Seen) -> None:
    waiting = asyncio.Event()

    async def never(request: Any) -> Any:
        waiting.set()
        await asyncio.Event().wait()

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(never))
    client = GoogleWire(Reply(GENERATED)).client(httpx_async_client=http)
    task = asyncio.create_task(client.aio.models.generate_content(**ASK))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen.attributes["llm_cost.error.class"] == "cancelled"
    await client.aio.aclose()
    client.close()


# -- tries

RETRY = types.HttpRetryOptions(attempts=3, initial_delay=0.001, max_delay=0.001, jitter=0)


@pytest.mark.parametrize("way", [WHOLE_WAYS[0], STREAM_WAYS[0], *INTERACTION_WAYS], ids=lambda way: way.name)
async def test_each_failed_try_is_an_event(way: Way, run: Runner, seen: Seen) -> None:
    wire = GoogleWire(error(429, "RESOURCE_EXHAUSTED"), error(503, "UNAVAILABLE"), Reply(way.body))
    await run(way, wire, retry_options=RETRY)
    a = ended(seen)
    assert (a["http.request.resend_count"], len(wire.sent)) == (2, 3)
    assert "error.type" not in a
    first, second = [dict(event.attributes or {}) for event in seen.span.events]
    assert (first["llm_cost.error.class"], first["http.response.status_code"]) == ("rate_limit", 429)
    assert (second["llm_cost.error.class"], second["http.response.status_code"]) == ("overloaded", 503)
    assert [event["llm_cost.attempt.number"] for event in (first, second)] == [1, 2]
    assert all(float(str(event["llm_cost.attempt.wait"])) >= 0 for event in (first, second))


async def test_tries_that_all_fail(run: Runner, seen: Seen) -> None:
    with pytest.raises(errors.ServerError):
        await run(WHOLE_WAYS[0], GoogleWire(error(500, "INTERNAL")), retry_options=RETRY)
    a = seen.attributes
    assert (a["http.request.resend_count"], a["llm_cost.error.class"], a["error.type"]) == (2, "server", "INTERNAL")
    assert len(seen.span.events) == 3


# -- what is Google's own


def test_every_request_of_automatic_function_calling_is_a_call(seen: Seen) -> None:
    def weather(city: str) -> str:
        """Tells the weather of a city."""
        return f"rain in {city}"

    called = {**GENERATED, "candidates": [candidate({"functionCall": {"name": "weather", "args": {"city": "Oslo"}}})]}
    wire = GoogleWire(Reply(called), Reply({**GENERATED, "responseId": "resp-2"}))
    config = types.GenerateContentConfig(tools=[weather])
    with wire.client() as client:
        assert client.models.generate_content(**ASK, config=config).text == '{"city": "Oslo"}'
    assert [dict(span.attributes or {})["gen_ai.response.id"] for span in seen.spans] == ["resp-1", "resp-2"]


@pytest.mark.parametrize("reason", ["PROHIBITED_CONTENT", "SAFETY"])
def test_a_prompt_that_is_refused_has_its_reason_and_no_output(seen: Seen, reason: str) -> None:
    usage = {"promptTokenCount": 8, "totalTokenCount": 8}
    refused: Json = {"promptFeedback": {"blockReason": reason}, "usageMetadata": usage, "modelVersion": MODEL}
    with GoogleWire(Reply(refused)).client() as client:
        client.models.generate_content(**ASK)
    a = seen.attributes
    assert a["gen_ai.response.finish_reasons"] == (reason.lower(),)
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (8, 0)
    assert seen.span.status.status_code is StatusCode.UNSET


def test_the_parameters_of_a_request(seen: Seen) -> None:
    config = types.GenerateContentConfig(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        max_output_tokens=99,
        stop_sequences=["END"],
        seed=7,
        candidate_count=2,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        response_mime_type="application/json",
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
        service_tier=types.ServiceTier.PRIORITY,
    )
    with GoogleWire(Reply(GENERATED)).client() as client:
        client.models.generate_content(model="models/" + MODEL, contents="Where?", config=config)
    a = {name.removeprefix("gen_ai.request."): value for name, value in seen.attributes.items()}
    assert (a["temperature"], a["top_p"], a["top_k"], a["max_tokens"]) == (0.5, 0.9, 40, 99)
    assert (a["stop_sequences"], a["seed"], a["choice.count"]) == (("END",), 7, 2)
    assert (a["frequency_penalty"], a["presence_penalty"], a["reasoning.level"]) == (0.1, 0.2, "low")
    assert (a["gen_ai.output.type"], a["model"], a["llm_cost.request.service_tier"]) == ("json", MODEL, "priority")


def test_labels_of_a_call_are_tags(seen: Seen) -> None:
    config = types.GenerateContentConfig(labels={"llm_cost_feature": "search", "team": "x"})
    with GoogleWire(Reply(GENERATED)).client(vertex=True) as client:
        client.models.generate_content(**ASK, config=config)
    assert seen.attributes["llm_cost.feature"] == "search"


@pytest.mark.parametrize(
    "name", ["tunedModels/t1", "projects/p/locations/l/endpoints/12", "publishers/google/models/g"]
)
def test_names_of_models(seen: Seen, name: str) -> None:
    with GoogleWire(Reply(GENERATED)).client(vertex="tuned" not in name) as client:
        client.models.generate_content(model=name, contents="Where?")
    expected = {"t": "tunedModels/t1", "p": "endpoints/12"} if "models/" not in name else {"p": "g"}
    assert seen.attributes["gen_ai.request.model"] == expected[name[0]]


def test_a_gateway_in_front_of_vertex_is_vertex(seen: Seen) -> None:
    with GoogleWire(Reply(GENERATED)).client(vertex=True, base_url="http://gateway.corp:8080") as client:
        client.models.generate_content(**ASK)
    a = seen.attributes
    assert a["gen_ai.provider.name"] == "gcp.vertex_ai"
    assert (a["server.address"], a["server.port"]) == ("gateway.corp", 8080)


def test_a_cache_that_is_made_is_no_generation(seen: Seen) -> None:
    made = {"name": "cachedContents/c1", "model": "models/" + MODEL, "usageMetadata": {"totalTokenCount": 3512}}
    with GoogleWire(Reply(made)).client() as client:
        client.caches.create(model=MODEL)
        client.caches.get(name="cachedContents/c1")
    assert seen.span.name == f"create_cache {MODEL}"
    assert not [name for name in seen.attributes if name.startswith("gen_ai.usage.")]


def test_a_picture_has_a_span_and_no_usage(seen: Seen) -> None:
    made: Json = {"predictions": [{"bytesBase64Encoded": "aGk=", "mimeType": "image/png"}]}
    with GoogleWire(Reply(made)).client(vertex=True) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and in use
        client.models.generate_images(model="imagen-4.0", prompt="Oslo")
    a = seen.attributes
    assert (seen.span.name, a["gen_ai.output.type"]) == ("generate_content imagen-4.0", "image")
    assert not [name for name in a if name.startswith("gen_ai.usage.")]


def test_a_stored_interaction_was_billed_when_it_was_made(seen: Seen) -> None:
    with GoogleWire(Reply(INTERACTION)).client() as client:
        client.interactions.get(id="v1_1")
    assert seen.attributes["gen_ai.operation.name"] == "fetch_response"
    assert not [name for name in seen.attributes if name.startswith("gen_ai.usage.")]


async def test_batch_results_are_calls_of_a_batch(run: Runner, seen: Seen) -> None:
    body = json.dumps(BATCH, indent=2)
    way = Way("batch", lambda c: c.batches.get(name="batches/b1"), "value", body)
    await run(way, GoogleWire(Reply(body)))
    spans = seen.collected.wait(2)
    found = [dict(span.attributes or {}) for span in spans]
    assert [a["gen_ai.response.id"] for a in found] == ["resp-1", "resp-2"]
    assert all(a["llm_cost.batch"] is True and a["gen_ai.usage.input_tokens"] == 150 for a in found)
    assert all(a["gen_ai.request.model"] == MODEL for a in found)
    assert {span.start_time // 10**9 for span in spans if span.start_time} == {1782327092}


async def test_batch_results_in_a_file(run: Runner, seen: Seen) -> None:
    lines = "".join(json.dumps({"key": n, "response": {**GENERATED, "responseId": n}}) + "\n" for n in ("a", "b"))
    way = Way("file", lambda c: c.files.download(file="files/f1"), "value", lines)
    assert await run(way, GoogleWire(Reply(lines))) == [(bytes, lines.encode())]
    found = [dict(span.attributes or {}) for span in seen.collected.wait(2)]
    assert [a["gen_ai.response.id"] for a in found] == ["a", "b"]
    assert all(a["llm_cost.batch"] is True and a["gen_ai.usage.output_tokens"] == 45 for a in found)


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}], "auth"),
        ([{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}], "quota"),
        ([{"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}], "bad_request"),
    ],
)
def test_details_tell_what_a_code_does_not(seen: Seen, details: list[Json], kind: str) -> None:
    wire = GoogleWire(error(400, "INVALID_ARGUMENT", details=details))
    with wire.client() as client, pytest.raises(errors.ClientError):
        client.models.generate_content(**ASK)
    assert seen.attributes["llm_cost.error.class"] == kind


def test_an_answer_that_is_no_json_is_no_fault_of_ours(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    with GoogleWire(Reply("<html>")).client() as client, pytest.raises(json.JSONDecodeError):
        client.models.generate_content(**ASK)
    assert len(seen.spans) == 1


@pytest.mark.parametrize("events", [INTERACTION_EVENTS, INTERACTION_EVENTS[:4]], ids=["whole", "cut"])
def test_content_of_an_interaction(events: list[Any]) -> None:
    said = [piece for event in events if isinstance(event, dict) for piece in google.said(event)]
    assert "".join(piece.text for piece in said).startswith('{"city":')


def test_content_of_a_conversation() -> None:
    contents = [
        {"role": "user", "parts": [{"text": "Where?"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]},
        {"role": "model", "parts": [{"functionCall": {"id": "f", "name": "find", "args": {"q": 1}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "f", "name": "find", "response": {"x": 2}}}]},
        {"role": "user", "parts": [{"fileData": {"mimeType": "audio/mp3", "fileUri": "gs://b/a"}}]},
    ]
    prompt = google.prompt({"contents": contents, "systemInstruction": {"parts": [{"text": "Be brief."}]}})
    assert prompt.system == [{"type": "text", "content": "Be brief."}]
    assert [message["role"] for message in prompt.messages] == ["user", "assistant", "user", "user"]
    assert prompt.messages[0]["parts"][1] == {"type": "blob", "modality": "image", "mime_type": "image/png"}
    assert prompt.messages[1]["parts"] == [{"type": "tool_call", "id": "f", "name": "find", "arguments": {"q": 1}}]
    assert prompt.messages[2]["parts"] == [{"type": "tool_call_response", "id": "f", "response": {"x": 2}}]
    assert prompt.messages[3]["parts"][0]["uri"] == "gs://b/a"
    assert google.answer(GENERATED) == [
        {
            "role": "assistant",
            "parts": [{"type": "reasoning", "content": "North."}, {"type": "text", "content": '{"city": "Oslo"}'}],
            "finish_reason": "stop",
        }
    ]
    assert USAGE["promptTokenCount"] == 120


def test_what_the_last_chunk_told_is_kept_when_nobody_comes_back_for_the_stream(seen: Seen) -> None:
    with GoogleWire(Reply(CHUNKS)).client() as client:
        stream: Any = client.models.generate_content_stream(**ASK)
        told = [next(stream) for _ in range(2)][-1].usage_metadata
        for call in list(reaper._open):  # as at the end of the program
            call.close("abandoned")
        stream.close()
    a = seen.attributes
    assert a["llm_cost.stream.outcome"] == "abandoned"
    assert a["gen_ai.usage.output_tokens"] == told.candidates_token_count + (told.thoughts_token_count or 0)
    assert a["llm_cost.usage.estimated_counts"] == ("output_tokens",)  # there might have been more
