"""The collector as a whole: what it acknowledges is stored; it tells how it is; it does not start in vain."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.access import Gate, KeyRing
from otel_llm_cost_exporter.receive.collector import Collector, NobodyMayWrite, PortTaken
from otel_llm_cost_exporter.span_exporter import LLMCostSpanExporter
from otel_llm_cost_exporter.store import Store, StoreError

from .otlp import chat, request, span
from .sdk import spans

PROTOBUF = "application/x-protobuf"
ALL_BUT_TIME = "SELECT * EXCEPT (received_at) FROM llm_calls ORDER BY span_id"
ONE = request(span(chat())).SerializeToString()


def post(collector: Collector, body: bytes) -> int:
    asked = Request(f"http://127.0.0.1:{collector.http_port}/v1/traces", body, {"Content-Type": PROTOBUF})
    with urlopen(asked) as answer:  # noqa: S310
        status: int = answer.status
        return status


def ready(collector: Collector) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(f"http://127.0.0.1:{collector.http_port}/readyz") as answer:
            return answer.status, json.load(answer)
    except HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def test_the_road_in_the_process_gives_the_same_rows(collector: Collector, store: Store) -> None:
    told = spans()
    exporter = GrpcExporter(endpoint=f"http://127.0.0.1:{collector.grpc_port}", insecure=True)
    assert exporter.export(told) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert collector.flush(20)
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


def test_a_request_sent_again_is_stored_once(collector: Collector, store: Store) -> None:
    assert post(collector, ONE) == post(collector, ONE) == 200
    assert collector.flush(20)
    assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 1}]


def test_a_store_that_is_away_is_told_and_requests_are_still_taken(
    collector: Collector, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(collector, ONE) == 200
    assert collector.flush(20)
    assert ready(collector)[1]["status"] == "ready"
    with monkeypatch.context() as away:
        away.setattr(store, "query", _fail)
        status, told = ready(collector)
        assert (status, told["status"]) == (200, "degraded")
        assert "the disk is full" in told["checks"]["store"]["detail"]
        assert post(collector, request(span(chat())).SerializeToString()) == 200
    assert collector.flush(20)
    assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 2}]


def _fail(*_: Any) -> None:
    raise StoreError("the disk is full")


@pytest.mark.parametrize("option", ["http_port", "grpc_port"])
def test_a_taken_port_is_named_with_its_option(option: str, store: Store, book: PriceBook, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"http_port": 0, "grpc_port": 0, option: taken.getsockname()[1]}
        with pytest.raises(PortTaken, match=f"{taken.getsockname()[1]}.*--{option.replace('_', '-')}"):
            Collector(store, book, tmp_path / "journal", **ports)


@pytest.mark.parametrize("gate", [None, Gate(), Gate(KeyRing(), anonymous=False)], ids=["none", "open", "no keys"])
def test_nobody_listens_to_the_world_without_a_key(
    gate: Gate | None, store: Store, book: PriceBook, tmp_path: Path
) -> None:
    with pytest.raises(NobodyMayWrite, match="otel-llm-cost keys create"):
        Collector(store, book, tmp_path / "journal", host="0.0.0.0", http_port=0, grpc_port=0, gate=gate)  # noqa: S104
