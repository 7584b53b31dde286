"""From spans of any hand to calls; nonsense becomes a problem, never a crash."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost.attributes import FINISH_REASONS, USAGE_NAMES
from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Response, Usage
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import Arrived, decode
from otel_llm_cost_exporter.dialects import FOREIGN
from otel_llm_cost_exporter.rows import PricedCall, to_columns

from .otlp import CHAT, chat, request, span

NOW = time.time_ns()
SECOND = 10**9


def decoded(attributes: dict[str, Any], **fields: Any) -> Arrived:
    (call,) = decode(request(span(attributes, **fields)), NOW).calls
    return call


def test_a_call_keeps_its_span_and_where_it_came_from() -> None:
    of = span(chat(), trace_id=b"t" * 16, span_id=b"s" * 8, parent_span_id=b"p" * 8)
    of.start_time_unix_nano, of.end_time_unix_nano = NOW - SECOND, NOW
    (call,) = decode(request(of, resource={"service.name": "shop", "deployment.environment": "prod"}), NOW).calls
    assert (call.trace_id, call.span_id, call.parent_span_id) == (b"t" * 16, b"s" * 8, b"p" * 8)
    assert (call.start_ns, call.duration_ns, call.received_ns) == (NOW - SECOND, SECOND, NOW)
    assert (call.service_name, call.environment, call.problems) == ("shop", "prod", ())
    assert call.call.response.usage is not None
    assert call.call.response.usage.input_tokens == 1000


def test_tags_of_the_resource_are_defaults() -> None:
    resource = {"llm_cost.project": "search", "llm_cost.feature": "rank", "llm_cost.tag.team": "red"}
    (call,) = decode(request(span(chat(**{"llm_cost.feature": "answer"})), resource=resource), NOW).calls
    tags = call.call.tags
    assert (tags.project, tags.feature, tags.extra) == ("search", "answer", (("team", "red"),))


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.request.method": "POST"},
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"},
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"},
        {"openinference.span.kind": "CHAIN"},
        {},
    ],
)
def test_what_is_no_call_is_passed_over(attributes: dict[str, Any]) -> None:
    found = decode(request(span(attributes)), NOW)
    assert (found.calls, found.rejected) == ([], 0)


def test_an_agent_that_says_what_it_used_is_a_call() -> None:
    assert decoded({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5})


@pytest.mark.parametrize(
    "foreign",
    [
        {
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 1000,
            "gen_ai.usage.completion_tokens": 100,
            "gen_ai.usage.cache_read_input_tokens": 64,
        },
        {
            "gen_ai.system": "OpenAI",
            "llm.request.type": "chat",
            "gen_ai.request.model": "gpt-4o",
            "llm.usage.prompt_tokens": 1000,
            "llm.usage.completion_tokens": 100,
            "llm.usage.cache_read_input_tokens": 64,
        },
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "gpt-4o",
            "llm.token_count.prompt": 1000,
            "llm.token_count.completion": 100,
            "llm.token_count.prompt_details.cache_read": 64,
        },
    ],
    ids=["old OpenTelemetry", "OpenLLMetry", "OpenInference"],
)
def test_dialects_say_the_same(foreign: dict[str, Any], book: PriceBook) -> None:
    ours = {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 64,
    }
    mine, theirs = decoded(ours).call, decoded(foreign).call
    assert theirs.response.usage == mine.response.usage
    assert theirs.request.provider == "openai"
    assert price(book, decoded(foreign)).total == price(book, decoded(ours)).total is not None


def test_our_name_wins_over_a_foreign_one() -> None:
    usage = decoded(chat(**{"gen_ai.usage.prompt_tokens": 7, "llm.token_count.prompt": 8})).call.response.usage
    assert usage is not None
    assert usage.input_tokens == 1000


@pytest.mark.parametrize(
    ("told", "means"),
    [("az.ai.openai", "azure.ai.openai"), ("vertex_ai", "gcp.vertex_ai"), ("OpenAI", "openai"), ("acme", "acme")],
)
def test_providers_have_one_name(told: str, means: str) -> None:
    assert decoded({"gen_ai.system": told, "gen_ai.request.model": "m"}).call.request.provider == means


@pytest.mark.parametrize(
    ("start", "end", "kept", "duration"),
    [
        (0, NOW, NOW, 0),
        (5, 6, NOW, 0),
        (NOW + 3 * 86_400 * SECOND, NOW, NOW, 0),
        ((1 << 64) - 1, (1 << 64) - 1, NOW, 0),
        (NOW - SECOND, 0, NOW - SECOND, 0),
        (NOW - SECOND, (1 << 64) - 1, NOW - SECOND, 0),
        (NOW + SECOND, NOW + 2 * SECOND, NOW + SECOND, SECOND),
    ],
    ids=["no start", "long ago", "days ahead", "never", "no end", "endless", "soon"],
)
def test_times_that_cannot_be_true_give_way(start: int, end: int, kept: int, duration: int) -> None:
    call = decoded(chat(), start_time_unix_nano=start, end_time_unix_nano=end)
    assert (call.start_ns, call.duration_ns) == (kept, duration)
    assert bool(call.problems) == (duration == 0)


@pytest.mark.parametrize(
    "ids", [{"trace_id": b"short"}, {"span_id": b""}, {"trace_id": bytes(16)}, {"span_id": b"9" * 9}]
)
def test_a_span_without_valid_ids_is_rejected_and_no_other(ids: dict[str, bytes]) -> None:
    found = decode(request(span(chat(), **ids), span(chat())), NOW)
    assert (len(found.calls), found.rejected) == (1, 1)


def test_a_failed_span_is_an_error_even_if_it_does_not_say_which() -> None:
    failed = decoded(chat(), status={"code": 2})
    assert failed.call.error is not None
    assert failed.call.error.type == "_OTHER"


NAMES = st.sampled_from(
    [*CHAT, *USAGE_NAMES.values(), *FOREIGN, FINISH_REASONS, "llm_cost.tag.a", "llm_cost.stated_cost"]
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 63), (1 << 63) - 1),
        st.floats(),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.binary(),
        st.sampled_from(["12", "gpt-4o", "openai", "1e999999", "NaN", "-0"]),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_no_value_breaks_anything_and_unknown_is_never_zero(attributes: dict[str, Any], start: int, end: int) -> None:
    book = PriceBook.vendored()
    of = span(chat(**attributes) | attributes, start_time_unix_nano=start, end_time_unix_nano=end)
    for call in decode(request(of), NOW).calls:
        cost = price(book, call)
        row = {name: column[0] for name, column in to_columns([PricedCall(call, cost)]).items()}
        usage = call.call.response.usage
        if call.bad_usage or usage is None or cost.status == "unknown":
            assert row["cost"] is None
            assert row["price_status"] == "unknown"
            assert row["price_reason"]
        assert row["cost"] is None or 0 <= row["cost"] < 10**18
        assert row["stated_cost"] is None or 0 <= row["stated_cost"] < 10**18


def test_a_deep_value_is_no_danger() -> None:
    nested: Any = 1
    for _ in range(40):
        nested = [nested]
    call = decoded(chat(**{"gen_ai.usage.output_tokens": nested}))
    assert call.bad_usage


def test_the_anthropic_sdks_own_span_is_read_in_full() -> None:
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-opus-5-5",
        "gen_ai.usage.input_tokens": 220,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_write.input_tokens": 90,
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 0,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 90,
        "anthropic.usage.compaction.input_tokens": 1000,
        "anthropic.usage.compaction.output_tokens": 100,
        "anthropic.response.service_tier": "priority",
        "anthropic.message.stop_reason": "end_turn",
    }
    (arrived,) = decode(request(span(told), scope="com.anthropic.sdk.python"), time.time_ns()).calls
    assert arrived.call.response == Response(
        finish_reasons=((0, "end_turn"),),
        service_tier="priority",
        usage=Usage(
            input_tokens=1220,
            output_tokens=120,
            cache_write_input_tokens=90,
            cache_write_1h_input_tokens=90,
            compaction_input_tokens=1000,
            compaction_output_tokens=100,
        ),
    )


def test_what_the_anthropic_sdk_does_beside_calls_is_no_call() -> None:
    counting = {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-opus-5-5"}
    listing = {"gen_ai.provider.name": "anthropic"}
    sent = request(span(counting), span(listing), scope="com.anthropic.sdk.python")
    assert decode(sent, time.time_ns()).calls == []


@pytest.mark.parametrize(
    ("scope", "host", "named", "provider"),
    [
        ("some.peer", "api.openai.com", {}, "openai"),
        ("some.peer", "api.groq.com", {}, "groq"),
        ("some.peer", "foo.openai.azure.com", {}, "azure.ai.openai"),
        ("some.peer", "llm.corp.example", {}, "llm.corp.example"),
        ("some.peer", "llm.corp.example", {"llm.corp.example": "openai"}, "openai"),
        ("some.peer", None, {}, "openai"),
        ("otel_llm_cost", "llm.corp.example", {}, "openai"),
    ],
)
def test_whose_price_it_is_the_host_decides(scope: str, host: str | None, named: dict[str, str], provider: str) -> None:
    told = chat(**{"server.address": host})
    (call,) = decode(request(span(told), scope=scope), NOW, named).calls
    assert call.call.request.provider == provider
