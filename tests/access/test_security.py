"""Who may write, over both transports with everything running; and that nobody gets further than that."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.access import Gate, KeyRing
from otel_llm_cost_exporter.access.files import change
from otel_llm_cost_exporter.entry import ANONYMOUS, Overloaded, Sender
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.receive import http_head
from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import chat, request, span

from .conftest import Clock, Mint, Serve
from .receivers import TRACES, Kept, Running

BODY = request(span(chat())).SerializeToString()
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture
def kept() -> Kept:
    return Kept()


def closed(key_file: Path, **options: Any) -> Gate:
    return Gate(KeyRing(key_file), anonymous=False, **options)


def refused_call(running: Running, body: bytes = BODY, /, method: str = TRACES, **metadata: str) -> Any:
    with pytest.raises(grpc.RpcError) as refused:
        running.call(body, method, **metadata)
    return refused.value


def test_without_a_key_nothing_gets_in(serve: Serve, kept: Kept, key_file: Path) -> None:
    running = serve(kept, closed(key_file))
    for path, kind in (
        ("/v1/traces", "application/x-protobuf"),
        ("/v1/traces", "application/json"),
        ("/v1/traces", "text/plain"),
        ("/v1/metrics", "application/x-protobuf"),
        ("/v1/logs", "application/json"),
    ):
        answer = running.post(BODY, path, kind)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="otel-llm-cost"')
        told = Status.FromString(answer.content).message if "protobuf" in kind else answer.json()["message"]
        assert "otel-llm-cost keys create" in told
        assert "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20" in told
    for method in (TRACES, METRICS, LOGS):
        refused = refused_call(running, method=method)
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "otel-llm-cost keys create" in refused.details()
    assert kept.entries == []
    assert running.ingest.counters.snapshot().refused == {"unauthenticated": 8}


def test_a_key_lets_in_by_either_header(serve: Serve, kept: Kept, key_file: Path, new_key: Mint) -> None:
    secret = new_key("shop", may_name=("a",))
    running = serve(kept, closed(key_file))
    for headers in ({"authorization": f"Bearer {secret}"}, {"x_api_key": secret}):
        assert running.post(BODY, **headers).status_code == 200
        assert running.post(BODY, "/v1/metrics", **headers).status_code == 200
        assert running.call(BODY, **headers)[0] == b""
        assert running.call(b"", LOGS, **headers)[0] == b""
    assert [entry.sender for entry in kept.entries] == [Sender(secret.split("_")[1], "shop", ("a",))] * 4
    assert {entry.body for entry in kept.entries} == {BODY}


def test_a_wrong_key_is_refused_even_where_none_is_needed(serve: Serve, kept: Kept, new_key: Mint) -> None:
    running = serve(kept, Gate())
    assert running.post(BODY).status_code == 200
    assert running.post(BODY, authorization="Bearer olc_x").status_code == 401
    assert refused_call(running, x_api_key="x").code() is grpc.StatusCode.UNAUTHENTICATED
    assert [entry.sender for entry in kept.entries] == [ANONYMOUS]


def test_a_web_page_does_not_write_without_a_key(serve: Serve, kept: Kept, key_file: Path, new_key: Mint) -> None:
    secret = new_key()
    running = serve(kept, Gate(KeyRing(key_file)))
    assert running.post(BODY, origin="http://evil.example").status_code == 403
    assert running.post(BODY, "/v1/logs", origin="null").status_code == 403
    assert running.post(BODY, origin="http://app.example", x_api_key=secret).status_code == 200
    assert [entry.sender.project for entry in kept.entries] == ["shop"]


def test_a_key_to_read_writes_nothing(serve: Serve, kept: Kept, key_file: Path, new_key: Mint) -> None:
    secret = new_key(may_read=True, may_write=False)
    running = serve(kept, closed(key_file))
    answer = running.post(BODY, x_api_key=secret)
    assert (answer.status_code, Status.FromString(answer.content).message) == (
        403,
        "this API key may read, not write",
    )
    assert refused_call(running, x_api_key=secret).code() is grpc.StatusCode.PERMISSION_DENIED
    assert kept.entries == []


def test_a_revoked_key_stops_working_while_all_runs(
    serve: Serve, kept: Kept, key_file: Path, new_key: Mint, clock: Clock
) -> None:
    secret = new_key()
    running = serve(kept, Gate(KeyRing(key_file, clock=clock), anonymous=False))
    assert running.post(BODY, x_api_key=secret).status_code == 200
    change(key_file, lambda there: tuple(replace(key, revoked_at=datetime.now(UTC)) for key in there))
    clock.now += 1
    assert running.post(BODY, x_api_key=secret).status_code == 401
    assert refused_call(running, x_api_key=secret).code() is grpc.StatusCode.UNAUTHENTICATED


def test_who_may_not_come_in_has_no_body_read(serve: Serve, kept: Kept, key_file: Path) -> None:
    running = serve(kept, closed(key_file))
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=20) as line:
        line.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert line.recv(4096).startswith(b"HTTP/1.1 401")
    assert running.post(bytes(10_000_000)).status_code == 401  # and who is still writing sees the answer


@pytest.fixture
def store() -> Any:
    with Store.open("chdb://memory") as opened:
        yield opened


def test_the_project_of_a_call_is_its_keys(serve: Serve, store: Store, key_file: Path, new_key: Mint) -> None:
    running = serve(Pipeline(store, PriceBook.vendored(), patience=0.0), closed(key_file))
    plain, some, every = new_key("shop"), new_key("shop", may_name=("a",)), new_key("shop", may_name=None)

    def rows(key: str, *named: str | None) -> list[tuple[str, str]]:
        store.command("TRUNCATE TABLE llm_calls")
        spans = [
            span(chat(**{"llm_cost.project": name}), start_time_unix_nano=10**18 + n) for n, name in enumerate(named)
        ]
        body = request(*spans, resource={"llm_cost.project": "from-the-resource"}).SerializeToString()
        assert running.post(body, x_api_key=key).status_code == 200
        found = store.query("SELECT project, tenant FROM llm_calls ORDER BY ts")
        return [(row["project"], row["tenant"]) for row in found]

    assert rows(plain, "a", "b", None) == [("shop", "shop")] * 3
    assert rows(some, "a", "b", None) == [("a", "shop"), ("shop", "shop"), ("shop", "shop")]
    assert rows(every, "a", "b", None) == [("a", "shop"), ("b", "shop"), ("from-the-resource", "shop")]


def test_a_tenant_cannot_take_anothers_calls_off_the_bill(
    serve: Serve, store: Store, key_file: Path, new_key: Mint
) -> None:
    running = serve(Pipeline(store, PriceBook.vendored(), patience=0.0), closed(key_file))
    ones, others = new_key("ones"), new_key("others")
    assert running.post(BODY, x_api_key=others).status_code == 200
    assert running.post(BODY, x_api_key=ones).status_code == 200
    found = store.query("SELECT project, counted FROM llm_calls ORDER BY project")
    assert [(row["project"], bool(row["counted"])) for row in found] == [("ones", True), ("others", True)]


NASTY = [
    "'); DROP TABLE llm_calls; --",
    "`x` {a:String} \\'",
    "<script>alert(1)</script>",
    "a\nb\r\n\0c\t",
    "[bold red]x[/]",
    "%s %(a)s {0}",
    "\u202eevil\u2028",
]


def test_what_tags_say_is_data(serve: Serve, store: Store) -> None:
    running = serve(Pipeline(store, PriceBook.vendored(), patience=0.0))
    for nth, nasty in enumerate(NASTY):
        tags = dict.fromkeys(("llm_cost.project", "llm_cost.feature", "user.id", "session.id"), nasty)
        sent = request(span(chat(**tags), start_time_unix_nano=10**18 + nth)).SerializeToString()
        assert running.post(sent).status_code == 200
    found = store.query("SELECT project, feature, user_id, session_id FROM llm_calls ORDER BY ts")
    assert [list(row.values()) for row in found] == [[nasty] * 4 for nasty in NASTY]


def raw(running: Running, sent: bytes) -> bytes:
    """What comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=20) as line:
        pieces = []
        with suppress(ConnectionError):
            line.sendall(sent)
            while piece := line.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)


HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"a: " + b"x" * 40_000 + b"\r\n\r\n",
        HEAD + b"".join(b"h%d: x\r\n" % nth for nth in range(200)) + b"\r\n",
        b"GET /livez?" + b"x" * 40_000 + b" HTTP/1.1\r\nConnection: close\r\n\r\n",
    ],
    ids=["large", "many", "line"],
)
def test_a_large_head_is_refused(head: bytes, serve: Serve, kept: Kept) -> None:
    running = serve(kept)
    assert raw(running, head).startswith(b"HTTP/1.1 431")
    assert running.post(BODY).status_code == 200


@pytest.mark.parametrize("piece", [b"x" * 65536, b"h: x\r\n" * 10_000], ids=["one", "many"])
def test_a_head_that_does_not_end_is_cut_off(piece: bytes, serve: Serve, kept: Kept) -> None:
    running = serve(kept)
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=20) as line:
        line.sendall(HEAD)
        with pytest.raises(ConnectionError):
            line.sendall(piece * 1_000)
    assert running.post(BODY).status_code == 200


def test_a_head_that_does_not_come_is_cut_off(serve: Serve, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "_WITHIN", 0.05)
    running = serve(kept)
    assert raw(running, b"") == raw(running, b"POST /v1/traces HT") == b""


