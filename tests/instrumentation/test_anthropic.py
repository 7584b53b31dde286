"""The contract over every way of calling Anthropic, and what is its own: usage, clouds, batches, cut streams."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.lib.middleware import BetaFallbackState, BetaRefusalFallbackMiddleware
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import StatusCode

from otel_llm_cost import attributes
from otel_llm_cost.instrumentor import AnthropicInstrumentor
from otel_llm_cost.record import Usage

from .anthropic_ways import ALL_WAYS, ASK, CLOUDS, COUNT_WAYS, MESSAGE_WAYS, read_awaiting
from .anthropic_wire import (
    BATCH,
    BLOCKS,
    COMPLETION,
    END,
    EVENTS,
    MESSAGE,
    RESULTS,
    START,
    TOOL_CALL,
    USAGE,
    AnthropicWire,
    aws_events,
    aws_message,
    error,
    error_body,
    lines,
)
from .conftest import Seen, watching
from .ways import City, Way, read_sync
from .wire import Json, Reply

Runner = Callable[[Way, AnthropicWire, "int | None"], Awaitable[list[Any]]]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """The Anthropic SDK instrumented for the length of a test."""
    with watching(AnthropicInstrumentor) as reported:
        yield reported


async def run_sync(way: Way, wire: AnthropicWire, take: int | None = None) -> list[Any]:
    """A synchronous program."""
    with wire.client() as client:
        return read_sync(way.read, way.call(client), take)


async def run_async(way: Way, wire: AnthropicWire, take: int | None = None) -> list[Any]:
    """An asynchronous program."""
    async with wire.async_client() as client:
        return await read_awaiting(way.read, way.call(client), take)


@pytest.fixture(params=[run_sync, run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Both kinds of program."""
    runner: Runner = request.param
    return runner


def each(ways: list[Way]) -> pytest.MarkDecorator:
    """One test per way."""
    return pytest.mark.parametrize("way", ways, ids=lambda way: way.name)


def both(seen: Seen, *replies: Reply | Exception, **kwargs: Any) -> AnthropicWire:
    """A wire whose clients send the SDK's own spans where ours go."""
    wire = AnthropicWire(*replies, **kwargs)
    wire.telemetry = seen.provider
    return wire


# -- every way


@each(ALL_WAYS)
async def test_the_program_sees_what_the_bare_sdk_gives(way: Way, run: Runner, seen: Seen) -> None:
    observed = await run(way, AnthropicWire(Reply(way.body)), None)
    assert len(seen.spans) == 1
    AnthropicInstrumentor().uninstrument()
    plain = await run(way, AnthropicWire(Reply(way.body)), None)
    assert observed == plain


@each(MESSAGE_WAYS)
async def test_one_span_says_what_was_used(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, both(seen, Reply(way.body)), None)
    a = seen.attributes  # of the only span, although the SDK would have sent its own
    assert seen.span.name == "chat claude-sonnet-5"
    assert seen.span.status.status_code is StatusCode.UNSET
    assert a["gen_ai.provider.name"] == "anthropic"
    assert a["gen_ai.request.max_tokens"] == 64
    assert (a["gen_ai.response.id"], a["gen_ai.response.model"]) == ("msg_1", "claude-sonnet-5-20260901")
    assert a["gen_ai.response.finish_reasons"] == ("end_turn",)
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (150, 45)
    assert a["gen_ai.usage.cache_read.input_tokens"] == 100
    assert a["gen_ai.usage.cache_write.input_tokens"] == 30
    assert a["llm_cost.usage.cache_write.5m.input_tokens"] == 10
    assert a["llm_cost.usage.cache_write.1h.input_tokens"] == 20
    assert a["gen_ai.usage.reasoning.output_tokens"] == 30
    assert a["llm_cost.usage.web_search.requests"] == 2
    assert a["llm_cost.response.service_tier"] == "priority"
    assert (a["llm_cost.inference_geo"], a["llm_cost.speed"]) == ("us", "fast")
    assert "llm_cost.usage.estimated" not in a
    assert a.get("llm_cost.stream.outcome") == ("completed" if way.streamed else None)


