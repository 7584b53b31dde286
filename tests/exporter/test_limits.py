"""What a sender can make the collector do is bounded: time, memory, and what it keeps of others waiting."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from google.rpc.status_pb2 import Status as RpcStatus
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter import decode as decoding
from otel_llm_cost_exporter.decode import MOST_SPANS
from otel_llm_cost_exporter.receive import http_server, ingest, wire
from otel_llm_cost_exporter.receive.collector import Collector
from otel_llm_cost_exporter.receive.compression import decompress
from otel_llm_cost_exporter.receive.ingest import Ingest, Status
from otel_llm_cost_exporter.store import Store

from .otlp import chat, request, span
from .test_collector import post, ready


class Nowhere:
    """A sink that takes everything."""

    def write(self, calls: Any) -> int:
        del calls
        return 0


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field on the wire."""
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + content


def spans(content: bytes) -> bytes:
    return field(1, field(2, content))


def test_many_empty_gzip_members_are_refused_at_once() -> None:
    empty = gzip.compress(b"")
    assert decompress(empty * 16, "gzip", 100) == b""
    began = time.process_time()
    with pytest.raises(ValueError, match="more than 16"):
        decompress(empty * 100_000, "gzip", 100)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "body",
    [
        spans(b"\x12\x00" * (60 << 19)),
        spans(b"\x12\x00" * (MOST_SPANS + 1)),
        spans(b"\x12\x00" * (MOST_SPANS + 1)) + b"\xff",
        spans(b"\x13" + b"\x12\x00" * (MOST_SPANS + 1)),
        spans(b"\x92\x00\x00" * (MOST_SPANS + 1)),
        field(1, b"\x12\x00" * (MOST_SPANS + 1)),
        b"\x0a\x00" * (MOST_SPANS + 1),
        spans(field(2, b"\x6a\x00" * (20 << 19))),
        spans(field(2, field(9, field(2, field(5, b"\x0a\x00" * (20 << 19)))))),
        field(1, field(1, b"\x0a\x00" * (20 << 19))),
    ],
    ids=["60 MiB", "spans", "malformed", "group", "long tag", "scopes", "resources", "links", "values", "resource"],
)
def test_a_body_that_grows_when_parsed_is_refused_before_it_is(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "ExportTraceServiceRequest", None)
    outcome = Ingest(Nowhere()).accept(body, "protobuf")
    assert outcome.status is Status.TOO_LARGE
    assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in outcome.message


def test_as_many_spans_as_may_be_are_taken() -> None:
    outcome = Ingest(Nowhere()).accept(spans(b"\x12\x00" * (MOST_SPANS - 2)), "protobuf")
    assert (outcome.status, outcome.rejected) == (Status.STORED, MOST_SPANS - 2)


def test_large_json_is_refused_and_so_is_json_of_many_spans() -> None:
    many = b'{"resourceSpans": [{"scopeSpans": [{"spans": [' + b"{}," * MOST_SPANS + b"{}]}]}]}"
    for body in (many, b" " * (8 << 20) + b"{}"):
        outcome = Ingest(Nowhere()).accept(body, "json")
        assert outcome.status is Status.TOO_LARGE
        assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in outcome.message


@given(st.lists(st.lists(st.integers(0, 20), max_size=5), max_size=5), st.binary(max_size=300))
def test_the_walk_counts_what_the_parser_makes(shape: list[list[int]], blob: bytes) -> None:
    one = Span(trace_id=blob[:16], name=blob.hex(), start_time_unix_nano=1, flags=3, trace_state="a" * 130)
    made = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(), scope_spans=[ScopeSpans(spans=[one] * n, schema_url="u") for n in resource]
            )
            for resource in shape
        ]
    )
    # every resource has its own message within
    records = sum(2 + sum(1 + count for count in resource) for resource in shape)
    body = made.SerializeToString()
    assert not wire.holds_more(body, records)
    assert records == 0 or wire.holds_more(body, records - 1)


@given(st.binary())
def test_what_is_malformed_is_left_to_the_parser(body: bytes) -> None:
    assert not wire.holds_more(body, 1_000)


def test_two_large_bodies_are_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, go, entered = Ingest(Nowhere()), threading.Event(), threading.Semaphore(0)
    decode = decoding.decode

    def slow(*said: Any) -> Any:
        entered.release()
        go.wait()
        return decode(*said)

    monkeypatch.setattr(ingest, "decode", slow)
    large = request(span(chat(x="y" * (5 << 20)))).SerializeToString()
    small = request(span(chat())).SerializeToString()
    bodies = (large, large, large, small)
    senders = [threading.Thread(target=taken.accept, args=(body, "protobuf")) for body in bodies]
    for sender in senders:
        sender.start()
    for _ in range(3):
        assert entered.acquire(timeout=30)
    assert not entered.acquire(timeout=0.1)
    go.set()
    for sender in senders:
        sender.join()


def stalled(collector: Collector, length: int = 100, sent: bytes = b"ab") -> socket.socket:
    """A request whose body does not come."""
    line = socket.create_connection(("127.0.0.1", collector.http_port), timeout=20)
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: {length}"
    line.sendall(head.encode() + b"\r\n\r\n" + sent)
    return line


def test_bodies_that_do_not_come_keep_nobody_waiting(collector: Collector) -> None:
    lines = [stalled(collector) for _ in range(64)]
    assert post(collector, request(span(chat())).SerializeToString())[0] == 200
    assert ready(collector)[0] == 200
    for line in lines:
        line.close()


def test_a_body_that_does_not_come_is_cut_off(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_READ_WITHIN", 0.05)
    with stalled(collector) as line:
        answer = b"".join(iter(lambda: line.recv(4096), b""))  # until the collector closes
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"did not arrive" in answer


@pytest.fixture
def blocked(store: Store, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """A store whose inserts begin (first event) and wait (second)."""
    begun, go, insert = threading.Event(), threading.Event(), store.insert

    def waiting(*arguments: Any) -> None:
        begun.set()
        go.wait()
        insert(*arguments)

    monkeypatch.setattr(store, "insert", waiting)
    return begun, go


def in_thread(run: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_collector_with_all_hands_full_refuses_and_says_so(
    store: Store,
    book: PriceBook,
    blocked: tuple[threading.Event, threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go = blocked
    monkeypatch.setattr(http_server, "_REQUESTS_AT_ONCE", 1)
    with Collector(store, book, http_port=0, grpc_port=0, most_wait=0.0) as collector, ExitStack() as at_end:
        at_end.callback(go.set)
        body = request(span(chat())).SerializeToString()
        sender = in_thread(lambda: post(collector, body))
        begun.wait()
        code, content, headers = post(collector, body)
        assert (code, headers["Retry-After"]) == (503, "1")
        assert "being worked on" in RpcStatus.FromString(content).message
        status, told = ready(collector)
        assert status == 503
        assert "worked on" in told["reasons"][0]
        go.set()
        sender.join()
        assert ready(collector)[0] == 200


def test_bodies_in_memory_have_a_bound_together(store: Store, book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_MOST_WAITING_BYTES", 0)  # no more than one of the largest
    with Collector(store, book, http_port=0, grpc_port=0, limit=100_000, most_wait=0.0) as collector:
        with stalled(collector, 90_000, bytes(80_000)):
            while (answer := post(collector, bytes(50_000)))[0] == 400:
                pass  # the first body is still on its way
            assert answer[0] == 503
        while (answer := post(collector, request(span(chat())).SerializeToString()))[0] == 503:
            pass  # the end of the first is still on its way
        assert answer[0] == 200
