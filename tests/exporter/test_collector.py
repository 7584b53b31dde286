"""Both transports with real senders; refusals as OTLP has them; health that tells the truth."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import zlib
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.receive import health
from otel_llm_cost_exporter.receive.collector import Collector, PortTaken
from otel_llm_cost_exporter.span_exporter import LLMCostSpanExporter
from otel_llm_cost_exporter.store import Store, StoreError

from .otlp import chat, request, span

PROTOBUF = "application/x-protobuf"
ALL_BUT_TIME = "SELECT * EXCEPT (received_at) FROM llm_calls ORDER BY span_id"


def post(
    collector: Collector, body: bytes, kind: str = PROTOBUF, path: str = "/v1/traces", **headers: str
) -> tuple[int, bytes, Any]:
    url = f"http://127.0.0.1:{collector.http_port}{path}"
    named = {name.replace("_", "-"): told for name, told in headers.items()}
    asked = Request(url, body, {"Content-Type": kind} | named)
    try:
        with urlopen(asked) as answer:  # noqa: S310
            return answer.status, answer.read(), answer.headers
    except HTTPError as refused:
        with refused:
            return refused.code, refused.read(), refused.headers


def ready(collector: Collector) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(f"http://127.0.0.1:{collector.http_port}/readyz") as answer:
            return answer.status, json.load(answer)
    except HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def spans() -> list[ReadableSpan]:
    """Spans as an SDK makes them: a call, a failed one, one nobody prices, and something else."""
    kept = InMemorySpanExporter()
    resource = Resource({"service.name": "shop", "deployment.environment.name": "prod", "llm_cost.project": "p"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test", "1")
    for attributes in (
        chat(**{"gen_ai.response.finish_reasons": ["stop"], "llm_cost.feature": "answer"}),
        chat(**{"error.type": "timeout", "gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}),
        chat(**{"gen_ai.request.model": "nobody-1", "gen_ai.response.model": None}),
        {"http.request.method": "GET"},
    ):
        with tracer.start_as_current_span("x", attributes=attributes):
            pass
    provider.shutdown()
    return list(kept.get_finished_spans())


def over_grpc(collector: Collector) -> SpanExporter:
    return GrpcExporter(endpoint=f"http://127.0.0.1:{collector.grpc_port}", insecure=True)


def over_http(collector: Collector) -> SpanExporter:
    return HttpExporter(endpoint=f"http://127.0.0.1:{collector.http_port}/v1/traces")


def over_http_gzip(collector: Collector) -> SpanExporter:
    return HttpExporter(endpoint=f"http://127.0.0.1:{collector.http_port}/v1/traces", compression=Compression.Gzip)


@pytest.mark.parametrize("sender", [over_grpc, over_http, over_http_gzip])
def test_real_exporters_arrive_as_rows(
    sender: Callable[[Collector], SpanExporter], collector: Collector, store: Store
) -> None:
    exporter = sender(collector)
    assert exporter.export(spans()) is SpanExportResult.SUCCESS
    exporter.shutdown()
    rows = store.query("SELECT price_status, cost, service_name, project FROM llm_calls ORDER BY ts")
    assert [row["cost"] is not None for row in rows] == [True, False, False]
    assert rows[1]["price_status"] == rows[2]["price_status"] == "unknown"
    assert {(row["service_name"], row["project"]) for row in rows} == {("shop", "p")}


def test_the_road_in_the_process_gives_the_same_rows(collector: Collector, store: Store) -> None:
    told = spans()
    over_grpc(collector).export(told)
    by_collector = store.query(ALL_BUT_TIME)
    collector.close()
    store.close()
    inside = LLMCostSpanExporter("chdb://memory")
    assert inside.export(told) is SpanExportResult.SUCCESS
    with Store.open("chdb://memory") as same:
        assert same.query(ALL_BUT_TIME) == by_collector
    assert len(by_collector) == 3
    assert inside.force_flush()
    inside.shutdown()
    assert inside.export(told) is SpanExportResult.FAILURE


def as_otlp_json(of: ExportTraceServiceRequest) -> dict[str, Any]:
    """OTLP's JSON differs from protobuf's in its ids, which are hexadecimal."""
    document: dict[str, Any] = MessageToDict(of, use_integers_for_enums=True)
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for one in scope_spans["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in one:
                        one[name] = base64.b64decode(one[name]).hex()
    return document


def test_json_and_protobuf_give_equal_rows(collector: Collector, store: Store) -> None:
    sent = request(
        span(chat(), kind=3, parent_span_id=b"p" * 8, status={"code": 2}), span(chat(**{"llm_cost.batch": True}))
    )
    assert post(collector, sent.SerializeToString())[:2] == (200, b"")
    by_protobuf = store.query(ALL_BUT_TIME)
    collector.close()
    store.query("SELECT 1")
    with Store.open("chdb://memory", migrate=False) as same:
        same._command("TRUNCATE TABLE llm_calls", {})
    with Collector(store, PriceBook.vendored(), http_port=0, grpc_port=0) as another:
        document = as_otlp_json(sent) | {"notKnownYet": {"a": [1]}}
        assert post(another, json.dumps(document).encode(), "application/json; charset=utf-8")[:2] == (200, b"{}")
    assert store.query(ALL_BUT_TIME) == by_protobuf


def test_half_a_surrogate_pair_in_json_is_replaced(collector: Collector, store: Store) -> None:
    document = as_otlp_json(request(span(chat(**{"user.id": "x"}))))
    body = json.dumps(document).replace('"x"', '"\\ud800!"').encode()
    assert post(collector, body, "application/json")[0] == 200
    assert store.query("SELECT user_id FROM llm_calls") == [{"user_id": "\ufffd!"}]


def test_a_span_without_ids_is_told_back_and_the_others_are_stored(collector: Collector, store: Store) -> None:
    sent = request(span(chat()), span(chat(), trace_id=b"bad"))
    answer = ExportTraceServiceResponse.FromString(post(collector, sent.SerializeToString())[1])
    assert answer.partial_success.rejected_spans == 1
    assert "trace id" in answer.partial_success.error_message
    document = as_otlp_json(request(span(chat()), span(chat())))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "not hexadecimal"
    told = json.loads(post(collector, json.dumps(document).encode(), "application/json")[1])
    assert told["partialSuccess"]["rejectedSpans"] == "1"
    assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 2}]


BOMB = gzip.compress(bytes(50_000_000))


REFUSED: list[tuple[int, bytes, str, dict[str, str]]] = [
    (400, b"\xff\xff\xff", PROTOBUF, {}),
    (400, b"{", "application/json", {}),
    (400, b"[1]", "application/json", {}),
    (400, b'{"resourceSpans": 5}', "application/json", {}),
    (400, b'{"resourceSpans": [{"scopeSpans": [{"spans": [7]}]}]}', "application/json", {}),
    (400, b"[" * 200_000, "application/json", {}),
    (400, b"no gzip", PROTOBUF, {"Content_Encoding": "gzip"}),
    (400, gzip.compress(b"cut short")[:-9], PROTOBUF, {"Content_Encoding": "gzip"}),
    (413, bytes(1_000_001), PROTOBUF, {}),
    (413, BOMB, PROTOBUF, {"Content_Encoding": "gzip"}),
    (413, zlib.compress(bytes(50_000_000)), PROTOBUF, {"Content_Encoding": "deflate"}),
    (415, b"x", "text/plain", {}),
    (415, b"x", PROTOBUF, {"Content_Encoding": "rot13"}),
]


def test_a_bad_body_is_refused_with_a_reason_and_the_next_one_works(collector: Collector) -> None:
    for code, body, kind, headers in REFUSED:
        answered, content, _ = post(collector, body, kind, **headers)
        reason = Status.FromString(content).message if kind == PROTOBUF else json.loads(content)["message"]
        assert (answered, bool(reason)) == (code, True), (body[:40], headers)
    assert post(collector, request(span(chat())).SerializeToString())[0] == 200


def test_compressed_bodies_of_each_kind_arrive(collector: Collector, store: Store) -> None:
    from backports import zstd

    for name, compress in (("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)):
        body = compress(request(span(chat())).SerializeToString())
        assert post(collector, body, Content_Encoding=name)[0] == 200
    halves = [gzip.compress(half) for half in (b"", request(span(chat())).SerializeToString())]
    assert post(collector, b"".join(halves), Content_Encoding="gzip")[0] == 200
    assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 4}]


def call_grpc(collector: Collector, body: bytes, service: str = "trace.v1.TraceService", **options: Any) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{collector.grpc_port}") as channel:
        export = channel.unary_unary(f"/opentelemetry.proto.collector.{service}/Export")
        answer: bytes = export(body, timeout=20, **options)
        return answer


def test_grpc_refuses_the_same_and_the_next_one_works(collector: Collector) -> None:
    too_much = grpc.StatusCode.RESOURCE_EXHAUSTED
    for body, options, code in (
        (b"\xff\xff", {}, grpc.StatusCode.INVALID_ARGUMENT),
        (bytes(1_000_001), {}, too_much),
        (bytes(50_000_000), {"compression": grpc.Compression.Gzip}, too_much),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call_grpc(collector, body, **options)
        assert refused.value.code() is code
        assert refused.value.details()
    assert call_grpc(collector, request(span(chat())).SerializeToString()) == b""


def test_metrics_and_logs_are_taken_and_thrown_away(collector: Collector) -> None:
    assert post(collector, b"anything", path="/v1/metrics")[:2] == (200, b"")
    assert post(collector, b"{}", "application/json", path="/v1/logs")[:2] == (200, b"{}")
    assert call_grpc(collector, b"anything", "metrics.v1.MetricsService") == b""
    assert call_grpc(collector, b"anything", "logs.v1.LogsService") == b""


def test_a_store_that_fails_is_told_to_the_sender_and_to_the_probe(
    collector: Collector, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector.pipeline, "_patience", 0.0)
    assert ready(collector)[0] == 200
    with monkeypatch.context() as broken:
        broken.setattr(store, "insert", _fail)
        code, content, headers = post(collector, request(span(chat())).SerializeToString())
        assert (code, headers["Retry-After"]) == (503, "5")
        assert "disk is full" in Status.FromString(content).message
        with pytest.raises(grpc.RpcError) as refused:
            call_grpc(collector, request(span(chat())).SerializeToString())
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert retry_delay(refused.value) == 5
    status, told = ready(collector)
    assert status == 503
    assert "disk is full" in told["reasons"][0]
    assert post(collector, request(span(chat())).SerializeToString())[0] == 200
    assert ready(collector)[0] == 200


def _fail(*_: Any) -> None:
    raise StoreError("the disk is full")


def retry_delay(refused: Any) -> int:
    status = Status.FromString(dict(refused.trailing_metadata())["grpc-status-details-bin"])
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    seconds: int = info.retry_delay.seconds
    return seconds


def test_a_store_that_does_not_answer_is_not_ready(
    collector: Collector, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "query", _fail)
    status, told = ready(collector)
    assert (status, told["reasons"]) == (503, ["the disk is full"])
    assert post(collector, b"", path="/livez")[0] == 405
    with urlopen(f"http://127.0.0.1:{collector.http_port}/livez") as answer:
        assert answer.status == 200


def test_an_old_failure_is_forgiven_when_the_store_answers(
    collector: Collector, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector.pipeline, "_patience", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(store, "insert", _fail)
        post(collector, request(span(chat())).SerializeToString())
    assert ready(collector)[0] == 503
    monkeypatch.setattr(health, "_FORGET_AFTER", 0.0)
    assert ready(collector)[0] == 200


@pytest.mark.parametrize("option", ["http_port", "grpc_port"])
def test_a_taken_port_is_named_with_its_option(option: str, store: Store, book: PriceBook) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"http_port": 0, "grpc_port": 0, option: taken.getsockname()[1]}
        with pytest.raises(PortTaken, match=f"{taken.getsockname()[1]}.*--{option.replace('_', '-')}"):
            Collector(store, book, **ports)


def test_listening_to_the_world_is_warned_of(store: Store, book: PriceBook, caplog: pytest.LogCaptureFixture) -> None:
    with Collector(store, book, host="0.0.0.0", http_port=0, grpc_port=0):  # noqa: S104
        assert "no authentication" in caplog.text