@each(COUNT_WAYS)
async def test_counting_tokens_costs_nothing(way: Way, run: Runner, seen: Seen) -> None:
    await run(way, both(seen, Reply(way.body)), None)
    assert seen.attributes["gen_ai.operation.name"] == "count_tokens"
    assert not [name for name in seen.attributes if "usage" in name]


@each(ALL_WAYS)
async def test_an_error_is_the_sdks_own(way: Way, run: Runner, seen: Seen) -> None:
    with pytest.raises(anthropic.APIStatusError) as raised:
        await run(way, both(seen, error(529, "overloaded_error")), None)
    assert raised.value.type == "overloaded_error"
    a = seen.attributes
    assert seen.span.status.status_code is StatusCode.ERROR
    assert (a["error.type"], a["llm_cost.error.class"]) == ("overloaded_error", "overloaded")
    assert a["http.response.status_code"] == 529
    assert not [name for name in a if "usage" in name]


@each(ALL_WAYS)
async def test_no_connection(way: Way, run: Runner, seen: Seen) -> None:
    with pytest.raises(anthropic.APIConnectionError):
        await run(way, both(seen, httpx2.ConnectError("refused")), None)
    assert seen.attributes["llm_cost.error.class"] == "connection"


@each([way for way in MESSAGE_WAYS if way.streamed])
async def test_a_stream_left_early_keeps_what_was_announced(way: Way, run: Runner, seen: Seen) -> None:
    wire = both(seen, Reply([START, *BLOCKS, {"type": "ping"}, *END]))
    await run(way, wire, 1)
    for _ in range(10):  # the loop closes a collected generator in a task, which frees the next one in the chain
        if not seen.spans:
            gc.collect()
            await asyncio.sleep(0)
    (span,) = seen.collected.wait()
    a = dict(span.attributes or {})
    assert a["gen_ai.usage.input_tokens"] == 150
    assert a["gen_ai.usage.cache_read.input_tokens"] == 100
    if way.read == "next":  # this program reads to the end
        assert a["llm_cost.stream.outcome"] == "completed"
    else:
        assert a["llm_cost.stream.outcome"] in ("cancelled", "abandoned")
        assert "gen_ai.usage.reasoning.output_tokens" not in a
        assert a.get("gen_ai.usage.output_tokens") is None or a["llm_cost.usage.estimated"] is True
    assert wire.streams[0].closed


@each([way for way in MESSAGE_WAYS if way.streamed])
async def test_a_broken_stream_shows_no_placeholder(way: Way, run: Runner, seen: Seen) -> None:
    body: list[Json | str | Exception] = [START, *BLOCKS[:3], httpx2.ReadError("reset")]
    with pytest.raises((anthropic.APIConnectionError, httpx2.ReadError)):
        await run(way, both(seen, Reply(body)), None)
    a = seen.attributes
    assert (a["llm_cost.stream.outcome"], a["llm_cost.error.class"]) == ("broken", "connection")
    assert a["gen_ai.usage.input_tokens"] == 150
    assert (a["gen_ai.usage.output_tokens"], a["llm_cost.usage.estimated"]) == (2, True)  # "North.", at four bytes each
    assert a["llm_cost.usage.estimated_counts"] == ("output_tokens",)


@each([way for way in MESSAGE_WAYS if way.streamed and way.read != "lines"])
async def test_an_error_event_inside_a_stream(way: Way, run: Runner, seen: Seen) -> None:
    with pytest.raises(anthropic.APIStatusError):
        await run(way, both(seen, Reply([START, error_body("overloaded_error")])), None)
    a = seen.attributes
    assert (a["llm_cost.stream.outcome"], a["error.type"]) == ("broken", "overloaded_error")
    assert (a["llm_cost.error.class"], a["http.response.status_code"]) == ("overloaded", 200)


