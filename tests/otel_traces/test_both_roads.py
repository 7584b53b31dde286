"""The same call costs the same on both roads: total, parts, quantities, rates, status, reason, and all else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Call, Request, Response, Usage
from otel_llm_cost_exporter.access.rates import Bucket
from otel_llm_cost_exporter.demo import road
from otel_llm_cost_exporter.demo.processes import started
from otel_llm_cost_exporter.entry import ANONYMOUS, Sender
from otel_llm_cost_exporter.prices.table import load
from otel_llm_cost_exporter.receive.collector import Collector
from otel_llm_cost_exporter.receive.ingest import Encoding, Ingest, Outcome
from otel_llm_cost_exporter.reprice import Selection, carry_out, plan
from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import chat, request, span

from . import both_roads, samples, upstream

pytestmark = pytest.mark.integration

OURS = "otel_llm_cost"


def _differences(store: Store, book: PriceBook, *requests: ExportTraceServiceRequest) -> list[Any]:
    python = both_roads.by_python(book, requests)
    sql = both_roads.by_sql(store, book, requests)
    assert python.keys() == sql.keys()
    names = (*both_roads.MONEY, *both_roads.PRICE, *both_roads.SPAN)
    found = [(row, both_roads.differences(row, sql[key], names)) for key, row in python.items()]
    return [(row["provider"], row["request_model"], told) for row, told in found if told]


def test_golden_cases(store: Store, book: PriceBook) -> None:
    spans = samples.golden()
    assert _differences(store, book, request(*spans, scope=OURS)) == []
    cost = {row["span_id"]: row["cost"] for row in store.query("SELECT span_id, cost FROM llm_calls")}
    told = [(cost[one.span_id], Decimal(case["usd"])) for one, case in zip(spans, samples.GOLDEN, strict=True)]
    now = datetime.now(UTC).date().isoformat()
    assert all(a == b for (a, b), case in zip(told, samples.GOLDEN, strict=True) if case["date"] <= now)


def test_a_sample_of_the_catalogue(store: Store, book: PriceBook) -> None:
    assert _differences(store, book, request(*samples.drawn(book, 120, seed=20261121), scope=OURS)) == []


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(3))
def test_a_large_sample_of_the_catalogue(store: Store, book: PriceBook, seed: int) -> None:
    assert _differences(store, book, request(*samples.drawn(book, 2000, seed), scope=OURS)) == []


def test_hours_of_the_day_and_days_of_the_week(store: Store, book: PriceBook) -> None:
    """DeepSeek's peak hours, on two weeks and in each of its eras."""
    usage = Usage(input_tokens=1000, output_tokens=100, cache_read_input_tokens=300)
    call = Call(Request(operation="chat", provider="deepseek", model="deepseek-chat"), Response(usage=usage))
    days = [datetime(2025, 8, 1, tzinfo=UTC), *(datetime(2026, 11, 1, tzinfo=UTC) + timedelta(n) for n in range(14))]
    days += [datetime(2026, 10, day, tzinfo=UTC) for day in (7, 8)]
    spans = [samples.span(call, day + timedelta(hours=hour)) for day in days for hour in (0, 2, 7, 12, 20)]
    assert _differences(store, book, request(*spans, scope=OURS)) == []


FOREIGN: dict[str, tuple[str, dict[str, Any]]] = {
    "older conventions": (
        "",
        {
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 1000,
            "gen_ai.usage.completion_tokens": 100,
        },
    ),
    "OpenLLMetry": (
        "opentelemetry.instrumentation.openai.v1",
        {
            "llm.request.type": "completion",
            "gen_ai.system": "openai",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.cache_read_input_tokens": 500,
            "gen_ai.is_streaming": False,
        },
    ),
    "OpenInference, no answer kept": (
        "openinference.instrumentation.litellm",
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "anthropic",
            "llm.response.model_name": "claude-sonnet-4-5",
            "llm.token_count.prompt": 3000,
            "llm.token_count.completion": 50,
            "llm.token_count.prompt_details.cache_read": 2000,
            "llm.cost.total": 0.0012,
        },
    ),
    "OpenInference, what was asked for": (
        "openinference.instrumentation.openai",
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": '{"model": "gpt-4o", "stream": true, "service_tier": "flex"}',
        },
    ),
    "OpenLLMetry of Google": (
        "opentelemetry.instrumentation.google_generativeai",
        {
            "gen_ai.system": "Google",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.total_tokens": 170,
        },
    ),
    "OpenLIT of Anthropic": (
        "openlit.instrumentation.anthropic",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 5000,
            "gen_ai.usage.cache_read.input_tokens": 300,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cost": 0.1,
        },
    ),
    "OpenLIT of an OpenAI stream": (
        "openlit.instrumentation.openai",
        {**chat(), "gen_ai.request.stream": True},
    ),
    "the Anthropic SDK": (
        "com.anthropic.sdk.python",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 50,
            "anthropic.usage.compaction.input_tokens": 300,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 0,
            "anthropic.message.stop_reason": "end_turn",
        },
    ),
    "a total that leaves out the cache": (
        "someone",
        {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.cache_creation.input_tokens": 4000,
            "gen_ai.usage.output_tokens": 50,
        },
    ),
    "tags, a list, a number that is none": (
        OURS,
        {
            **chat(),
            "llm_cost.tag.team": "red",
            "gen_ai.response.finish_reasons": ["stop", "length"],
            "gen_ai.usage.reasoning.output_tokens": -4,
        },
    ),
    "more than a row can hold": (OURS, chat(**{"llm_cost.usage.web_search.requests": 10**9})),
    "a stated cost": ("someone", {**chat(), "gen_ai.usage.cost": "0.00125"}),
    "a stated cost that is out of bounds": ("someone", {**chat(), "gen_ai.usage.cost": "12345678"}),
    "times and numbers": (
        OURS,
        {
            **chat(),
            "gen_ai.response.time_to_first_chunk": 0.25,
            "http.request.resend_count": 2,
            "error.type": "timeout",
        },
    ),
}


