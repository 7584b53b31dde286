"""What of a conversation is reported: a fingerprint, and the rest only to who asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from otel_llm_cost.instrumentor import OpenAIInstrumentor

from .conftest import Seen, watching
from .ways import MESSAGES, RESPONSE_WAYS, Way, read_async, read_sync
from .wire import CHAT, CHAT_DELTAS, CHAT_EVENTS, Reply, Wire

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "system", "content": "Be brief."}, *MESSAGES]}
SYSTEM = {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}
SAID = [{"role": "user", "parts": [{"type": "text", "content": "Where?"}]}]
ANSWER = [{"role": "assistant", "parts": [{"type": "text", "content": '{"city": "Oslo"}'}], "finish_reason": "stop"}]


@contextmanager
def capturing(**settings: Any) -> Iterator[tuple[Seen, InMemoryLogRecordExporter]]:
    """The OpenAI SDK instrumented with these settings, with what is reported as spans and as events."""
    logs, records = LoggerProvider(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    logs.add_log_record_processor(SimpleLogRecordProcessor(records))
    with watching(OpenAIInstrumentor, logger_provider=logs, **settings) as seen:
        yield seen, records
    logs.shutdown()


def ask(stream: bool = False, events: Any = CHAT_EVENTS, **kw: Any) -> None:
    with Wire(Reply(events if stream else CHAT)).client() as client:
        how: dict[str, Any] = {**ASK, **kw, **({"stream": True} if stream else {})}
        result = client.chat.completions.create(**how)
        if stream:
            read_sync("stream", result)


def said_on(attributes: Any) -> tuple[Any, Any, Any]:
    names = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages")
    found = [attributes.get(name) for name in names]
    return tuple(json.loads(text) if text is not None else None for text in found)  # type: ignore[return-value]


ALL = (None, [SYSTEM, *SAID], ANSWER)
NONE = (None, None, None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("mode", "span", "event"),
    [
        (None, NONE, None),
        ("no_content", NONE, None),
        ("span_only", ALL, None),
        ("event_only", NONE, ALL),
        ("span_and_event", ALL, ALL),
        ("SPAN_AND_EVENT", ALL, ALL),
    ],
)
def test_content_goes_where_the_user_wants_it(
    mode: str | None, span: Any, event: Any, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", mode)
    with capturing() as (seen, records):
        ask(stream)
    assert said_on(seen.attributes) == span
    logged = [record.log_record for record in records.get_finished_logs()]
    assert [said_on(record.attributes) for record in logged] == ([event] if event else [])
    for record in logged:
        assert record.event_name == "gen_ai.client.inference.operation.details"
        assert record.span_id == seen.span.context.span_id
        assert dict(record.attributes or {})["gen_ai.usage.input_tokens"] == 120


def test_a_mode_that_is_none_is_named_and_nothing_is_captured(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "evrything")
    with capturing() as (seen, _):
        ask()
    assert said_on(seen.attributes) == NONE
    assert "span_and_event" in caplog.text


def test_a_stream_that_was_cut_shows_what_was_said_until_then() -> None:
    with capturing(capture_content="span_only") as (seen, _):
        ask(stream=True, events=[*CHAT_DELTAS[:2]])
    (answer,) = said_on(seen.attributes)[2]
    assert answer["parts"] == [{"type": "text", "content": '{"city":'}]
    assert answer["finish_reason"] == "broken"


@pytest.mark.parametrize("way", RESPONSE_WAYS, ids=lambda way: way.name)
async def test_responses_show_what_was_said_whichever_way_they_are_read(way: Way) -> None:
    with capturing(capture_content="span_only") as (seen, _):
        async with Wire(Reply(way.body)).async_client() as client:
            await read_async(way.read, way.call(client))
    _, asked, answered = said_on(seen.attributes)
    assert asked == SAID
    parts = [part for message in answered for part in message["parts"]]
    assert {"type": "text", "content": '{"city": "Oslo"}'} in parts


def test_texts_are_redacted_and_then_cut() -> None:
    settings = {"capture_content": "span_only", "content_max_length": 9, "redact": lambda t: t.replace("42", "[card]")}
    with capturing(**settings) as (seen, _):
        ask(messages=[{"role": "user", "content": "card 42 and more"}])
    _, asked, _ = said_on(seen.attributes)
    assert asked[0]["parts"] == [{"type": "text", "content": "card [car… [20 characters]"}]
    assert "42" not in json.dumps(asked)


def test_what_cannot_be_redacted_is_withheld(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("OTEL_LLM_COST_STRICT")

    def redact(_text: str) -> str:
        raise ZeroDivisionError("a secret")

    with capturing(capture_content="span_only", redact=redact) as (seen, _):
        ask()
    assert "Where?" not in json.dumps(seen.attributes)
    assert "withheld" in seen.attributes["gen_ai.input.messages"]
    assert "a secret" not in caplog.text


def test_without_the_redaction_that_was_asked_for_nothing_is_captured(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_LLM_COST_REDACT", "no_such_module:redact")
    with capturing(capture_content="span_and_event") as (seen, records):
        ask()
    assert said_on(seen.attributes) == NONE
    assert not records.get_finished_logs()
    assert "no_such_module:redact" in caplog.text


def test_equal_prompts_have_equal_fingerprints_and_nothing_of_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for text in ("Where is it?", "where  IS it?", "What is it?"):
        with capturing() as (seen, _):
            ask(messages=[{"role": "user", "content": text}])
        found.append(seen.attributes["llm_cost.prompt.fingerprint"])
        assert text not in json.dumps(seen.attributes)
    assert found[0] == found[1] != found[2]
    monkeypatch.setenv("OTEL_LLM_COST_PROMPT_FINGERPRINT", "false")
    with capturing() as (seen, _):
        ask()
    assert "llm_cost.prompt.fingerprint" not in seen.attributes


def test_messages_that_can_be_read_only_once_are_left_to_the_sdk() -> None:
    with capturing(capture_content="span_only") as (seen, _):
        wire = Wire(Reply(CHAT))
        with wire.client() as client:
            once: Any = (message for message in MESSAGES)
            client.chat.completions.create(model="gpt-4o", messages=once)
    assert wire.sent[0]["messages"] == MESSAGES
    assert said_on(seen.attributes)[1] in (SAID, [])  # the SDK may have made a list of them before we look


def test_an_embedding_is_computed_apart_from_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setenv("OTEL_LLM_COST_PROMPT_EMBEDDING", "hashing")
    vectors = []
    for text in ("Where is my order, please?", "Where is my order?", "Wie backt man Brot"):
        with capturing() as (seen, _):
            ask(messages=[{"role": "user", "content": text}])
            (span,) = seen.collected.wait()
        attributes = dict(span.attributes or {})
        vectors.append(attributes["llm_cost.prompt.embedding"])
        assert attributes["llm_cost.prompt.embedding_model"] == "otel_llm_cost.embedding:hashing"

    def likeness(one: Any, other: Any) -> float:
        return float(sum(a * b for a, b in zip(one, other, strict=True)))

    assert likeness(vectors[0], vectors[1]) > 0.6 > likeness(vectors[0], vectors[2])


def test_an_embedder_of_ones_own() -> None:
    with capturing(embed=lambda text: [float(len(text)), 1.0]) as (seen, _):
        ask(messages=MESSAGES)
        (span,) = seen.collected.wait()
    assert dict(span.attributes or {})["llm_cost.prompt.embedding"] == (6.0, 1.0)