@each([way for way in ALL_WAYS if way.name.startswith(("messages", "count"))])
@pytest.mark.parametrize("door", ["request", "response", "chunk", "dull", "error", "prompt"])
async def test_a_fault_of_ours_never_reaches_the_program(
    way: Way, run: Runner, door: str, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    expected = await run(way, AnthropicWire(Reply(way.body)), None)
    monkeypatch.setattr(f"otel_llm_cost.providers.anthropic.{door}", lambda *_: 1 / 0)
    assert await run(way, AnthropicWire(Reply(way.body)), None) == expected


@each(MESSAGE_WAYS)
async def test_suppressed_calls_are_not_seen(way: Way, run: Runner, seen: Seen) -> None:
    with suppress_instrumentation():
        await run(way, AnthropicWire(Reply(way.body)), None)
    assert seen.spans == []


# -- requests


def test_what_is_asked_for(seen: Seen) -> None:
    AnthropicWire(Reply(MESSAGE)).client().messages.create(
        **ASK,
        extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 40},  # older versions have parameters for these
        stop_sequences=["END"],
        service_tier="standard_only",
        thinking={"type": "adaptive"},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    )
    a = seen.attributes
    assert (a["gen_ai.request.temperature"], a["gen_ai.request.top_p"], a["gen_ai.request.top_k"]) == (0.5, 0.9, 40)
    assert a["gen_ai.request.stop_sequences"] == ("END",)
    assert a["llm_cost.request.service_tier"] == "standard_only"
    assert (a["gen_ai.request.reasoning.level"], a["gen_ai.output.type"]) == ("high", "json")


def test_a_legacy_completion_says_no_usage(seen: Seen) -> None:
    client = AnthropicWire(Reply(COMPLETION)).client()
    client.post(
        "/v1/complete",
        body={"model": "claude-2.1", "prompt": "\n\nHuman: Where?\n\nAssistant:", "max_tokens_to_sample": 9},
        cast_to=dict[str, Any],
    )
    a = seen.attributes
    assert (a["gen_ai.operation.name"], a["gen_ai.request.max_tokens"]) == ("text_completion", 9)
    assert a["gen_ai.response.finish_reasons"] == ("stop_sequence",)
    assert not [name for name in a if "usage" in name]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.anthropic.com", "anthropic"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("us-east5-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("openrouter.ai", "openrouter"),
        ("llm.example", "llm.example"),
        ("anthropic.com.example", "anthropic.com.example"),
    ],
)
def test_the_host_behind_a_plain_client_is_named(seen: Seen, host: str, name: str) -> None:
    AnthropicWire(Reply(MESSAGE)).client(base_url=f"https://{host}/x").messages.create(**ASK)
    assert (seen.attributes["gen_ai.provider.name"], seen.attributes["server.address"]) == (name, host)


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud[0])
async def test_each_cloud_is_named_for_who_bills(cloud: Any, seen: Seen) -> None:
    _, kind, async_kind, kwargs, name = cloud
    both(seen, Reply(MESSAGE)).client(kind, **kwargs).messages.create(**ASK)
    await both(seen, Reply(MESSAGE)).async_client(async_kind, **kwargs).messages.create(**ASK)
    for span in seen.spans:
        a = span.attributes or {}
        assert (a["gen_ai.provider.name"], a["gen_ai.request.model"]) == (name, "claude-sonnet-5")
        assert (a["gen_ai.usage.input_tokens"], a["llm_cost.request.id"]) == (150, "req-1")
    assert len(seen.spans) == 2


