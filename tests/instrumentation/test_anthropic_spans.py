"""The SDK's own spans beside ours: one of the two stands, and which."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from otel_llm_cost.instrumentor import AnthropicInstrumentor
from otel_llm_cost.waists.anthropic_spans import TARGETS

from .anthropic_ways import ASK
from .anthropic_wire import EVENTS, MESSAGE, AnthropicWire, error
from .conftest import Collected, Seen, watching
from .wire import Reply

OURS, THEIRS = "otel_llm_cost", "com.anthropic.sdk.python"


@pytest.fixture
def seen() -> Iterator[Seen]:
    """The Anthropic SDK instrumented for the length of a test."""
    with watching(AnthropicInstrumentor) as reported:
        yield reported


@pytest.fixture
def wire(seen: Seen) -> AnthropicWire:
    """A wire whose clients send the SDK's own spans where ours go."""
    made = AnthropicWire(Reply(MESSAGE))
    made.telemetry = seen.provider
    return made


def scopes(spans: list[ReadableSpan]) -> list[str]:
    """Who made each span."""
    return [span.instrumentation_scope.name for span in spans if span.instrumentation_scope]


def test_ours_stands(seen: Seen, wire: AnthropicWire) -> None:
    wire.client().messages.create(**ASK)
    assert scopes(seen.spans) == [OURS]


async def test_ours_stands_for_a_stream_and_an_error(seen: Seen) -> None:
    wire = AnthropicWire(Reply(EVENTS), error(400, "invalid_request_error"))
    wire.telemetry = seen.provider
    async with wire.async_client().messages.stream(**ASK) as stream:
        await stream.get_final_message()
    with pytest.raises(anthropic.BadRequestError):
        await wire.async_client().messages.create(**ASK)
    assert scopes(seen.spans) == [OURS, OURS]


def test_the_api_gets_the_trace_context_of_the_span_that_stands(seen: Seen, wire: AnthropicWire) -> None:
    sent: list[Any] = []
    client = wire.client()
    client._client.event_hooks["request"] = [lambda request: sent.append(request.headers.get("traceparent"))]
    client.messages.create(**ASK)
    context = seen.span.get_span_context()
    assert context is not None
    assert [header.rpartition("-")[0] for header in sent] == [f"00-{context.trace_id:032x}-{context.span_id:016x}"]


def test_a_program_that_wants_no_propagation_gets_none(seen: Seen, wire: AnthropicWire) -> None:
    sent: list[Any] = []
    client = wire.client(open_telemetry={"tracer_provider": seen.provider, "propagation": False})
    client._client.event_hooks["request"] = [lambda request: sent.append(request.headers.get("traceparent"))]
    client.messages.create(**ASK)
    assert (sent, scopes(seen.spans)) == ([None], [OURS])


def test_what_starts_within_the_call_is_its_child(seen: Seen, wire: AnthropicWire) -> None:
    client = wire.client()
    tracer = seen.provider.get_tracer("http")
    client._client.event_hooks["request"] = [lambda _request: tracer.start_span("POST").end()]
    client.messages.create(**ASK)
    child, call = seen.spans
    assert child.parent == call.get_span_context()


def test_the_conversation_given_to_the_sdk_is_kept(seen: Seen, wire: AnthropicWire) -> None:
    wire.client(open_telemetry={"tracer_provider": seen.provider, "conversation_id": "c-1"}).messages.create(**ASK)
    assert seen.attributes["gen_ai.conversation.id"] == "c-1"


def test_what_is_no_call_of_ours_keeps_the_sdks_span(seen: Seen) -> None:
    wire = AnthropicWire(Reply({"data": [], "has_more": False, "first_id": None, "last_id": None}))
    wire.telemetry = seen.provider
    wire.client().models.list()
    assert (scopes(seen.spans), seen.span.name) == ([THEIRS], "anthropic.models.list")


def test_switched_off_in_the_middle_the_sdks_stands_again(seen: Seen, wire: AnthropicWire) -> None:
    client = wire.client()
    client.messages.create(**ASK)
    AnthropicInstrumentor().uninstrument()
    client.messages.create(**ASK)
    AnthropicInstrumentor().instrument(tracer_provider=seen.provider)
    client.messages.create(**ASK)
    assert scopes(seen.spans) == [OURS, THEIRS, OURS]


def test_switched_off_while_a_stream_is_read_the_stream_still_has_one_span(seen: Seen) -> None:
    wire = AnthropicWire(Reply(EVENTS))
    wire.telemetry = seen.provider
    stream = wire.client().messages.create(**ASK, stream=True)
    AnthropicInstrumentor().uninstrument()
    list(stream)
    assert (scopes(seen.spans), seen.attributes["gen_ai.usage.output_tokens"]) == ([OURS], 45)


def test_a_call_that_is_suppressed_keeps_the_sdks_span(seen: Seen, wire: AnthropicWire) -> None:
    with suppress_instrumentation():  # which the SDK does not heed
        wire.client().messages.create(**ASK)
    assert scopes(seen.spans) == [THEIRS]


def test_where_nobody_receives_ours_the_sdks_stands() -> None:
    collected = Collected()
    theirs = TracerProvider()
    theirs.add_span_processor(collected)
    wire = AnthropicWire(Reply(MESSAGE))
    wire.telemetry = theirs
    AnthropicInstrumentor().instrument(tracer_provider=trace.NoOpTracerProvider())
    try:
        wire.client().messages.create(**ASK)
    finally:
        AnthropicInstrumentor().uninstrument()
    assert scopes(collected.spans) == [THEIRS]


def test_a_call_that_is_not_sampled_has_no_span_of_either() -> None:
    collected = Collected()
    provider = TracerProvider(sampler=ALWAYS_OFF)
    provider.add_span_processor(collected)
    wire = AnthropicWire(Reply(MESSAGE))
    wire.telemetry = provider
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    try:
        wire.client().messages.create(**ASK)
    finally:
        AnthropicInstrumentor().uninstrument()
    assert collected.spans == []


def test_the_names_we_wrap_are_there_and_are_put_back(seen: Seen) -> None:
    loaded = [(importlib.import_module(module), name) for module, name in TARGETS]
    assert all(hasattr(getattr(module, name), "__wrapped__") for module, name in loaded)
    AnthropicInstrumentor().uninstrument()
    assert not any(hasattr(getattr(module, name), "__wrapped__") for module, name in loaded)


def test_a_fault_of_ours_leaves_the_sdk_its_span(
    seen: Seen, wire: AnthropicWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")
    monkeypatch.setattr("otel_llm_cost.waists.anthropic_spans._stands", lambda _: 1 / 0)
    assert wire.client().messages.create(**ASK).id == "msg_1"
    assert sorted(scopes(seen.spans)) == [THEIRS, OURS]