HOSTS = (
    *("api.openai.com", "eu.api.openai.com", "api.groq.com", "foo.openai.azure.com", "openrouter.ai"),
    *("bedrock-runtime.us-east-1.amazonaws.com", "us-east5-aiplatform.googleapis.com", "llm.corp.example"),
    *("127.0.0.1", "10.1.2.3", "[::1]", "localhost", "ollama", "vllm", "gpu.internal"),
    *("api.openai.com.example", "LLM.Corp.Example"),
)


def test_hosts_of_others(store: Store, book: PriceBook) -> None:
    spans = [
        span(chat(**{"server.address": host, "server.port": port, "gen_ai.provider.name": provider}))
        for host in HOSTS
        for port in (None, 443, 11434)
        for provider in ("openai", "anthropic", "cohere")
    ]
    assert _differences(store, book, request(*spans, scope="someone")) == []


def test_other_hands(store: Store, book: PriceBook) -> None:
    resource = {
        "service.name": "shop",
        "deployment.environment": "test",
        "llm_cost.project": "p",
        "llm_cost.tag.a": "b",
    }
    spans = [request(span(told), scope=scope, resource=resource) for scope, told in FOREIGN.values()]
    assert _differences(store, book, *spans) == []


def test_spans_of_no_model_are_left_alone(store: Store) -> None:
    upstream.export(store, request(span({"http.method": "GET"}), span({"gen_ai.operation.name": "execute_tool"})))
    assert store.query("SELECT count() AS rows FROM llm_calls") == [{"rows": 0}]


def test_a_name_that_is_not_loaded_is_seen_and_then_resolved(store: Store, book: PriceBook) -> None:
    told = request(span(chat(**{"gen_ai.request.model": "gpt-4o-2031-12-24", "gen_ai.response.model": None})))
    reason = "SELECT cost, price_status, price_reason FROM llm_calls"
    upstream.export(store, told)
    assert store.query(reason) == [{"cost": None, "price_status": "unknown", "price_reason": "name_not_loaded"}]
    load(store, book, listed=False)
    store.query("TRUNCATE TABLE llm_calls")
    store.query("INSERT INTO llm_otel_spans SELECT * FROM otel_traces")
    [row] = store.query(reason)
    assert (row["price_status"], row["price_reason"]) == ("fallback", "dated_suffix_removed")


@pytest.mark.integration
def test_reprice_has_nothing_to_correct_but_what_was_not_loaded(store: Store, book: PriceBook) -> None:
    ever = Selection(datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    both_roads.by_sql(store, book, [request(*samples.golden()[:40], scope=OURS)])
    assert plan(store, book, ever).corrections == 0
    new = {"gen_ai.request.model": "gpt-4o-2032-12-24", "gen_ai.response.model": None}
    upstream.export(store, request(span(chat(**new))))
    planned = plan(store, book, ever)
    assert planned.corrections == 1
    carry_out(store, planned)
    [row] = store.query("SELECT cost, price_status FROM llm_calls WHERE request_model = 'gpt-4o-2032-12-24'")
    assert row == {"cost": Decimal("0.0035"), "price_status": "fallback"}


def test_what_json_says_is_not_guessed_at(store: Store) -> None:
    upstream.export(store, request(span(chat()), scope="langfuse-sdk"))
    [row] = store.query("SELECT cost, price_reason, problems FROM llm_calls")
    assert (row["cost"], row["price_reason"]) == (None, "bad_usage")
    assert "JSON" in row["problems"][0]


class _Heard(Ingest):
    """The collector's door, with an ear."""

    requests: ClassVar[list[ExportTraceServiceRequest]] = []

    def accept(
        self, body: bytes, encoding: Encoding, sender: Sender = ANONYMOUS, bucket: Bucket | None = None
    ) -> Outcome:
        self.requests.append(ExportTraceServiceRequest.FromString(body))
        return super().accept(body, encoding, sender, bucket)


@pytest.mark.integration
def test_the_demo_end_to_end(store: Store, book: PriceBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's program and its providers; what the collector stored of it, and what SQL makes of the same spans."""
    monkeypatch.setattr("otel_llm_cost_exporter.receive.collector.Ingest", _Heard)
    with (
        road._emulator(tmp_path) as emulator,
        Collector(store, book, tmp_path / "journal", http_port=0, grpc_port=0) as collector,
        started(
            "program",
            road._program(),
            road._program_env(emulator.ready(tmp_path / "emulator.json")["origins"], collector.grpc_port),
            tmp_path,
        ) as program,
    ):
        program.finish(120)
    python = {row["span_id"]: row for row in store.query("SELECT * FROM llm_calls")}
    store.query("TRUNCATE TABLE llm_calls")
    sql = both_roads.by_sql(store, book, _Heard.requests)
    assert len(python) > 50
    assert python.keys() == sql.keys()
    names = (*both_roads.MONEY, *both_roads.PRICE, *both_roads.SPAN, "counted", "counted_reason", "ts", "problems")
    told = [both_roads.differences(row, sql[key], names) for key, row in python.items() if not row["asides"]]
    assert [row for row in told if row] == []
