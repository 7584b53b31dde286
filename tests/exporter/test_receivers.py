"""Both transports with real senders and the road behind them; refusals as OTLP has them."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

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
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.store import Store, StoreError
from tests.access.receivers import PROTOBUF, TRACES, Kept, Running, receivers

from .otlp import chat, request, span
from .sdk import spans

JSON = "application/json"
ALL_BUT_TIME = "SELECT * EXCEPT (received_at) FROM llm_calls ORDER BY span_id"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
ONE = request(span(chat())).SerializeToString()


@pytest.fixture
def running(store: Store, book: PriceBook) -> Iterator[Running]:
    """The receivers with the road right behind them: what is answered is stored."""
    with receivers(Pipeline(store, book, patience=0.0)) as started:
        yield started


@pytest.fixture
def before_nothing() -> Iterator[Running]:
    with receivers(Kept()) as started:
        yield started


def over_grpc(running: Running) -> SpanExporter:
    return GrpcExporter(endpoint=f"http://127.0.0.1:{running.grpc_port}", insecure=True)


def over_http(running: Running) -> SpanExporter:
    return HttpExporter(endpoint=running.url())


def over_http_gzip(running: Running) -> SpanExporter:
    return HttpExporter(endpoint=running.url(), compression=Compression.Gzip)


@pytest.mark.parametrize("sender", [over_grpc, over_http, over_http_gzip])
def test_real_exporters_arrive_as_rows(
    sender: Callable[[Running], SpanExporter], running: Running, store: Store
) -> None:
    exporter = sender(running)
    assert exporter.export(spans()) is SpanExportResult.SUCCESS
    exporter.shutdown()
    rows = store.query("SELECT price_status, cost, service_name, project FROM llm_calls ORDER BY ts")
    assert [row["cost"] is not None for row in rows] == [True, False, False]
    assert rows[1]["price_status"] == rows[2]["price_status"] == "unknown"
    assert {(row["service_name"], row["project"]) for row in rows} == {("shop", "p")}


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


def test_json_and_protobuf_give_equal_rows(running: Running, store: Store, book: PriceBook) -> None:
    sent = request(
        span(chat(), kind=3, parent_span_id=b"p" * 8, status={"code": 2}), span(chat(**{"llm_cost.batch": True}))
    )
    answer = running.post(sent.SerializeToString())
    assert (answer.status_code, answer.content) == (200, b"")
    by_protobuf = store.query(ALL_BUT_TIME)
    store.command("TRUNCATE TABLE llm_calls")
    with receivers(Pipeline(store, book)) as another:
        document = as_otlp_json(sent) | {"notKnownYet": {"a": [1]}}
        answer = another.post(json.dumps(document).encode(), kind="application/json; charset=utf-8")
        assert (answer.status_code, answer.content) == (200, b"{}")
    assert store.query(ALL_BUT_TIME) == by_protobuf


def test_half_a_surrogate_pair_in_json_is_replaced(running: Running, store: Store) -> None:
    document = as_otlp_json(request(span(chat(**{"user.id": "x"}))))
    body = json.dumps(document).replace('"x"', '"\\ud800!"').encode()
    assert running.post(body, kind=JSON).status_code == 200
    assert store.query("SELECT user_id FROM llm_calls") == [{"user_id": "\ufffd!"}]


def test_a_span_without_ids_is_told_back_and_the_others_are_stored(running: Running, store: Store) -> None:
    sent = request(span(chat()), span(chat(), trace_id=b"bad"))
    answer = ExportTraceServiceResponse.FromString(running.post(sent.SerializeToString()).content)
    assert answer.partial_success.rejected_spans == 1
    assert "trace id" in answer.partial_success.error_message
    document = as_otlp_json(request(span(chat()), span(chat())))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "not hexadecimal"
    told = running.post(json.dumps(document).encode(), kind=JSON).json()
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


def test_a_bad_body_is_refused_with_a_reason_and_the_next_one_works(before_nothing: Running) -> None:
    for code, body, kind, headers in REFUSED:
        answer = before_nothing.post(body, kind=kind, **headers)
        reason = Status.FromString(answer.content).message if kind == PROTOBUF else answer.json()["message"]
        assert (answer.status_code, bool(reason)) == (code, True), (body[:40], headers)
    assert before_nothing.post(ONE).status_code == 200


def test_compressed_bodies_of_each_kind_arrive() -> None:
    from backports import zstd

    kept = Kept()
    with receivers(kept) as running:
        for name, compress in (("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd.compress)):
            assert running.post(compress(ONE), Content_Encoding=name).status_code == 200
        halves = gzip.compress(b"") + gzip.compress(ONE)
        assert running.post(halves, Content_Encoding="gzip").status_code == 200
    assert [entry.body for entry in kept.entries] == [ONE] * 4


def refused_call(running: Running, body: bytes, **options: Any) -> Any:
    with (
        grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(TRACES)(body, timeout=20, **options)
    return refused.value


def test_grpc_refuses_the_same_and_the_next_one_works(before_nothing: Running) -> None:
    too_much = grpc.StatusCode.RESOURCE_EXHAUSTED
    for body, options, code in (
        (b"\xff\xff", {}, grpc.StatusCode.INVALID_ARGUMENT),
        (bytes(1_000_001), {}, too_much),
        (bytes(50_000_000), {"compression": grpc.Compression.Gzip}, too_much),
    ):
        refused = refused_call(before_nothing, body, **options)
        assert refused.code() is code
        assert refused.details()
    assert before_nothing.call(ONE)[0] == b""
    with pytest.raises(grpc.RpcError) as unknown:
        before_nothing.call(ONE, "/opentelemetry.proto.collector.trace.v1.TraceService/Import")
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_metrics_and_logs_are_taken_and_thrown_away(before_nothing: Running) -> None:
    for path, body, kind, told in (("/v1/metrics", b"anything", PROTOBUF, b""), ("/v1/logs", b"{}", JSON, b"{}")):
        answer = before_nothing.post(body, path, kind)
        assert (answer.status_code, answer.content) == (200, told)
    assert before_nothing.call(b"anything", METRICS)[0] == b""
    assert before_nothing.call(b"anything", LOGS)[0] == b""


def test_a_store_that_fails_is_told_to_the_sender() -> None:
    kept = Kept(fails=StoreError("the disk is full"))
    with receivers(kept) as running:
        answer = running.post(ONE)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "disk is full" in Status.FromString(answer.content).message
        refused = refused_call(running, ONE)
        assert refused.code() is grpc.StatusCode.UNAVAILABLE
        assert retry_delay(refused) == 5
        kept.fails = None
        assert running.post(ONE).status_code == 200


def retry_delay(refused: Any) -> int:
    status = Status.FromString(dict(refused.trailing_metadata())["grpc-status-details-bin"])
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    seconds: int = info.retry_delay.seconds
    return seconds


def test_alive_whatever_comes(before_nothing: Running) -> None:
    assert before_nothing.get("/livez").text == "ok\n"
    assert before_nothing.post(b"", "/livez").status_code == 405
    assert before_nothing.get("/v1/traces").status_code == 405