def test_bodies_after_one_another_are_no_head(serve: Serve, kept: Kept) -> None:
    running = serve(kept)
    one = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 60000\r\n\r\n"
    )
    sent = (one + bytes(60_000)) * 5 + HEAD + b"\r\n"
    assert raw(running, sent).count(b"HTTP/1.1 400") == 5


@pytest.mark.parametrize(
    "value", [b"Bearer \xff\xfe", b"Bearer " + b"\xc3\xa4" * 40, b"Bearer olc_\t_", b"bEARER  \t "]
)
def test_what_is_no_key_is_refused_and_no_fault(value: bytes, serve: Serve, kept: Kept) -> None:
    running = serve(kept, Gate())
    assert raw(running, HEAD + b"authorization: " + value + b"\r\n\r\n").startswith(b"HTTP/1.1 401")
    assert raw(running, HEAD + b"x-api-key: " + value + b"\r\n\r\n").startswith(b"HTTP/1.1 401")


def test_large_metadata_is_refused(serve: Serve, kept: Kept) -> None:
    running = serve(kept)
    for metadata in ({"a": "x" * 60_000}, {f"h{nth}": "x" * 100 for nth in range(500)}):
        assert refused_call(running, BODY, TRACES, **metadata).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert running.call(BODY)[0] == b""


def test_bombs_are_refused(serve: Serve, kept: Kept) -> None:
    running = serve(kept)
    bombs = {"gzip": gzip.compress(bytes(50_000_000)), "deflate": zlib.compress(bytes(50_000_000))}
    for encoding, bomb in bombs.items():
        assert running.post(bomb, content_encoding=encoding).status_code == 413
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(TRACES)(bytes(50_000_000), timeout=20, compression=grpc.Compression.Gzip)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert kept.entries == []


