"""What is particular to OpenAI's protocol: attempts, the usage option, hosts, odd answers."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

import otel_llm_cost

from .conftest import Seen
from .ways import MESSAGES
from .wire import (
    CHAT,
    CHAT_DELTAS,
    CHAT_EVENTS,
    CHAT_USAGE_CHUNK,
    RESPONSE_EVENTS,
    USAGE,
    Json,
    Reply,
    Wire,
    choice,
    chunk,
    error,
)

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}


@pytest.fixture
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.time.sleep", lambda _seconds: None)


@pytest.mark.usefixtures("_no_wait")
def test_each_failed_attempt_is_an_event(seen: Seen) -> None:
    wire = Wire(error(429, "rate_limit_exceeded", **{"retry-after": "1"}), httpx2.ReadTimeout("slow"), Reply(CHAT))
    wire.client(max_retries=3).chat.completions.create(**ASK)
    a = seen.attributes
    assert a["http.request.resend_count"] == 2
    assert "error.type" not in a
    first, second = [dict(event.attributes or {}) for event in seen.span.events]
    assert (first["error.type"], first["llm_cost.error.class"], first["http.response.status_code"]) == (
        "429",
        "rate_limit",
        429,
    )
    assert (second["error.type"], second["llm_cost.error.class"]) == ("ReadTimeout", "timeout")
    assert [event["llm_cost.attempt.number"] for event in (first, second)] == [1, 2]
    assert all(float(str(event["llm_cost.attempt.wait"])) >= 0 for event in (first, second))


@pytest.mark.usefixtures("_no_wait")
def test_attempts_that_all_fail(seen: Seen) -> None:
    with pytest.raises(openai.InternalServerError):
        Wire(error(500, None, "server_error")).client(max_retries=2).chat.completions.create(**ASK)
    a = seen.attributes
    assert (a["http.request.resend_count"], a["llm_cost.error.class"]) == (2, "server")
    assert a["http.response.status_code"] == 500
    assert "llm_cost.attempt.wait" not in (seen.span.events[-1].attributes or {})


def test_usage_is_asked_for_and_its_chunk_kept_from_the_caller(seen: Seen) -> None:
    wire = Wire(Reply(CHAT_EVENTS))
    chunks = list(wire.client().chat.completions.create(**ASK, stream=True))
    assert wire.sent[0]["stream_options"] == {"include_usage": True}
    assert all(chunk.choices for chunk in chunks)
    assert seen.attributes["gen_ai.usage.input_tokens"] == 120


def test_a_caller_who_asked_gets_the_usage_chunk(seen: Seen) -> None:
    wire = Wire(Reply(CHAT_EVENTS))
    chunks = list(wire.client().chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage
    assert seen.attributes["gen_ai.usage.input_tokens"] == 120


def test_other_stream_options_are_kept(seen: Seen) -> None:
    wire = Wire(Reply(CHAT_EVENTS))
    client = wire.client()
    list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_obfuscation": False}))
    list(client.chat.completions.create(**ASK, stream=True, extra_body={"stream_options": {"x": 1}}))
    list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": False}))
    assert [sent["stream_options"] for sent in wire.sent] == [
        {"include_obfuscation": False, "include_usage": True},
        {"x": 1, "include_usage": True},
        {"include_usage": False},
    ]


def test_opt_out_leaves_streams_as_they_are(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_llm_cost.instrumentor import OpenAIInstrumentor

    monkeypatch.setenv("OTEL_LLM_COST_STREAM_USAGE", "false")
    OpenAIInstrumentor().uninstrument()
    OpenAIInstrumentor().instrument(tracer_provider=seen.provider)
    wire = Wire(Reply([*CHAT_DELTAS, "[DONE]"]))
    list(wire.client().chat.completions.create(**ASK, stream=True))
    assert "stream_options" not in wire.sent[0]
    assert seen.attributes["llm_cost.stream.outcome"] == "completed"
    assert seen.attributes["llm_cost.usage.estimated_counts"] == ("input_tokens", "output_tokens")


@pytest.mark.parametrize("choices", [1, 2])
def test_a_stream_left_at_its_last_word_is_not_taken_for_free(seen: Seen, choices: int) -> None:
    """Its usage would have come after that, in an event that the program did not ask for."""
    body: list[Json | str | Exception] = [*CHAT_DELTAS[:3], chunk(choices=[choice(finish="stop")]), CHAT_USAGE_CHUNK]
    with Wire(Reply(body)).client().chat.completions.create(**ASK, stream=True, n=choices) as stream:
        for event in stream:
            if event.choices[0].finish_reason:
                break
    a = seen.attributes
    assert a["llm_cost.stream.outcome"] == ("completed" if choices == 1 else "cancelled")
    assert a["llm_cost.usage.estimated_counts"] == ("input_tokens", "output_tokens")


def test_what_is_made_in_the_background_is_not_guessed_at(seen: Seen) -> None:
    """The rest of it is fetched later, and the truth with it."""
    begun = RESPONSE_EVENTS[:4]
    stream = Wire(Reply(begun)).client().responses.create(model="gpt-5", input="x", background=True, stream=True)
    list(stream)
    assert seen.attributes["llm_cost.stream.outcome"] == "broken"
    assert "gen_ai.usage.output_tokens" not in seen.attributes


async def test_a_host_that_rejects_the_option_is_asked_once_without_and_remembered(seen: Seen) -> None:
    refusal = Reply({"error": {"message": "Unrecognized argument: stream_options", "type": "bad", "code": None}}, 400)
    plain = Reply([*CHAT_DELTAS, "[DONE]"])
    wire = Wire(refusal, plain)
    client = wire.async_client(base_url="https://llm.example/v1")
    for _ in range(2):
        stream = await client.chat.completions.create(**ASK, stream=True)
        assert len([item async for item in stream]) == len(CHAT_DELTAS)
    assert ["stream_options" in sent for sent in wire.sent] == [True, False, False]
    first, second = seen.spans
    assert (first.attributes or {})["http.request.resend_count"] == 1
    assert "http.request.resend_count" not in (second.attributes or {})
    assert (first.attributes or {})["gen_ai.provider.name"] == "llm.example"


@pytest.mark.parametrize("pieces", [1, 7, 64, 1000])
def test_events_cut_anywhere_by_the_network(seen: Seen, pieces: int) -> None:
    whole = list(Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True))
    cut = list(Wire(Reply(CHAT_EVENTS), pieces=pieces).client().chat.completions.create(**ASK, stream=True))
    assert cut == whole
    assert [(s.attributes or {})["gen_ai.usage.output_tokens"] for s in seen.spans] == [45, 45]


def test_several_choices_each_end_for_their_own_reason(seen: Seen) -> None:
    events: list[Json | str] = [
        chunk(choices=[choice("a", role="assistant", index=0), choice("b", role="assistant", index=1)]),
        chunk(choices=[choice(finish="length", index=1), choice(None, index=0)]),
        chunk(choices=[choice(finish="stop", index=0)]),
        CHAT_USAGE_CHUNK,
        "[DONE]",
    ]
    list(Wire(Reply(events)).client().chat.completions.create(**ASK, n=2, stream=True))
    assert seen.attributes["gen_ai.response.finish_reasons"] == ("stop", "length")
    assert seen.attributes["gen_ai.request.choice.count"] == 2


def test_a_truncated_parse_was_billed_all_the_same(seen: Seen) -> None:
    cut = {**CHAT, "choices": [{**CHAT["choices"][0], "finish_reason": "length"}]}  # type: ignore[index]
    with pytest.raises(openai.LengthFinishReasonError):
        Wire(Reply(cut)).client().chat.completions.parse(**ASK, response_format=_city())
    assert seen.attributes["gen_ai.usage.output_tokens"] == 45
    assert seen.attributes["error.type"] == "LengthFinishReasonError"


def test_an_answer_that_does_not_fit_the_schema_was_billed_all_the_same(seen: Seen) -> None:
    message = {"role": "assistant", "content": "no json", "refusal": None}
    odd = {**CHAT, "choices": [{**CHAT["choices"][0], "message": message}]}  # type: ignore[index]
    with pytest.raises(ValueError, match="City"):
        Wire(Reply(odd)).client().chat.completions.parse(**ASK, response_format=_city())
    assert seen.attributes["gen_ai.usage.output_tokens"] == 45
    assert seen.attributes["error.type"] == "ValidationError"


def _city() -> type[Any]:
    from .ways import City

    return City


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": "12", "completion_tokens": True}, None),
        ({"prompt_tokens": -4, "completion_tokens": 2}, (None, 2)),
        ({**USAGE, "completion_tokens": 15, "total_tokens": 165}, (120, 45)),  # xAI: reasoning beside completion
    ],
)
def test_odd_usage_is_unknown_and_never_zero(seen: Seen, usage: Any, tokens: tuple[int | None, int] | None) -> None:
    Wire(Reply({**CHAT, "usage": usage})).client().chat.completions.create(**ASK)
    a = seen.attributes
    assert (a.get("gen_ai.usage.input_tokens"), a.get("gen_ai.usage.output_tokens")) == (tokens or (None, None))


def test_an_answer_that_is_no_json(seen: Seen) -> None:
    Wire(Reply("<html>gateway</html>")).client().chat.completions.create(**ASK)
    assert not [name for name in seen.attributes if name.startswith("gen_ai.usage.")]


@pytest.mark.parametrize(
    ("base_url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://x.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://evilapi.openai.com.example/v1", "evilapi.openai.com.example"),
        ("http://127.0.0.1:9/v1", "127.0.0.1"),
    ],
)
def test_the_provider_is_whom_the_base_url_names(seen: Seen, base_url: str, provider: str) -> None:
    Wire(Reply(CHAT)).client(base_url=base_url).chat.completions.create(**ASK)
    assert seen.attributes["gen_ai.provider.name"] == provider


def test_azure_client(seen: Seen) -> None:
    wire = Wire(Reply(CHAT))
    http = httpx2.Client(transport=httpx2.MockTransport(wire))
    client = openai.AzureOpenAI(api_key="k", api_version="1", azure_endpoint="https://corp.example", http_client=http)
    client.chat.completions.create(**ASK)
    assert seen.attributes["gen_ai.provider.name"] == "azure.ai.openai"


def test_a_gateway_named_by_the_user(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_llm_cost.instrumentor import OpenAIInstrumentor

    OpenAIInstrumentor().uninstrument()
    monkeypatch.setenv("OTEL_LLM_COST_PROVIDER_HOSTS", "gw.corp=openai, gw.corp:8443=groq")
    OpenAIInstrumentor().instrument(tracer_provider=seen.provider)
    for url in ("https://gw.corp/v1", "https://gw.corp:8443/v1"):
        Wire(Reply(CHAT)).client(base_url=url).chat.completions.create(**ASK)
    assert [(s.attributes or {})["gen_ai.provider.name"] for s in seen.spans] == ["openai", "groq"]


def test_metrics_of_a_stream(seen: Seen) -> None:
    list(Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True, user="u-1"))
    metrics = seen.metrics()
    tokens = {labels["gen_ai.token.type"]: total for labels, _, total in metrics["gen_ai.client.token.usage"]}
    assert tokens == {"input": 120, "output": 45}
    for name in ("duration", "time_to_first_chunk", "time_per_output_chunk"):
        ((labels, count, _),) = metrics[f"gen_ai.client.operation.{name}"]
        assert count == 1
        assert set(labels) <= {
            "gen_ai.operation.name",
            "gen_ai.provider.name",
            "gen_ai.request.model",
            "gen_ai.response.model",
        }


def test_tags_from_code_and_baggage(seen: Seen) -> None:
    client = Wire(Reply(CHAT)).client()
    token = context.attach(baggage.set_baggage("llm_cost.feature", "from-upstream"))
    try:
        client.chat.completions.create(**ASK)
        with otel_llm_cost.tags(feature="search", user="u-1", tenant="acme"):
            client.chat.completions.create(**ASK)
    finally:
        context.detach(token)
    upstream, own = [s.attributes or {} for s in seen.spans]
    assert upstream["llm_cost.feature"] == "from-upstream"
    assert (own["llm_cost.feature"], own["user.id"], own["llm_cost.tag.tenant"]) == ("search", "u-1", "acme")


def test_the_span_is_current_while_the_sdk_sends(seen: Seen) -> None:
    current: list[trace.Span] = []

    def handler(_request: httpx2.Request) -> httpx2.Response:
        current.append(trace.get_current_span())
        return httpx2.Response(200, json=CHAT)

    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    openai.OpenAI(api_key="k", http_client=http).chat.completions.create(**ASK)
    assert current[0].get_span_context() == seen.span.get_span_context()
    assert trace.get_current_span() is trace.INVALID_SPAN


class Faulty(SpanProcessor):
    """A span processor of somebody else's that fails at both ends."""

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        """Fails."""
        raise RuntimeError("on_start")

    def on_end(self, span: ReadableSpan) -> None:
        """Fails."""
        raise RuntimeError("on_end")


