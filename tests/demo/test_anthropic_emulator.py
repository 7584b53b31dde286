"""The emulator as Anthropic's SDK sees it, with no instrumentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel

from otel_llm_cost_exporter.demo import prose
from otel_llm_cost_exporter.demo.anthropic import answer
from otel_llm_cost_exporter.demo.reply import Ask, Memory

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types import Message, MessageParam, TextBlockParam

    from otel_llm_cost_exporter.demo.emulator import Emulator

HAIKU = "claude-haiku-4-5"
ASK: list[MessageParam] = [{"role": "user", "content": "Why does the brake squeal?"}]
SEARCH: Any = {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}


def message(client: Anthropic, model: str = HAIKU, **more: Any) -> Message:
    options: dict[str, Any] = {"max_tokens": 500, "messages": ASK, **more}
    made: Message = client.messages.create(model=model, **options)
    return made


def long(words: int, ttl: str) -> TextBlockParam:
    return {"type": "text", "text": "word " * words, "cache_control": {"type": "ephemeral", "ttl": ttl}}  # type: ignore[typeddict-item]


class Repair(BaseModel):
    part: str
    hours: int


def test_a_whole_answer_has_a_snapshot_a_tier_and_input_without_the_cache(
    claude: Anthropic, emulator: Emulator
) -> None:
    made = message(claude)
    assert (made.model, made.stop_reason, made.usage.service_tier) == (
        "claude-haiku-4-5-20251001",
        "end_turn",
        "standard",
    )
    assert made._request_id
    assert made.content[0].type == "text"
    assert made.usage.output_tokens == prose.tokens(made.content[0].text)
    assert made.usage.input_tokens == 2 + prose.tokens("Why does the brake squeal?")
    (entry,) = emulator.ledger
    assert (entry.vendor, entry.operation, entry.model, entry.response_id) == ("anthropic", "chat", HAIKU, made.id)


def test_a_stream_equals_its_whole_and_begins_with_a_placeholder(claude: Anthropic, emulator: Emulator) -> None:
    with claude.messages.stream(model=HAIKU, max_tokens=500, messages=ASK, tools=[SEARCH]) as stream:
        events = list(stream)
        final = stream.get_final_message()
    whole = message(claude, tools=[SEARCH])
    start = next(event for event in events if event.type == "message_start")
    assert start.message.usage.output_tokens == 1
    assert start.message.usage.input_tokens < final.usage.input_tokens  # what was found is added later
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens
    assert [block.type for block in final.content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert final.usage.server_tool_use == whole.usage.server_tool_use
    assert final.usage.server_tool_use is not None
    assert final.usage.server_tool_use.web_search_requests == 1
    streamed, plain = emulator.ledger
    assert (streamed.stream, plain.stream) == (True, False)
    assert streamed.usage == plain.usage


def test_raw_events_come_in_the_documented_order(claude: Anthropic) -> None:
    stream = claude.messages.create(
        model=HAIKU, max_tokens=500, messages=ASK, stream=True, thinking={"type": "adaptive"}
    )
    kinds = [event.type for event in stream]
    assert (kinds[0], kinds[1]) == ("message_start", "content_block_start")
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 2
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_the_cache_is_written_for_an_hour_or_five_minutes_and_then_read(claude: Anthropic, emulator: Emulator) -> None:
    system = [long(1500, "1h")]
    turn: MessageParam = {"role": "user", "content": [long(20, "5m")]}
    first = message(claude, system=system, messages=[turn]).usage
    assert first.cache_creation is not None
    assert first.cache_creation.ephemeral_1h_input_tokens == 1500
    assert first.cache_creation.ephemeral_5m_input_tokens == 22
    assert (first.cache_read_input_tokens, first.input_tokens) == (0, 0)
    second = message(claude, system=system).usage
    assert (second.cache_read_input_tokens, second.cache_creation_input_tokens) == (1500, 0)
    assert second.input_tokens == 8
    written, read = (entry.usage for entry in emulator.ledger)
    assert written is not None
    assert (written.input_tokens, written.cache_write_1h_input_tokens, written.cache_write_5m_input_tokens) == (
        1522,
        1500,
        22,
    )
    assert read is not None
    assert (read.input_tokens, read.cache_read_input_tokens) == (1508, 1500)


def test_short_prefixes_and_other_models_do_not_share_the_cache(claude: Anthropic) -> None:
    for _ in range(2):
        usage = message(claude, system=[long(100, "1h")]).usage
        assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (0, 0)
    message(claude, system=[long(1500, "1h")])
    assert message(claude, "claude-haiku-5-5", system=[long(1500, "1h")]).usage.cache_read_input_tokens == 0


@pytest.mark.parametrize(
    ("ttl", "after", "read"), [("5m", 299, 1500), ("5m", 301, 0), ("1h", 3599, 1500), ("1h", 3601, 0)]
)
def test_what_is_cached_expires(ttl: str, after: int, read: int) -> None:
    body = {"model": HAIKU, "max_tokens": 9, "system": [long(1500, ttl)], "messages": ASK}
    first = answer(Ask(path="/v1/messages", body=body, created=1000))
    later = Ask(path="/v1/messages", body=body, created=1000 + after, memory=Memory(prefixes=first.prefixes))
    assert json.loads(answer(later).body)["usage"]["cache_read_input_tokens"] == read


def test_thoughts_are_part_of_the_output(claude: Anthropic) -> None:
    made = message(claude, "claude-opus-5-5", thinking={"type": "adaptive"})
    details = made.usage.output_tokens_details
    assert details is not None
    assert made.content[0].type == "thinking"
    assert made.content[1].type == "text"
    assert made.usage.output_tokens == details.thinking_tokens + prose.tokens(made.content[1].text)
    budget = {"type": "enabled", "budget_tokens": 40}
    bounded = message(claude, thinking=budget).usage.output_tokens_details
    assert bounded is not None
    assert bounded.thinking_tokens == 40


def test_structured_answers_and_demanded_tools_fit_their_schemas(claude: Anthropic) -> None:
    parsed = claude.messages.parse(model=HAIKU, max_tokens=500, messages=ASK, output_format=Repair)
    assert isinstance(parsed.parsed_output, Repair)
    tool: Any = {"name": "open_repair", "input_schema": Repair.model_json_schema()}
    demanded: Any = {"tools": [tool], "tool_choice": {"type": "any"}}
    with claude.messages.stream(model=HAIKU, max_tokens=99, messages=ASK, **demanded) as stream:
        streamed = stream.get_final_message()
    for made in (streamed, message(claude, **demanded)):
        assert made.stop_reason == "tool_use"
        assert made.content[-1].type == "tool_use"
        assert Repair.model_validate(made.content[-1].input)


def test_an_answer_is_cut_at_the_limit(claude: Anthropic) -> None:
    made = message(claude, max_tokens=5)
    assert (made.stop_reason, made.usage.output_tokens) == ("max_tokens", 5)


def test_counting_tokens_tells_what_a_message_would_cost_and_bills_nothing(
    claude: Anthropic, emulator: Emulator
) -> None:
    counted = claude.messages.count_tokens(model=HAIKU, messages=ASK)
    assert counted.input_tokens == message(claude).usage.input_tokens
    assert [(entry.operation, entry.usage is None) for entry in emulator.ledger] == [
        ("count_tokens", True),
        ("chat", False),
    ]


def test_a_batch_is_run_and_its_lines_are_in_the_ledger(claude: Anthropic, emulator: Emulator) -> None:
    models = (HAIKU, "claude-nowhere", "claude-opus-5-5")
    asked: Any = [
        {"custom_id": model, "params": {"model": model, "max_tokens": 50, "messages": ASK}} for model in models
    ]
    begun = claude.messages.batches.create(requests=asked)
    assert begun.processing_status == "in_progress"
    ended = claude.messages.batches.retrieve(begun.id)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.errored) == ("ended", 2, 1)
    results = {line.custom_id: line.result for line in claude.messages.batches.results(begun.id)}
    made = results[HAIKU]
    assert made.type == "succeeded"
    assert made.message.usage.service_tier == "batch"
    failed = results["claude-nowhere"]
    assert failed.type == "errored"
    assert failed.error.error.type == "not_found_error"
    lines = [entry for entry in emulator.ledger if entry.batch]
    assert [(entry.operation, entry.model) for entry in lines] == [
        ("chat", "claude-haiku-4-5-20251001"),
        ("chat", "claude-opus-5-5"),
    ]
    assert lines[0].response_id == made.message.id
    assert {entry.operation for entry in emulator.ledger if not entry.batch} == {""}


@pytest.mark.parametrize(
    ("script", "status", "kind"),
    [
        ("auth", 401, "authentication_error"),
        ("bad-request", 400, "invalid_request_error"),
        ("not-found", 404, "not_found_error"),
        ("quota", 402, "billing_error"),
        ("overloaded", 529, "overloaded_error"),
    ],
)
def test_refusals_are_in_anthropics_words(claude: Anthropic, script: str, status: int, kind: str) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        message(claude, f"{HAIKU}@{script}")
    assert (caught.value.status_code, caught.value.type) == (status, kind)


@pytest.mark.parametrize(("script", "refused"), [("rate-limit", 429), ("server-error", 500)])
def test_a_refused_first_try_is_served_when_tried_again(
    claude: Anthropic, emulator: Emulator, script: str, refused: int
) -> None:
    message(claude, f"{HAIKU}@{script}")
    assert [(entry.attempt, entry.status) for entry in emulator.ledger] == [(0, refused), (1, 200)]


def test_what_anthropic_refuses_is_refused(claude: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="claude-haikuu"):
        message(claude, "claude-haikuu")
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        message(claude, messages=[])
    assert answer(Ask(path="/v1/messages", body={"model": HAIKU, "messages": ASK})).status == 400


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("error-event", anthropic.APIStatusError),
        ("cut", httpx2.RemoteProtocolError),
        ("malformed", json.JSONDecodeError),
    ],
)
def test_a_stream_can_break(claude: Anthropic, emulator: Emulator, script: str, error: type[Exception]) -> None:
    stream = message(claude, f"{HAIKU}@{script}", stream=True)
    with pytest.raises(error):
        list(stream)
    assert emulator.ledger[0].usage is None