async def test_vertex_streams_as_anthropic_does(seen: Seen) -> None:
    kwargs = CLOUDS[2][3]
    with both(seen, Reply(EVENTS)).client(anthropic.AnthropicVertex, **kwargs).messages.stream(**ASK) as stream:
        assert stream.get_final_text() == '{"city": "Oslo"}'
    assert seen.attributes["gen_ai.usage.output_tokens"] == 45


# -- Bedrock's binary streams


def _bedrock(seen: Seen, body: bytes) -> Any:
    headers = {"content-type": "application/vnd.amazon.eventstream"}

    def handler(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            200, content=iter([body[i : i + 100] for i in range(0, len(body), 100)]), headers=headers
        )

    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    wire = both(seen, Reply(MESSAGE))
    return wire.client(anthropic.AnthropicBedrock, aws_region="us-east-1", http_client=http)


def test_a_stream_of_bedrock(seen: Seen) -> None:
    body = aws_events([event for event in EVENTS if isinstance(event, dict)])
    with _bedrock(seen, body).messages.with_streaming_response.create(**ASK, stream=True) as response:
        assert b"".join(response.iter_bytes()) == body
    a = seen.attributes
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (150, 45)
    assert (a["llm_cost.stream.outcome"], a["gen_ai.provider.name"]) == ("completed", "aws.bedrock")


def test_a_stream_of_bedrock_that_fails(seen: Seen) -> None:
    failure = aws_message({"message": "slow down"}, _message_type="exception", _exception_type="throttlingException")
    body = aws_events([START]) + failure
    with _bedrock(seen, body).messages.with_streaming_response.create(**ASK, stream=True) as response:
        assert b"".join(response.iter_bytes()) == body
    a = seen.attributes
    assert (a["error.type"], a["llm_cost.error.class"]) == ("throttlingException", "rate_limit")
    assert (a["llm_cost.stream.outcome"], a["gen_ai.usage.input_tokens"]) == ("broken", 150)


# -- retries