def test_a_rate_is_kept_over_both_transports(
    serve: Serve, kept: Kept, key_file: Path, new_key: Mint, clock: Clock
) -> None:
    secret, other = new_key(rate=1.0), new_key()
    running = serve(kept, closed(key_file, clock=clock))
    first = running.post(request(*(span(chat()) for _ in range(6))).SerializeToString(), x_api_key=secret)
    assert (first.status_code, first.headers["ratelimit"]) == (200, '"spans";r=4;t=6')
    assert first.headers["ratelimit-policy"] == '"spans";q=10;w=10'
    _, told = running.call(request(*(span(chat()) for _ in range(4))).SerializeToString(), x_api_key=secret)
    assert told["ratelimit"] == '"spans";r=0;t=10'
    over = running.post(BODY, x_api_key=secret)
    assert (over.status_code, over.headers["retry-after"], over.headers["ratelimit"]) == (429, "1", '"spans";r=0;t=10')
    assert running.post(BODY, "/v1/metrics", x_api_key=secret).status_code == 200
    assert running.call(b"", LOGS, x_api_key=secret)[0] == b""
    refused = refused_call(running, x_api_key=secret)
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    info = RetryInfo()
    assert Status.FromString(dict(refused.trailing_metadata())["grpc-status-details-bin"]).details[0].Unpack(info)
    assert info.retry_delay.seconds == 1
    unlimited = running.post(BODY, x_api_key=other)
    assert (unlimited.status_code, "ratelimit" in unlimited.headers) == (200, False)
    clock.now += 1
    assert running.post(BODY, x_api_key=secret).status_code == 200
    assert running.ingest.counters.snapshot().refused == {"limited": 2}


def test_what_we_could_not_take_does_not_count_against_the_sender(serve: Serve, kept: Kept, clock: Clock) -> None:
    running = serve(kept, Gate(rate=1.0, clock=clock))
    kept.fails = Overloaded("full", 2.5)
    ten = request(*(span(chat()) for _ in range(10))).SerializeToString()
    answer = running.post(ten)
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["ratelimit"]) == (
        503,
        "3",
        '"spans";r=10;t=0',
    )
    kept.fails = None
    assert running.post(ten).status_code == 200


def test_a_request_keeps_its_id(serve: Serve, kept: Kept) -> None:
    running = serve(kept)
    assert running.post(BODY, x_request_id="a.B-1_").headers["x-request-id"] == "a.B-1_"
    assert running.call(BODY, x_request_id="a.B-1_")[1]["x-request-id"] == "a.B-1_"
    assert dict(refused_call(running, b"\xff", x_request_id="r").trailing_metadata())["x-request-id"] == "r"
    assert running.call(b"", METRICS, x_request_id="m")[1]["x-request-id"] == "m"
    for bad in ("x" * 129, "a b", "<b>", ""):
        made = running.post(BODY, x_request_id=bad).headers["x-request-id"]
        assert len(made) == 32
        assert running.call(BODY, x_request_id=bad)[1]["x-request-id"] not in (bad, made)


def test_what_the_collector_tells_of_itself(serve: Serve, kept: Kept, key_file: Path, new_key: Mint) -> None:
    reader, writer = new_key(may_read=True), new_key()

    def metrics() -> tuple[bytes, str]:
        return b"llm_cost_up 1\n", "text/plain; version=0.0.4"

    running = serve(kept, closed(key_file), metrics=metrics)
    assert running.get("/livez").text == "ok\n"
    for path in ("/readyz", "/health"):
        for headers in ({}, {"x-api-key": "wrong"}, {"x-api-key": writer}):
            answer = running.get(path, **headers)
            assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
        assert running.get(path, **{"x-api-key": reader}).json()["counters"] == {"received": 7}
    assert running.get("/metrics").status_code == running.get("/metrics", **{"x-api-key": writer}).status_code == 401
    answer = running.get("/metrics", authorization=f"Bearer {reader}")
    assert (answer.text, answer.headers["content-type"]) == ("llm_cost_up 1\n", "text/plain; version=0.0.4")
    by_all = serve(kept, Gate(), metrics=metrics)
    assert by_all.get("/metrics").status_code == 200
    assert by_all.get("/readyz").json()["checks"] == {"journal": {"ok": True, "detail": "2 MiB waiting"}}
    assert serve(kept).get("/metrics").status_code == 404


PROMPT = "my deepest secret is a walnut"


