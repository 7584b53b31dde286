"""Anthropic's wire as pure functions: a stream is its whole answer, words are found, odd input is no fault."""

from __future__ import annotations

import json
from functools import reduce
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost.content import assembled, texts
from otel_llm_cost.provider import Wire
from otel_llm_cost.providers import anthropic
from otel_llm_cost.record import NOTHING, Request, fold
from tests.instrumentation.anthropic_ways import ASK
from tests.instrumentation.anthropic_wire import EVENTS, MESSAGE, RESULTS, START, TOOL_CALL, delta, error_body

CHAT = Request(operation="chat")
_NAMES = (
    *("type", "message", "delta", "usage", "input_tokens", "output_tokens", "cache_creation", "iterations"),
    *("cache_read_input_tokens", "server_tool_use", "error", "content", "content_block", "index", "text", "id"),
    *("result", "input", "source", "system", "messages", "stop_sequences", "output_config"),
)
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("compaction"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "message",
                    "delta",
                    "usage",
                    "input_tokens",
                    "output_tokens",
                    "cache_creation",
                    "cache_read_input_tokens",
                    "iterations",
                    "server_tool_use",
                    "error",
                    "content",
                    "content_block",
                    "index",
                    "text",
                    "id",
                    "result",
                    "input",
                    "source",
                    "system",
                    "messages",
                ]
            ),
            inner | st.sampled_from(["message_start", "message_delta", "error", "content_block_start", "succeeded"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


def wire(**fields: Any) -> Wire:
    """A request to the Messages API."""
    base = {"method": "POST", "path": "/v1/messages", "body": ASK, "host": "api.anthropic.com", "port": None}
    return Wire(**{**base, "client": "Anthropic", **fields})


def test_a_stream_is_its_whole_answer() -> None:
    parts = [anthropic.chunk(event, CHAT) for event in EVENTS]
    assert reduce(fold, parts, NOTHING) == anthropic.response(MESSAGE, CHAT)


def test_dull_events_hold_nothing_and_the_others_are_not_dull() -> None:
    for event in EVENTS:
        data = json.dumps(event, separators=(",", ":")).encode()
        if anthropic.dull(data, CHAT):
            assert anthropic.chunk(event, CHAT) is NOTHING
    assert not anthropic.dull(json.dumps(error_body("x")).encode(), CHAT)
    assert anthropic.dull(json.dumps(delta(0, type="text_delta", text='"error": "error"')).encode(), CHAT)


@given(ODD)
def test_odd_input_is_no_fault(odd: Any) -> None:
    anthropic.response(odd, CHAT)
    anthropic.chunk(odd, CHAT)
    anthropic.results(odd, CHAT)
    anthropic.answer(odd)
    anthropic.said(odd)
    anthropic.error(type("E", (Exception,), {})(odd))
    if isinstance(odd, dict):
        anthropic.request(wire(body=odd))
        list(texts(anthropic.prompt(odd)))


@pytest.mark.parametrize("path", ["/v1/messages", "v1/messages/", "/v1/messages/count_tokens", "/v1/complete"])
def test_calls(path: str) -> None:
    assert anthropic.request(wire(path=path)) is not None
    assert anthropic.request(wire(path=path, method="GET")) is None


@pytest.mark.parametrize(
    "path", ["/v1/messages/batches", "/v1/models", "/v1/files", "/v1/sessions/s/messages", "/v1/messages/batches/b"]
)
def test_what_is_no_call(path: str) -> None:
    assert anthropic.request(wire(path=path)) is None
    assert anthropic.download(wire(path=path, method="GET")) is None


def test_the_users_name_for_a_host_wins() -> None:
    named = anthropic.request(wire(host="gateway.corp"), "anthropic")
    assert named is not None
    assert named.provider == "anthropic"
    download = anthropic.download(wire(method="GET", path="/v1/messages/batches/b/results"), "x")
    assert download is not None
    assert (download.provider, download.batch) == ("x", True)


def test_a_canceled_result_was_never_made() -> None:
    (result,) = anthropic.results({"custom_id": "x", "result": {"type": "canceled"}}, CHAT)
    assert result.response.error is not None
    assert (result.response.usage, result.response.error.error_class) == (None, "cancelled")
    assert anthropic.results({"custom_id": "x", "result": {"type": "new"}}, CHAT) == []
    assert len(anthropic.results(RESULTS[0], CHAT)) == 1


@pytest.mark.parametrize(
    ("body", "kind", "error_class"),
    [
        (error_body("overloaded_error"), "overloaded_error", "overloaded"),
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, "RESOURCE_EXHAUSTED", "rate_limit"),
        ([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], "RESOURCE_EXHAUSTED", "rate_limit"),
        ({"message": "Too many requests"}, "Failed", "rate_limit"),
        (error_body("billing_error"), "billing_error", "quota"),
        ("<html>", "Failed", "rate_limit"),
        (None, "Failed", "rate_limit"),
    ],
)
def test_errors_of_every_cloud(body: Any, kind: str, error_class: str) -> None:
    class Failed(Exception):
        pass

    raised = Failed("secret")
    vars(raised).update(status_code=429, body=body)
    assert anthropic.error(raised) == (kind, error_class, 429)


# -- words


def test_a_stream_says_what_its_whole_answer_says() -> None:
    pieces = [piece for event in EVENTS for piece in anthropic.said(event)]
    whole = anthropic.answer(MESSAGE)
    assert assembled(pieces, "end_turn") == whole
    assert whole == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "North."},
                {"type": "text", "content": '{"city": "Oslo"}'},
            ],
            "finish_reason": "end_turn",
        }
    ]