@pytest.mark.parametrize("stream", [False, True])
def test_a_faulty_span_processor_never_reaches_the_program(
    seen: Seen, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    seen.provider.add_span_processor(Faulty())
    client = Wire(Reply(CHAT_EVENTS if stream else CHAT)).client()
    result = client.chat.completions.create(**ASK, stream=stream)
    assert list(result) if stream else result


async def test_a_cancelled_call(seen: Seen) -> None:
    started = asyncio.Event()

    async def handler(_request: httpx2.Request) -> httpx2.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    task = asyncio.create_task(openai.AsyncOpenAI(api_key="k", http_client=http).chat.completions.create(**ASK))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen.attributes["llm_cost.error.class"] == "cancelled"


def test_an_unread_stream_ends_when_it_is_collected(seen: Seen) -> None:
    stream = Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True)
    assert seen.spans == []
    del stream
    gc.collect()
    (span,) = seen.collected.wait()
    assert (span.attributes or {})["llm_cost.stream.outcome"] == "abandoned"


def test_a_stream_read_in_another_thread_and_context(seen: Seen, caplog: pytest.LogCaptureFixture) -> None:
    import threading

    stream = Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True)
    thread = threading.Thread(target=lambda: list(stream))
    thread.start()
    thread.join()
    assert seen.attributes["gen_ai.usage.output_tokens"] == 45
    assert "detach" not in caplog.text


def test_the_span_lasts_as_long_as_the_stream(seen: Seen) -> None:
    stream = Wire(Reply(CHAT_EVENTS)).client().chat.completions.create(**ASK, stream=True)
    before = time.time_ns()
    list(stream)
    assert (seen.span.end_time or 0) >= before


def test_other_endpoints_are_left_alone(seen: Seen) -> None:
    Wire(Reply({"object": "list", "data": []})).client().models.list()
    assert seen.spans == []
