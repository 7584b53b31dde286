"""Attributes as the peers themselves wrote them, made small: `tests/dialects` runs the peers and found them so."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Call, Usage
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import Arrived, decode
from otel_llm_cost_exporter.dedupe import Window
from otel_llm_cost_exporter.dialects import FOREIGN, OURS, SIGNS, normalise
from otel_llm_cost_exporter.rows import PricedCall, to_columns

from .otlp import request, span

ANTHROPIC_SAYS = {
    "input_tokens": 9,
    "output_tokens": 30,
    "cache_read_input_tokens": 1500,
    "cache_creation_input_tokens": 400,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 300},
    "output_tokens_details": {"thinking_tokens": 12},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    "service_tier": "standard",
    "inference_geo": "global",
}
ANTHROPIC_USED = Usage(
    input_tokens=1909,
    output_tokens=30,
    cache_read_input_tokens=1500,
    cache_write_input_tokens=400,
    cache_write_5m_input_tokens=100,
    cache_write_1h_input_tokens=300,
    reasoning_output_tokens=12,
    web_search_requests=2,
)
CHAT_SAYS = {
    "prompt_tokens": 2001,
    "completion_tokens": 206,
    "total_tokens": 2207,
    "prompt_tokens_details": {"audio_tokens": 40, "cached_tokens": 1920},
    "completion_tokens_details": {"audio_tokens": 0, "reasoning_tokens": 192, "rejected_prediction_tokens": 0},
}
RESPONSE_SAYS = {
    "input_tokens": 2001,
    "input_tokens_details": {"cached_tokens": 1920, "audio_tokens": 40},
    "output_tokens": 206,
    "output_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0},
    "total_tokens": 2207,
}
OPENAI_USED = Usage(
    input_tokens=2001,
    output_tokens=206,
    cache_read_input_tokens=1920,
    reasoning_output_tokens=192,
    audio_input_tokens=40,
    audio_output_tokens=0,
)
GOOGLE_SAYS = {
    "promptTokenCount": 585,
    "candidatesTokenCount": 33,
    "thoughtsTokenCount": 229,
    "toolUsePromptTokenCount": 420,
    "cachedContentTokenCount": 7,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 320}, {"modality": "TEXT", "tokenCount": 265}],
    "totalTokenCount": 1267,
}
GOOGLE_USED = Usage(
    input_tokens=1005,
    output_tokens=262,
    cache_read_input_tokens=7,
    reasoning_output_tokens=229,
    audio_input_tokens=320,
    text_input_tokens=265,
    tool_use_input_tokens=420,
)
LOGFIRE = {"logfire.span_type": "span", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
LANGFUSE = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-2024-08-06"}


def told(attributes: dict[str, Any], scope: str, name: str = "", **fields: Any) -> list[Arrived]:
    return decode(request(span(attributes, name=name, **fields), scope=scope), time.time_ns()).calls


def call(attributes: dict[str, Any], scope: str, name: str = "", **fields: Any) -> Call:
    (arrived,) = told(attributes, scope, name, **fields)
    assert (arrived.problems, arrived.bad_usage) == ((), False)
    return arrived.call


def used(attributes: dict[str, Any], scope: str, name: str = "") -> Usage | None:
    return call(attributes, scope, name).response.usage


@pytest.mark.parametrize(
    ("says", "means"),
    [
        (ANTHROPIC_SAYS, ANTHROPIC_USED),
        (CHAT_SAYS, OPENAI_USED),
        (RESPONSE_SAYS, OPENAI_USED),
        (GOOGLE_SAYS, GOOGLE_USED),
    ],
    ids=["Anthropic", "OpenAI chat", "OpenAI responses", "Google"],
)
def test_the_vendors_own_usage_is_read_wherever_it_stands(says: dict[str, Any], means: Usage) -> None:
    raw = json.dumps(says)
    assert used(LOGFIRE | {"gen_ai.usage.raw": raw, "gen_ai.usage.input_tokens": 9}, "logfire.openai") == means
    assert used(LOGFIRE | {"response_data": json.dumps({"usage": says})}, "logfire.anthropic") == means
    assert used(LANGFUSE | {"langfuse.observation.usage_details": raw}, "langfuse-sdk") == means


@pytest.mark.parametrize(
    ("scope", "body", "facts"),
    [
        (
            "anthropic",
            {"type": "message", "id": "msg_1", "model": "claude-opus-4-5-20251101", "stop_reason": "end_turn"}
            | {"usage": ANTHROPIC_SAYS},
            ("msg_1", "claude-opus-4-5-20251101", "standard", "end_turn", ANTHROPIC_USED),
        ),
        (
            "openai",
            {"object": "chat.completion", "id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "service_tier": "priority"}
            | {"choices": [{"index": 0, "finish_reason": "stop"}], "usage": CHAT_SAYS},
            ("chatcmpl-1", "gpt-4o-2024-08-06", "priority", "stop", OPENAI_USED),
        ),
        (
            "openai",
            {
                "object": "response",
                "id": "resp_1",
                "model": "gpt-5-mini",
                "service_tier": "flex",
                "usage": RESPONSE_SAYS,
            }
            | {"status": "completed", "output": [{"type": "web_search_call"}, {"type": "message"}]},
            ("resp_1", "gpt-5-mini", "flex", "stop", OPENAI_USED._replace(web_search_requests=1)),
        ),
        (
            "google_genai",
            {"candidates": [{"finish_reason": "STOP", "grounding_metadata": {"web_search_queries": ["a", "b"]}}]}
            | {"response_id": "r1", "model_version": "gemini-2.5-flash", "usage_metadata": GOOGLE_SAYS},
            ("r1", "gemini-2.5-flash", None, "STOP", GOOGLE_USED._replace(grounding_requests=2)),
        ),
    ],
)
def test_openinference_keeps_the_whole_answer(scope: str, body: dict[str, Any], facts: tuple[Any, ...]) -> None:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.system": scope.partition("_")[0],
        "llm.model_name": "the model",
        "llm.token_count.prompt": 9,
        "llm.invocation_parameters": json.dumps({"model": "asked", "service_tier": "flex", "stream": True}),
        "output.mime_type": "application/json",
        "output.value": json.dumps(body),
    }
    found = call(attributes, f"openinference.instrumentation.{scope}")
    response = found.response
    (reason,) = response.finish_reasons or ()
    assert (response.id, response.model, response.service_tier, reason[1], response.usage) == facts
    assert (found.request.model, found.request.service_tier, found.request.stream) == ("asked", "flex", True)


def test_openinference_says_which_model_was_asked_where_nothing_came_back() -> None:
    attributes = {"openinference.span.kind": "LLM", "llm.model_name": "claude-opus-4-5", "llm.provider": "anthropic"}
    failed = call(attributes, "openinference.instrumentation.anthropic", status={"code": 2})
    assert (failed.request.model, failed.response.model) == ("claude-opus-4-5", None)


def test_openlit_writes_bare_counts() -> None:
    anthropic = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.usage.cache_creation.input_tokens": 3,
        "gen_ai.usage.output_tokens": 66,
    }
    assert used(anthropic, "openlit.instrumentation.anthropic") == Usage(
        input_tokens=17, output_tokens=66, cache_read_input_tokens=5, cache_write_input_tokens=3
    )
    google = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gemini",
        "gen_ai.response.finish_reasons": ["FinishReason.STOP"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 300,
        "gen_ai.usage.reasoning_tokens": 267,
    }
    found = call(google, "openlit.instrumentation.google_ai_studio")
    assert found.response.usage == Usage(input_tokens=7, output_tokens=567, reasoning_output_tokens=267)
    assert (found.request.operation, found.request.provider) == ("generate_content", "gcp.gemini")
    assert found.response.finish_reasons == ((0, "STOP"),)


def test_openlit_counts_by_itself_what_nobody_told() -> None:
    stream = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 17,
        "gen_ai.usage.output_tokens": 113,
    }
    guessed, told_so = (used(stream | more, "openlit.instrumentation.openai") for more in ({}, {_CACHE_READ: 0}))
    assert guessed is not None
    assert (guessed.estimated, guessed.estimated_counts) == (True, ("input_tokens", "output_tokens"))
    assert told_so is not None
    assert told_so.estimated is None


_CACHE_READ = "gen_ai.usage.cache_read.input_tokens"


def test_openlit_may_say_no_more_of_a_failure_than_its_name() -> None:
    failed = call({}, "openlit.instrumentation.anthropic", "chat claude-opus-4-5", status={"code": 2})
    request_ = failed.request
    assert (request_.operation, request_.provider, request_.model) == ("chat", "anthropic", "claude-opus-4-5")
    assert failed.error is not None
    assert told({}, "openlit.instrumentation.chroma", "chroma.query collection") == []


def test_openllmetry_leaves_googles_thoughts_to_the_total() -> None:
    attributes = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.gen_ai",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 33,
        "gen_ai.usage.total_tokens": 269,
    }
    usage = used(attributes, "opentelemetry.instrumentation.google_generativeai")
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_output_tokens) == (7, 262, 229)
    assert usage.estimated  # tools may have brought some of it in


def test_openllmetry_adds_a_placeholder_to_anthropics_streams() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.input_tokens": 1994,
        "gen_ai.usage.output_tokens": 13,
    }
    scope = "opentelemetry.instrumentation.anthropic"
    whole, stream = used(attributes, scope), used(attributes | {"gen_ai.is_streaming": True}, scope)
    assert whole is not None
    assert stream is not None
    assert (whole.estimated, stream.estimated_counts) == (None, ("output_tokens",))


def test_logfire_tells_a_stream_at_its_end() -> None:
    opening = LOGFIRE | {"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o"}
    log = opening | {"logfire.span_type": "log", "duration": 1.5, "gen_ai.usage.raw": json.dumps(CHAT_SAYS)}
    assert told(opening, "logfire.openai") == []
    assert told(LOGFIRE | {"logfire.span_type": "pending_span"}, "logfire.openai") == []
    end = time.time_ns()
    (arrived,) = told(log, "logfire.openai", start_time_unix_nano=end, end_time_unix_nano=end)
    assert (arrived.start_ns, arrived.duration_ns) == (end - 1_500_000_000, 1_500_000_000)
    assert arrived.call.request.stream
    failed = call(opening | {"logfire.level_num": 17}, "logfire.openai", status={"code": 2})
    assert (failed.request.model, failed.response.model) == ("gpt-4o", None)


def test_a_stream_that_logfire_and_the_anthropic_sdk_tell_is_billed_once() -> None:
    usage = {"gen_ai.usage.input_tokens": 1994, "gen_ai.usage.output_tokens": 27}
    named = {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-opus-4-5"} | usage
    end = time.time_ns()
    sdk = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "msg_1"} | named
    log = {"logfire.span_type": "log", "duration": 0.5, "gen_ai.operation.name": "chat"} | named
    window = Window()
    first = told(sdk, "com.anthropic.sdk.python", start_time_unix_nano=end - 10**9, end_time_unix_nano=end - 10**6)
    window.remember(window.judge(first).kept)
    second = told(log, "logfire.anthropic", start_time_unix_nano=end, end_time_unix_nano=end)
    assert [reason for _, reason in window.judge(second).kept] == ["duplicate_call"]


def test_langfuse_has_names_of_its_own() -> None:
    attributes = LANGFUSE | {
        "langfuse.observation.usage_details": json.dumps(CHAT_SAYS),
        "langfuse.observation.cost_details": '{"total": 0.0025}',
        "langfuse.observation.model.parameters": '{"temperature": 1, "max_tokens": "Infinity", "service_tier": "flex"}',
        "langfuse.observation.metadata.finish_reason": '"stop"',
        "langfuse.observation.completion_start_time": '"2026-11-21T03:13:13.578575Z"',
        "langfuse.observation.prompt.name": "greeting",
        "langfuse.observation.prompt.version": 3,
        "user.id": "u",
    }
    found = call(attributes, "langfuse-sdk", "OpenAI-generation")
    asked, response = found.request, found.response
    assert (asked.operation, asked.provider, asked.stream) == ("chat", "openai", True)
    assert (asked.prompt_name, asked.prompt_version, found.tags.user) == ("greeting", "3", "u")
    assert (response.model, response.service_tier, response.stated_cost) == ("gpt-4o-2024-08-06", "flex", "0.0025")
    assert (response.finish_reasons, response.usage) == (((0, "stop"),), OPENAI_USED)


def test_langfuse_is_known_to_stand_before_openai_by_name_or_by_what_was_asked() -> None:
    asked = {"langfuse.observation.model.parameters": '{"max_tokens":9,"frequency_penalty":0,"presence_penalty":0}'}
    providers = [
        call(LANGFUSE | more, "langfuse-sdk", name).request.provider
        for more, name in (({}, "OpenAI-generation"), (asked, "my own"), ({}, "my own"))
    ]
    assert providers == ["openai", "openai", None]


@pytest.mark.parametrize(
    "details",
    [
        {"input": 81, "input_cached_tokens": 1920, "output": 14, "output_reasoning_tokens": 192, "total": 2207},
        {"input": 81, "cache_read_input_tokens": 1920, "output": 14, "output_reasoning": 192, "input_priority": 5},
    ],
)
def test_langfuses_own_counts_are_exclusive(details: dict[str, int]) -> None:
    usage = used(LANGFUSE | {"langfuse.observation.usage_details": json.dumps(details)}, "langfuse-sdk")
    assert usage == Usage(
        input_tokens=2001, output_tokens=206, cache_read_input_tokens=1920, reasoning_output_tokens=192
    )


@pytest.mark.parametrize("kind", ["span", "agent", "tool", "chain", "evaluator", "event"])
def test_what_langfuse_observes_beside_calls_is_no_call(kind: str) -> None:
    assert told({"langfuse.observation.type": kind, "langfuse.observation.input": "{}"}, "langfuse-sdk") == []


def test_pydantic_ai_is_read_in_full() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "google",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.client.operation.time_to_first_chunk": 0.43,
        "gen_ai.usage.details.thoughts_tokens": 124,
        "gen_ai.usage.details.ephemeral_1h_input_tokens": 0,
        "gen_ai.usage.input_tokens": 1990,
        "gen_ai.usage.output_tokens": 182,
        "operation.cost": 0.0005147,
    }
    found = call(attributes, "pydantic-ai")
    assert found.response.usage == Usage(input_tokens=1990, output_tokens=182, reasoning_output_tokens=124)
    assert (found.request.operation, found.request.stream) == ("generate_content", True)
    assert (found.time_to_first_chunk, found.response.stated_cost) == (0.43, "0.0005147")


@pytest.mark.parametrize("name", ["gen_ai.usage.cost", "operation.cost", "llm.cost.total"])
def test_a_peers_own_sum_stands_beside_our_price(name: str, book: PriceBook) -> None:
    plain = {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
    }
    ours, theirs, nothing = (
        told(plain | more, "openlit.instrumentation.openai")[0] for more in ({}, {name: 0.02133}, {name: 0})
    )
    rows = to_columns([PricedCall(each, price(book, each)) for each in (ours, theirs, nothing)])
    assert rows["stated_cost"] == [None, 21_330_000_000, None]
    assert rows["cost"] == [3_500_000_000] * 3


@pytest.mark.parametrize(
    ("said", "exception", "means"),
    [
        ({"error.type": "openai.RateLimitError"}, {}, ("RateLimitError", "rate_limit", 429)),
        ({"error.type": "<class 'openai.RateLimitError'>"}, {}, ("RateLimitError", "rate_limit", 429)),
        ({"error.type": "503"}, {}, ("503", "overloaded", 503)),
        ({}, {"exception.type": "anthropic.NotFoundError"}, ("NotFoundError", "not_found", 404)),
        (
            {},
            {"exception.type": "google.genai.errors.ServerError", "exception.message": "503 UNAVAILABLE. {'error'…"},
            ("ServerError", "overloaded", 503),
        ),
        (
            {"error.type": "InternalServerError"},
            {"exception.message": "Error code: 529 - Overloaded"},
            ("InternalServerError", "overloaded", 529),
        ),
        ({"langfuse.observation.status_message": "Error code: 401 - no"}, {}, ("401", "auth", 401)),
        (
            {"error.type": "rate_limit_error", "http.response.status_code": 429},
            {},
            ("rate_limit_error", "rate_limit", 429),
        ),
        ({"error.type": "openai.APITimeoutError"}, {}, ("APITimeoutError", "timeout", None)),
        ({}, {"exception.message": "there were 429 of them"}, ("_OTHER", "unknown", None)),
    ],
)
def test_failures_are_known_by_any_spelling(
    said: dict[str, Any], exception: dict[str, str], means: tuple[str, str, int | None]
) -> None:
    of = span({"gen_ai.request.model": "m", **said}, status={"code": 2})
    if exception:
        event = of.events.add(name="exception")
        for name, value in exception.items():
            event.attributes.add(key=name).value.string_value = value
    (arrived,) = decode(request(of, scope="logfire.openai" if exception else "any"), time.time_ns()).calls
    error = arrived.call.error
    assert error is not None
    assert (error.type, error.error_class, error.status_code) == means


def test_of_an_unknown_scope_only_what_is_proved_is_corrected() -> None:
    def usage(**counts: int) -> Usage | None:
        names = {name: f"gen_ai.usage.{name}.input_tokens" for name in ("cache_read", "cache_write", "cache_creation")}
        names |= {"input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens"}
        names["reasoning"] = "gen_ai.usage.reasoning.output_tokens"
        return used({names[name]: value for name, value in counts.items()}, "acme")

    proved = usage(input=9, cache_read=1500, cache_creation=400, output=10, reasoning=90)
    assert proved is not None
    assert (proved.input_tokens, proved.output_tokens) == (1909, 100)
    open_to_doubt = usage(input=2000, cache_read=1500, cache_write=400, output=100, reasoning=90)
    assert open_to_doubt is not None
    assert (open_to_doubt.input_tokens, open_to_doubt.output_tokens) == (2000, 100)


def test_our_own_spans_are_left_as_they_are() -> None:
    ours = {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 9, "gen_ai.system": "x"}
    assert normalise(dict(ours), OURS) == ours


SCOPES = st.sampled_from(
    [
        "com.anthropic.sdk.python",
        "langfuse-sdk",
        "logfire.openai",
        "openinference.instrumentation.openai",
        "openlit.instrumentation.anthropic",
        "openlit.instrumentation.google_ai_studio",
        "opentelemetry.instrumentation.anthropic",
        "opentelemetry.instrumentation.google_generativeai",
    ]
)
NAMES = sorted(
    {
        *FOREIGN,
        *SIGNS,
        *("gen_ai.usage.raw", "response_data", "request_data", "output.value", "llm.invocation_parameters", "duration"),
        *(f"langfuse.observation.{name}" for name in ("usage_details", "cost_details", "model.parameters")),
        *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.total_tokens", "logfire.span_type"),
    }
)
SHAPES = ("usage", "choices", "candidates", "output", "object", "response", "chat.completion", "type", "message")
WORDS = st.sampled_from(
    [
        *(*ANTHROPIC_SAYS, *CHAT_SAYS, *RESPONSE_SAYS, *GOOGLE_SAYS, *SHAPES),
        *("input", "total", "iterations", "compaction", "modality", "finish_reason", "web_search_queries"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)
VALUES = (
    JSON.map(json.dumps) | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats() | st.booleans() | st.text(max_size=5)
)


@given(SCOPES, st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8))
def test_no_peer_can_break_the_reading(scope: str, attributes: dict[str, Any]) -> None:
    attributes = {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in attributes.items()}
    decode(request(span(attributes, name="chat m", status={"code": 2}), scope=scope), time.time_ns())