def test_a_streamed_tool_call_is_put_together() -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    events = [
        START,
        {"type": "content_block_start", "index": 0, "content_block": block},
        delta(0, type="input_json_delta", partial_json='{"city":'),
        delta(0, type="input_json_delta", partial_json=' "Oslo"}'),
    ]
    pieces = [piece for event in events for piece in anthropic.said(event)]
    assert assembled(pieces, "tool_use") == anthropic.answer(TOOL_CALL)


def test_every_block_of_a_prompt() -> None:
    png = {"type": "base64", "media_type": "image/png", "data": "SECRETBYTES"}
    body = {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Where?"},
            SimpleNamespace(role="assistant", content=MESSAGE["content"]),
            {"role": "assistant", "content": TOOL_CALL["content"]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [{"type": "text", "text": "Rain"}, {"type": "image", "source": png}],
                    },
                    {"type": "image", "source": png},
                    {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                    {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                    {"type": "document", "source": {"type": "text", "data": "A page.", "media_type": "text/plain"}},
                    {"type": "search_result", "content": [{"type": "text", "text": "Found."}], "source": "s"},
                    {"type": "redacted_thinking", "data": "x"},
                ],
            },
        ],
    }
    told = anthropic.prompt(body)
    assert told.system == [{"type": "text", "content": "Be brief."}]
    assert [message["role"] for message in told.messages] == ["user", "assistant", "assistant", "user"]
    assert told.messages[2]["parts"] == [
        {"type": "tool_call", "id": "toolu_1", "name": "weather", "arguments": '{"city": "Oslo"}'}
    ]
    assert told.messages[3]["parts"] == [
        {"type": "tool_call_response", "id": "toolu_1", "response": "Rain"},
        {"type": "blob", "modality": "image", "mime_type": "image/png"},
        {"type": "uri", "modality": "image", "mime_type": None, "uri": "https://x/y.png"},
        {"type": "file", "modality": "document", "file_id": "file_1"},
        {"type": "text", "content": "A page."},
        {"type": "text", "content": "Found."},
    ]
    assert "SECRETBYTES" not in str(told)
    assert list(texts(told)) == ["Be brief.", "Where?", "North.", '{"city": "Oslo"}', "Rain", "A page.", "Found."]


def test_an_iterator_of_messages_is_left_to_the_sdk() -> None:
    messages = iter([{"role": "user", "content": "Where?"}])
    assert anthropic.prompt({"messages": messages}).messages == []
    assert next(messages)["content"] == "Where?"


def test_a_legacy_completion_is_said() -> None:
    told = {"type": "completion", "completion": " Oslo", "stop_reason": "stop_sequence"}
    assert anthropic.prompt({"prompt": "Where?"}).messages[0]["parts"] == [{"type": "text", "content": "Where?"}]
    assert anthropic.answer(told) == assembled(anthropic.said(told), "stop_sequence")