@pytest.fixture
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def soon(_seconds: float) -> None:
        return None

    monkeypatch.setattr("anthropic._base_client.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("anthropic._base_client.anyio.sleep", soon)


@pytest.mark.usefixtures("_no_wait")
@pytest.mark.parametrize("cloud", [None, *CLOUDS], ids=lambda cloud: cloud[0] if cloud else "plain")
async def test_a_retry_is_counted_and_told(seen: Seen, cloud: Any) -> None:
    kind, kwargs = (cloud[1], cloud[3]) if cloud else (anthropic.Anthropic, {})
    wire = both(seen, error(429, "rate_limit_error", **{"retry-after": "1"}), Reply(MESSAGE))
    wire.client(kind, max_retries=2, **kwargs).messages.create(**ASK)
    assert seen.attributes["http.request.resend_count"] == 1
    assert "error.type" not in seen.attributes
    (event,) = seen.span.events
    told = dict(event.attributes or {})
    assert (event.name, told["http.response.status_code"]) == ("gen_ai.client.attempt", 429)
    assert told["llm_cost.error.class"] == "rate_limit"
    assert float(str(told["llm_cost.attempt.wait"])) >= 0


@pytest.mark.usefixtures("_no_wait")
async def test_tries_that_all_fail(seen: Seen) -> None:
    with pytest.raises(anthropic.InternalServerError):
        await both(seen, error(500, "api_error")).async_client(max_retries=2).messages.create(**ASK)
    assert seen.attributes["http.request.resend_count"] == 2
    assert (seen.attributes["error.type"], seen.attributes["llm_cost.error.class"]) == ("api_error", "server")


# -- usage


def _used(seen: Seen, usage: Json) -> dict[str, Any]:
    AnthropicWire(Reply({**MESSAGE, "usage": usage})).client().beta.messages.create(**ASK)
    return seen.attributes


def test_a_compaction_is_billed_on_top_of_the_headline(seen: Seen) -> None:
    compaction = {
        "type": "compaction",
        "input_tokens": 5000,
        "cache_read_input_tokens": 50_000,
        "cache_creation_input_tokens": 196,
        "cache_creation": {"ephemeral_5m_input_tokens": 196, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 900,
    }
    message = {"type": "message", "input_tokens": 220, "output_tokens": 40}
    a = _used(seen, {"input_tokens": 220, "output_tokens": 40, "iterations": [compaction, message]})
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (55_416, 940)
    assert a["gen_ai.usage.cache_read.input_tokens"] == 50_000
    assert a["llm_cost.usage.cache_write.5m.input_tokens"] == 196
    assert a["llm_cost.usage.compaction.input_tokens"] == 55_196
    assert a["llm_cost.usage.compaction.output_tokens"] == 900


def test_an_advisor_of_another_model_is_told_aside(seen: Seen) -> None:
    iterations = [
        {"type": "message", "input_tokens": 100, "output_tokens": 10},
        {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 250, "output_tokens": 20},
        {"type": "message", "input_tokens": 120, "output_tokens": 5},
    ]
    a = _used(seen, {"input_tokens": 220, "output_tokens": 15, "iterations": iterations})
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (220, 15)
    (aside,) = attributes.decode(a).call.response.asides or ()
    assert aside == ("claude-opus-5", Usage(input_tokens=250, output_tokens=20))


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_that_another_model_made_good_is_priced_as_the_other(seen: Seen, stream: bool) -> None:
    refused = {
        **MESSAGE,
        "id": "msg_r",
        "content": [],
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "fallback_credit_token": "t", "fallback_has_prefill_claim": False},
        "usage": {"input_tokens": 11, "output_tokens": 4},
    }
    end = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": refused["stop_details"]}
    refusing: list[Json | str] = [
        {"type": "message_start", "message": {**refused, "stop_reason": None}},
        {"type": "message_delta", "delta": end, "usage": refused["usage"]},
        {"type": "message_stop"},
    ]
    served = {**MESSAGE, "model": "claude-opus-5"}
    fallback = BetaRefusalFallbackMiddleware([{"model": "claude-opus-5"}])
    wire = both(seen, Reply(refusing if stream else refused), Reply(EVENTS if stream else served))
    with BetaFallbackState():
        result = wire.client(middleware=[fallback]).beta.messages.create(**ASK, stream=stream)
        list(result) if stream else None
    assert [sent["model"] for sent in wire.sent] == ["claude-sonnet-5", "claude-opus-5"]
    assert seen.attributes["gen_ai.response.model"] == "claude-opus-5"
    assert (seen.attributes["gen_ai.usage.input_tokens"], seen.attributes["gen_ai.usage.output_tokens"]) == (150, 45)


def test_what_nobody_said_stays_unknown(seen: Seen) -> None:
    a = _used(seen, {"input_tokens": 9, "output_tokens": "many", "cache_read_input_tokens": None})
    assert a["gen_ai.usage.input_tokens"] == 9
    assert not [name for name in a if "usage" in name and name != "gen_ai.usage.input_tokens"]


def test_the_input_of_a_stream_may_grow(seen: Seen) -> None:
    grown = {**END[0]["usage"], "input_tokens": 2000, "cache_read_input_tokens": 200}
    events: list[Json | str] = [START, *BLOCKS, {**END[0], "usage": grown}, END[1]]
    list(AnthropicWire(Reply(events)).client().messages.create(**ASK, stream=True))
    assert seen.attributes["gen_ai.usage.input_tokens"] == 2230
    assert seen.attributes["gen_ai.usage.cache_read.input_tokens"] == 200


def test_a_delta_that_says_its_output_only_keeps_the_input(seen: Seen) -> None:
    events: list[Json | str] = [START, *BLOCKS, {**END[0], "usage": {"output_tokens": 45}}, END[1]]
    list(AnthropicWire(Reply(events)).client().messages.create(**ASK, stream=True))
    assert (seen.attributes["gen_ai.usage.input_tokens"], seen.attributes["gen_ai.usage.output_tokens"]) == (150, 45)


@pytest.mark.parametrize("pieces", [1, 7, 64, 1000])
def test_text_that_looks_like_an_event_is_none(seen: Seen, pieces: int) -> None:
    fake = '{"type":"message_delta","usage":{"output_tokens":1}}\n\nevent: error\ndata: {"type":"error"}'
    tricky: Json = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": fake}}
    events: list[Json | str] = [START, *BLOCKS[:6], tricky, *BLOCKS[6:], tricky, *END]
    list(AnthropicWire(Reply(events), pieces=pieces).client().messages.create(**ASK, stream=True))
    assert (seen.attributes["gen_ai.usage.output_tokens"], seen.attributes["llm_cost.stream.outcome"]) == (
        45,
        "completed",
    )


def test_an_answer_that_does_not_fit_the_schema_was_billed_all_the_same(seen: Seen) -> None:
    odd = {**MESSAGE, "content": [{"type": "text", "text": "no json"}]}
    with pytest.raises(ValueError, match="City"):
        AnthropicWire(Reply(odd)).client().messages.parse(**ASK, output_format=City)
    assert seen.attributes["gen_ai.usage.output_tokens"] == 45
    assert seen.attributes["error.type"] == "ValidationError"


def test_metrics(seen: Seen) -> None:
    AnthropicWire(Reply(MESSAGE)).client().messages.create(**ASK)
    tokens = {labels["gen_ai.token.type"]: total for labels, _, total in seen.metrics()["gen_ai.client.token.usage"]}
    assert tokens == {"input": 150, "output": USAGE["output_tokens"]}


# -- the tool runner and batches


def test_each_turn_of_the_tool_runner_is_a_call(seen: Seen) -> None:
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather in a city.

        Args:
            city: Its name.
        """
        return f"Rain in {city}"

    wire = both(seen, Reply(TOOL_CALL), Reply(MESSAGE))
    last = wire.client().beta.messages.tool_runner(**ASK, tools=[weather]).until_done()
    assert last.stop_reason == "end_turn"
    billed = [span for span in seen.spans if "gen_ai.usage.input_tokens" in (span.attributes or {})]
    assert [(span.attributes or {})["gen_ai.response.id"] for span in billed] == ["msg_0", "msg_1"]
    (runner,) = [span for span in seen.spans if span.name == "anthropic.messages.tool_runner"]
    assert runner.context is not None
    assert all(span.parent and span.parent.span_id == runner.context.span_id for span in billed)


async def test_the_results_of_a_batch_are_calls(seen: Seen) -> None:
    client = AnthropicWire(Reply(BATCH), lines(RESULTS)).client()
    assert len(list(client.messages.batches.results("msgbatch_1"))) == len(RESULTS)
    spans = seen.collected.wait(len(RESULTS))
    found = [dict(span.attributes or {}) for span in spans]
    assert [a.get("gen_ai.response.id") for a in found] == ["msg_a", None, "msg_c", None]
    assert [a.get("error.type") for a in found] == [None, "invalid_request_error", None, "expired"]
    assert all(a["llm_cost.batch"] and a["gen_ai.operation.name"] == "chat" for a in found)
    assert [a.get("gen_ai.usage.input_tokens") for a in found] == [150, None, 150, None]
    assert found[0]["gen_ai.request.model"] == "claude-sonnet-5-20260901"


async def test_asking_for_a_batch_is_no_call(seen: Seen) -> None:
    client = AnthropicWire(Reply(BATCH)).client()
    client.messages.batches.create(requests=[{"custom_id": "a", "params": ASK}])
    client.messages.batches.retrieve("msgbatch_1")
    client.messages.with_raw_response.count_tokens(model="claude-sonnet-5", messages=ASK["messages"])
    assert [span.name for span in seen.spans] == ["count_tokens claude-sonnet-5"]
