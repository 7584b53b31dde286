"""Spans onward over a real network: what arrives, what is sent again, what is dropped and said."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_llm_cost_exporter.forward import ForwardCounts, Forwarder, Target
from otel_llm_cost_exporter.forward.forwarder import delay_before
from otel_llm_cost_exporter.forward.wire import Answer
from tests.exporter.otlp import chat, request, span
from tests.forward.batches import Stored, batch, entry, told
from tests.forward.receivers import Receiver, grpc_receiver, http_receiver

_SECRET = "a prompt that nobody else should read"


def calls(count: int = 1, **attributes: Any) -> Stored:
    return batch(entry(request(*(span(chat(**attributes)) for _ in range(count)))))


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


Open = Callable[..., tuple[Receiver, Forwarder]]


@pytest.fixture(params=[http_receiver, grpc_receiver], ids=["http", "grpc"])
def forwarding(request: pytest.FixtureRequest, opened: ExitStack) -> Open:
    """A receiver of either kind, and a forwarder to it."""

    def start(**options: Any) -> tuple[Receiver, Forwarder]:
        receiver = opened.enter_context(request.param())
        environ = {"OTEL_LLM_COST_FORWARD_HEADERS": "authorization=Bearer%20t0ken"}
        forwarder = Forwarder(Target.parse(receiver.address, environ=environ), **options)
        return receiver, opened.enter_context(forwarder)

    return start


def counts_when(forwarder: Forwarder, ready: Callable[[ForwardCounts], bool]) -> ForwardCounts:
    deadline = time.monotonic() + 10
    while not ready(found := forwarder.counts()):
        assert time.monotonic() < deadline, found
        time.sleep(0.005)
    return found


def test_enriched_spans_arrive_with_the_headers(forwarding: Open) -> None:
    receiver, forwarder = forwarding()
    forwarder.offer(calls(3))
    got = receiver.next()
    assert got.headers["authorization"] == "Bearer t0ken"
    spans = got.request.resource_spans[0].scope_spans[0].spans
    assert [told(of.attributes)["gen_ai.usage.cost.amount"] for of in spans] == [0.015] * 3
    found = counts_when(forwarder, lambda counts: counts.sent == 3 and not counts.waiting_bytes)
    assert found == ForwardCounts(3, {}, {}, 0, 0)


def test_over_http_the_path_is_that_of_traces(opened: ExitStack) -> None:
    receiver = opened.enter_context(http_receiver())
    forwarder = opened.enter_context(Forwarder(Target.parse(receiver.address + "/base", environ={})))
    forwarder.offer(calls())
    assert receiver.next().headers[":path"] == "/base/v1/traces"


@pytest.mark.parametrize(
    ("code", "retry_after"),
    [(429, "0"), (502, "soon"), (503, "Fri, 31 Dec 1999 23:59:59 GMT"), (504, "-1"), (503, "")],
)
def test_http_codes_that_pass_are_tried_again(opened: ExitStack, code: int, retry_after: str) -> None:
    receiver = opened.enter_context(http_receiver())
    receiver.answers.put((code, {"Retry-After": retry_after}))
    forwarder = opened.enter_context(Forwarder(Target.parse(receiver.address, environ={})))
    forwarder.offer(calls())
    assert receiver.next().body == receiver.next().body
    assert counts_when(forwarder, lambda counts: counts.sent == 1).dropped == {}


def test_a_target_says_when_to_come_back(opened: ExitStack) -> None:
    for receiver, answer in (
        (opened.enter_context(http_receiver()), (503, {"Retry-After": "1"})),
        (opened.enter_context(grpc_receiver()), (grpc.StatusCode.RESOURCE_EXHAUSTED, 1.0)),
    ):
        receiver.answers.put(answer)
        forwarder = opened.enter_context(Forwarder(Target.parse(receiver.address, environ={})))
        forwarder.offer(calls())
        receiver.next()
        refused = time.monotonic()
        receiver.next()
        assert 0.9 < time.monotonic() - refused < 2.5


@pytest.mark.parametrize(
    ("kind", "answer", "code"),
    [
        (http_receiver, (400, {}), "HTTP 400"),
        (http_receiver, (500, {}), "HTTP 500"),
        (http_receiver, (302, {"Location": "http://127.0.0.1:1/"}), "HTTP 302"),
        (grpc_receiver, (grpc.StatusCode.INVALID_ARGUMENT, None), "gRPC INVALID_ARGUMENT"),
        (grpc_receiver, (grpc.StatusCode.RESOURCE_EXHAUSTED, None), "gRPC RESOURCE_EXHAUSTED"),
    ],
)
def test_what_is_refused_for_good_is_dropped_counted_and_said(
    opened: ExitStack, caplog: pytest.LogCaptureFixture, kind: Any, answer: Any, code: str
) -> None:
    receiver = opened.enter_context(kind())
    receiver.answers.put(answer)
    forwarder = opened.enter_context(Forwarder(Target.parse(receiver.address, environ={})))
    forwarder.offer(calls(2, **{"gen_ai.input.messages": _SECRET}))
    assert _SECRET.encode() in receiver.next().body
    counts_when(forwarder, lambda counts: counts.dropped == {"refused": 2} and not counts.waiting_spans)
    forwarder.offer(calls())
    receiver.next()
    forwarder.close()
    assert forwarder.counts().sent == 1
    assert f"2 spans were not forwarded to {receiver.address}" in caplog.text
    assert code in caplog.text
    assert _SECRET not in caplog.text


def test_spans_that_the_target_rejects_are_counted(forwarding: Open) -> None:
    receiver, forwarder = forwarding()
    receiver.answers.put((200, 2) if receiver.address.startswith("http") else 2)
    forwarder.offer(calls(5))
    found = counts_when(forwarder, lambda counts: counts.sent == 3)
    assert found.dropped == {"rejected": 2}


def test_a_target_that_comes_later_gets_what_waited(opened: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    with http_receiver() as gone:
        address = gone.address
    forwarder = opened.enter_context(Forwarder(Target.parse(address, environ={}), patience=0.0))
    forwarder.offer(calls())
    assert counts_when(forwarder, lambda counts: bool(counts.dropped)).dropped == {"gave_up": 1}
    forwarder.close()
    assert "NewConnectionError" in caplog.text


def test_a_target_that_hangs_costs_the_road_to_the_store_nothing(forwarding: Open) -> None:
    """Offers return at once, what has no room is counted, and the memory is bounded."""
    receiver, forwarder = forwarding(queue_bytes=20_000, timeout=0.5)
    receiver.hold.clear()
    offered = [calls(10) for _ in range(100)]
    took = []
    for one in offered:
        began = time.perf_counter()
        forwarder.offer(one)
        took.append(time.perf_counter() - began)
    assert sorted(took)[90] < 0.005
    found = counts_when(forwarder, lambda counts: counts.dropped.get("queue_full", 0) > 900)
    assert 0 < found.waiting_bytes <= 20_000
    assert found.waiting_spans > 0
    receiver.hold.set()
    counts_when(forwarder, lambda counts: counts.waiting_spans == 0 and counts.sent > 0)


def test_all_that_happens_is_accounted_for(forwarding: Open) -> None:
    receiver, forwarder = forwarding(queue_bytes=50_000)

    def offer() -> None:
        for _ in range(20):
            forwarder.offer(calls(7))

    offering = [threading.Thread(target=offer) for _ in range(4)]
    for thread in offering:
        thread.start()
    for thread in offering:
        thread.join()
    found = counts_when(forwarder, lambda counts: counts.waiting_spans == 0)
    assert found.sent + sum(found.dropped.values()) == 4 * 20 * 7
    arrived = 0
    while not receiver.got.empty():
        arrived += len([1 for r in receiver.next().request.resource_spans for s in r.scope_spans for _ in s.spans])
    assert arrived == found.sent


def test_large_batches_arrive_in_requests_of_four_mebibytes(opened: ExitStack) -> None:
    receiver = opened.enter_context(grpc_receiver(options=[("grpc.max_receive_message_length", 4 << 20)]))
    forwarder = opened.enter_context(Forwarder(Target.parse(receiver.address, environ={})))
    forwarder.offer(calls(30, **{"gen_ai.input.messages": "x" * 500_000}))
    assert counts_when(forwarder, lambda counts: counts.sent + sum(counts.dropped.values()) == 30).sent == 30


def test_a_span_larger_than_a_target_takes_is_dropped_alone(forwarding: Open) -> None:
    _, forwarder = forwarding()
    big = span(chat(**{"gen_ai.input.messages": "x" * 5_000_000}))
    forwarder.offer(batch(entry(request(span(chat()), big, span(chat())))))
    found = counts_when(forwarder, lambda counts: counts.waiting_spans == 0)
    assert (found.sent, found.dropped) == (2, {"too_large": 1})


def test_closing_sends_what_waits(forwarding: Open) -> None:
    receiver, forwarder = forwarding()
    receiver.hold.clear()
    for _ in range(2):
        forwarder.offer(calls(4))
    receiver.next()
    threading.Timer(0.2, receiver.hold.set).start()
    forwarder.close()
    assert forwarder.counts() == ForwardCounts(8, {}, {}, 0, 0)
    forwarder.offer(calls(1))
    assert forwarder.counts().dropped == {"closed": 1}


def test_closing_does_not_wait_for_ever_and_says_what_was_left(
    forwarding: Open, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, forwarder = forwarding()
    receiver.hold.clear()
    forwarder.offer(calls(4))
    receiver.next()
    forwarder.offer(calls(3))
    began = time.monotonic()
    forwarder.close(timeout=0.3)
    forwarder.close()
    assert time.monotonic() - began < 2.0
    assert forwarder.counts().dropped == {"closed": 7}
    assert "7 spans were not forwarded" in caplog.text
    assert "stored and billed all the same" in caplog.text


def test_a_fault_of_ours_costs_one_request_and_not_the_road(
    opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty:
        def __init__(self) -> None:
            self.sent = 0

        def send(self, body: bytes, timeout: float) -> Answer:
            self.sent += 1
            if self.sent == 1:
                raise RuntimeError(_SECRET)
            return Answer(True)

        def close(self) -> None:
            pass

    forwarder = opened.enter_context(Forwarder(Target.parse("http://127.0.0.1:9", environ={}), wire=Faulty()))
    broken = Stored((entry(request(span(chat())))._replace(body=b"\xff"),))
    for one in (broken, calls(2)):
        forwarder.offer(one)
    counts_when(forwarder, lambda counts: sum(counts.dropped.values()) == 3)
    forwarder.offer(calls(5))
    assert counts_when(forwarder, lambda counts: counts.sent == 5).dropped == {"fault": 1, "refused": 2}
    forwarder.close()
    assert "DecodeError" in caplog.text
    assert "RuntimeError" in caplog.text
    assert _SECRET not in caplog.text


def test_trouble_is_said_once_in_a_while(opened: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    receiver = opened.enter_context(http_receiver())
    for _ in range(2):
        receiver.answers.put((503, {}))
    forwarder = opened.enter_context(Forwarder(Target.parse(receiver.address, environ={})))
    forwarder.offer(calls())
    counts_when(forwarder, lambda counts: counts.sent == 1)
    forwarder.close()
    assert "goes on" in caplog.records[-1].message
    assert [record.levelname for record in caplog.records if "waits" in record.message] == ["WARNING"]


def test_what_is_sent_onward_makes_no_spans_of_its_own(opened: ExitStack) -> None:
    """Were they made, they would be sent onward in their turn."""

    class Watching:
        instrumented: bool | None = None

        def send(self, body: bytes, timeout: float) -> Answer:
            self.instrumented = is_instrumentation_enabled()
            return Answer(True)

        def close(self) -> None:
            pass

    wire = Watching()
    forwarder = opened.enter_context(Forwarder(Target.parse("http://127.0.0.1:9", environ={}), wire=wire))
    forwarder.offer(calls())
    counts_when(forwarder, lambda counts: counts.sent == 1)
    assert wire.instrumented is False
    assert is_instrumentation_enabled()


def test_over_tls_the_certificate_is_checked(opened: ExitStack, tmp_path: Path, caplog: Any) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    receivers: list[AbstractContextManager[Receiver]] = [
        http_receiver(context),
        grpc_receiver(grpc.ssl_server_credentials([pair])),
    ]
    for receiver in map(opened.enter_context, receivers):
        for name, taken in (("ca.pem", True), ("other.pem", False)):
            target = Target.parse(receiver.address, environ={}, ca_file=tmp_path / name)
            forwarder = opened.enter_context(Forwarder(target, patience=0.0))
            forwarder.offer(calls())
            found = counts_when(forwarder, lambda counts: bool(counts.sent or counts.dropped))
            assert (found.sent, found.dropped) == ((1, {}) if taken else (0, {"gave_up": 1}))
            forwarder.close()
    assert "SSL" in caplog.text


def test_delays_grow_and_are_bounded_and_scattered() -> None:
    for attempt in range(40):
        assert 0.25 <= delay_before(attempt, None) <= 30.0
    assert delay_before(10_000, None) >= 15.0
    assert 7.0 <= delay_before(0, 7.0) <= 7.1
    assert len({delay_before(3, None) for _ in range(5)}) > 1