def test_neither_a_key_nor_a_prompt_is_ever_logged(
    serve: Serve, kept: Kept, key_file: Path, new_key: Mint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good, reader = new_key(), new_key(may_read=True, may_write=False)
    running = serve(kept, closed(key_file))
    talk = request(span(chat(**{"gen_ai.input.messages": PROMPT})), span({PROMPT: PROMPT}, trace_id=b"x"))
    body = talk.SerializeToString()
    text = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": PROMPT, "kind": PROMPT}]}]}]}).encode()
    wrong = good[:-1] + ("a" if good[-1] != "a" else "b")
    for fault in (None, RuntimeError(f"{PROMPT} {good}"), Overloaded("full")):
        kept.fails = fault
        for key in (good, wrong, reader):
            for sent, kind in (
                (body, "application/x-protobuf"),
                (body[:-5], "application/x-protobuf"),
                (text, "application/json"),
            ):
                running.post(sent, kind=kind, x_api_key=key)
                running.post(sent, kind=kind, authorization=f"Bearer {key}", content_encoding="gzip")
            for sent in (body, body[:-5]):
                with suppress(grpc.RpcError):
                    running.call(sent, x_api_key=key)
    ours = [record for record in caplog.records if record.name.startswith(("otel_llm_cost", "uvicorn", "grpc"))]
    everything = "\n".join(logging.Formatter().format(record) for record in ours)
    assert "RuntimeError at " in everything
    assert "its secret is wrong" in everything
    for secret in (PROMPT, "walnut", *(key.split("_")[2] for key in (good, wrong, reader))):
        assert secret not in everything


def test_refusals_do_not_fill_the_log(
    serve: Serve, kept: Kept, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = serve(kept, closed(key_file))
    with httpx.Client() as client:
        for _ in range(100):
            assert client.post(running.url(), content=BODY).status_code == 401
    lines = [record for record in caplog.records if "refused" in record.getMessage()]
    assert 1 <= len(lines) < 30
    assert lines[0].getMessage() == "a request over HTTP /v1/traces was refused: unauthenticated (no key)"


def test_many_senders_at_once_are_told_apart(serve: Serve, kept: Kept, key_file: Path, new_key: Mint) -> None:
    keys = {f"p{nth}": new_key(f"p{nth}") for nth in range(8)}
    running = serve(kept, closed(key_file))

    def send(project: str, key: str) -> None:
        for _ in range(5):
            body = request(span(chat(**{"llm_cost.project": project}))).SerializeToString()
            assert running.post(body, x_api_key=key).status_code == 200
            running.call(body, x_api_key=key)

    threads = [threading.Thread(target=send, args=named) for named in keys.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.entries) == 80
    for entry in kept.entries:
        (sent,) = ExportTraceServiceRequest.FromString(entry.body).resource_spans[0].scope_spans[0].spans
        named = {pair.key: pair.value.string_value for pair in sent.attributes}
        assert named["llm_cost.project"] == entry.sender.project


def test_calls_that_never_bring_their_message_keep_nobody_else_waiting(
    serve: Serve, kept: Kept, key_file: Path, new_key: Mint
) -> None:
    stalling, honest = new_key("one"), new_key("other")
    running, over = serve(kept, closed(key_file)), threading.Event()

    def never() -> Iterator[bytes]:
        over.wait(30)
        yield from ()

    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        export = channel.stream_unary(TRACES)
        stuck = [export.future(never(), metadata=(("x-api-key", stalling),)) for _ in range(60)]
        began = time.monotonic()
        running.call(BODY, x_api_key=honest)
        assert time.monotonic() - began < 10
        over.set()
        told = {call.code() for call in stuck}
    assert told == {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE}
    assert len(kept.entries) == 1


def test_who_was_turned_away_and_goes_on_sending_is_cut_off(
    serve: Serve, kept: Kept, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_head, "_BODY_WITHIN", 0.2)
    running = serve(kept, closed(key_file))
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx"
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=20) as connection:
        connection.sendall(head)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert b" 401 " in answer.splitlines()[0]
