"""What a sender can make the collector do is bounded: time, memory, and what it keeps of others waiting."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from google.rpc.status_pb2 import Status as RpcStatus
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_llm_cost_exporter.decode import MOST_SPANS
from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.receive import http_body, http_server, ingest, wire
from otel_llm_cost_exporter.receive.compression import decompress
from otel_llm_cost_exporter.receive.counters import Counted
from otel_llm_cost_exporter.receive.ingest import Ingest, Status
from tests.access.receivers import Kept, Running, receivers

from .otlp import chat, request, span

ONE = request(span(chat())).SerializeToString()
SENDER = Sender("k", "shop")


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
    outcome = Ingest(Kept()).accept(body, "protobuf")
    assert outcome.status is Status.TOO_LARGE
    assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in outcome.message


def test_as_many_spans_as_may_be_are_taken() -> None:
    outcome = Ingest(Kept()).accept(spans(b"\x12\x00" * (MOST_SPANS - 2)), "protobuf")
    assert (outcome.status, outcome.rejected) == (Status.STORED, MOST_SPANS - 2)


def test_large_json_is_refused_and_so_is_json_of_many_spans() -> None:
    many = b'{"resourceSpans": [{"scopeSpans": [{"spans": [' + b"{}," * MOST_SPANS + b"{}]}]}]}"
    for body in (many, b" " * (8 << 20) + b"{}"):
        outcome = Ingest(Kept()).accept(body, "json")
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
    taken, go, entered = Ingest(Kept()), threading.Event(), threading.Semaphore(0)
    parse = ingest._parse

    def slow(*said: Any) -> Any:
        entered.release()
        go.wait()
        return parse(*said)

    monkeypatch.setattr(ingest, "_parse", slow)
    large = request(span(chat(x="y" * (5 << 20)))).SerializeToString()
    bodies = (large, large, large, ONE)
    senders = [threading.Thread(target=taken.accept, args=(body, "protobuf")) for body in bodies]
    for sender in senders:
        sender.start()
    for _ in range(3):
        assert entered.acquire(timeout=30)
    assert not entered.acquire(timeout=0.1)
    go.set()
    for sender in senders:
        sender.join()


def test_what_is_handed_on_is_the_body_as_it_came_and_its_good_spans() -> None:
    sink = Kept()
    taken = Ingest(sink, now_ns=lambda: 7)
    both = request(span(chat()), span(chat(), trace_id=b"bad"))
    body = both.SerializeToString()
    assert taken.accept(body, "protobuf", SENDER).rejected == 1
    assert taken.accept_request(both, SENDER).rejected == 1
    assert sink.entries == [Entry(body, 7, 1, SENDER)] * 2
    assert taken.counters.snapshot() == Counted(2, 2, 2, {})


@pytest.mark.parametrize("body", [b"", request(span(chat(), span_id=bytes(8))).SerializeToString()])
def test_what_holds_nothing_good_is_not_handed_on(body: bytes) -> None:
    sink = Kept()
    assert Ingest(sink).accept(body, "protobuf").status is Status.STORED
    assert sink.entries == []


@pytest.fixture
def running() -> Iterator[Running]:
    with receivers(Kept()) as started:
        yield started


def stalled(running: Running, length: int = 100, sent: bytes = b"ab") -> socket.socket:
    """A request whose body does not come."""
    line = socket.create_connection(("127.0.0.1", running.http_port), timeout=20)
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: {length}"
    line.sendall(head.encode() + b"\r\n\r\n" + sent)
    return line


def test_bodies_that_do_not_come_keep_nobody_waiting(running: Running) -> None:
    lines = [stalled(running) for _ in range(64)]
    assert running.post(ONE).status_code == 200
    assert running.get("/readyz").status_code == 200
    for line in lines:
        line.close()


def test_a_body_that_does_not_come_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_body, "READ_WITHIN", 0.05)
    with stalled(running) as line:
        answer = b"".join(iter(lambda: line.recv(4096), b""))  # until the receiver closes
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"did not arrive" in answer


class Blocked:
    """A sink that begins and waits."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def take(self, entry: Entry) -> int:
        del entry
        self.begun.set()
        self.go.wait()
        return 0


def in_thread(run: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_receiver_with_all_hands_full_refuses_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_REQUESTS_AT_ONCE", 1)
    sink = Blocked()
    with receivers(sink) as running, ExitStack() as at_end:
        at_end.callback(sink.go.set)
        sender = in_thread(lambda: running.post(ONE))
        sink.begun.wait()
        answer = running.post(ONE)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "being worked on" in RpcStatus.FromString(answer.content).message
        told = running.get("/readyz")
        assert told.status_code == 503
        assert "worked on" in told.json()["reasons"][0]
        sink.go.set()
        sender.join()
        assert running.get("/readyz").status_code == 200
        assert running.ingest.counters.snapshot().refused == {"unavailable": 1}


def test_bodies_in_memory_have_a_bound_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_MOST_WAITING_BYTES", 0)  # no more than one of the largest
    with receivers(Kept(), limit=100_000) as running:
        with stalled(running, 90_000, bytes(80_000)):
            while (answer := running.post(bytes(50_000))).status_code == 400:
                pass  # the first body is still on its way
            assert answer.status_code == 503
        while (answer := running.post(ONE)).status_code == 503:
            pass  # the end of the first is still on its way
        assert answer.status_code == 200
