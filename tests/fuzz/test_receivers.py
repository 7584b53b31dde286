"""Both receivers of a running collector among malformed requests: each is answered as it must be, and nothing suffers.

What is acknowledged among them is stored once; what is good, sent in between and after, to the last digit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import MOST_SPANS, decode, decode_body
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.receive import otlp_json
from otel_llm_cost_exporter.receive.collector import Collector
from otel_llm_cost_exporter.receive.compression import decompress
from otel_llm_cost_exporter.receive.outcome import Status
from otel_llm_cost_exporter.store import Store
from tests.access.receivers import PROTOBUF, TRACES
from tests.exporter.otlp import chat, request, span

from .clients import JSON, Answer, Senders, raw
from .json_mutants import Json
from .packed_mutants import Packed, packed
from .protobuf_mutants import Protobuf
from .truth import ANY, Due, due_json, due_protobuf, keys_of, refused
from .watch import SEED, log_watched, memory
from .wire import join, text

pytestmark = pytest.mark.integration

THREADS: Final = 6
MUTANTS: Final = 2_000
"""Of a thread, over both receivers."""
CONVERSATIONS: Final = 60
"""Of a thread: whole connections that are disturbed, with their headers."""
A_GOOD_ONE_AFTER: Final = 20
TOO_MUCH_AFTER: Final = 50
LIMIT: Final = 1_000_000
GROWTH: Final = 96 << 20
"""Bytes between the first half of the mutants and the end, senders and embedded engine included."""
_GOOD: Final = "the good ones"
_KINDS: Final = (
    "text/plain",
    "",
    "application/x-protobuf2",
    "application/grpc",
    "application/json+x",
    "x" * 3000,
)
_FIGURES: Final = """
    SELECT count() AS n, uniqExact(trace_id, span_id) AS u, sum(cost) AS cost
    FROM llm_calls WHERE service_name = {service:String} AND counted
"""

_ITS_OWN: Final = "grpc._cython"
"""gRPC's transport has its own word for headers that are no text."""

Key = tuple[bytes, bytes]


class _Sender:
    """What one thread sends, and what of it must be stored."""

    def __init__(self, number: int, senders: Senders, collector: Collector) -> None:
        self._draw = Random(f"{SEED}-receivers-{number}")  # noqa: S311
        self._protobuf, self._json = Protobuf(self._draw), Json(self._draw)
        self._to, self._ports = senders, (collector.http_port, collector.grpc_port)
        self._ways: tuple[Callable[[], None], ...] = (
            *(self._over_grpc, self._over_grpc, self._plain, self._plain, self._as_json, self._packed, self._packed),
            *(self._json_packed, self._strange_kind),
        )
        self.good: list[Span] = []
        self.acknowledged: set[Key] = set()
        self.answers: Counter[str] = Counter()

    def send(self, mutants: int) -> None:
        for number in range(mutants):
            if number % A_GOOD_ONE_AFTER == 0:
                self.send_good()
            (self._too_much if number % TOO_MUCH_AFTER == 0 else self._draw.choice(self._ways))()

    def send_good(self) -> None:
        spans = [_good(self._draw) for _ in range(self._draw.randrange(1, 4))]
        body = request(*spans, resource={"service.name": _GOOD}).SerializeToString()
        answer = self._draw.choice((self._to.http.send, self._to.grpc.send))(body)
        assert answer[:2] == (Status.STORED, 0), answer
        self.good += spans
        self.acknowledged |= keys_of(decode_body(body, time.time_ns()).calls)

    def _over_grpc(self) -> None:
        body = self._protobuf.mutant()
        how = self._draw.choice((grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate))
        self._judge("gRPC", self._to.grpc.send(body, how), due_protobuf(body, LIMIT), body)

    def _plain(self) -> None:
        body = self._protobuf.mutant()
        self._judge("protobuf", self._to.http.send(body), due_protobuf(body, LIMIT), body)

    def _as_json(self) -> None:
        body = self._json.mutant()
        self._judge("JSON", self._to.http.send(body, JSON), due_json(body, LIMIT), body, JSON)

    def _packed(self) -> None:
        """A valid body wrongly compressed, or a mutant, wrongly or rightly."""
        made = packed(self._draw, self._draw.choice((self._protobuf.valid, self._protobuf.mutant))())
        due = due_protobuf(made.inside, LIMIT) if made.inside is not None else _due(made.status)
        self._judge_packed("packed", made, due, PROTOBUF)

    def _json_packed(self) -> None:
        made = packed(self._draw, self._draw.choice((self._json.valid, self._json.mutant))())
        due = due_json(made.inside, LIMIT) if made.inside is not None else _due(made.status)
        self._judge_packed("packed JSON", made, due, JSON)

    def _too_much(self) -> None:
        """More bytes than a request may have, or more spans."""
        many = b"\x0a\x00" * (MOST_SPANS + 1)
        large = self._protobuf.valid() + join([text(99, bytes(LIMIT))])
        due, body = refused(Status.TOO_LARGE), self._draw.choice((many, large))
        self._judge("gRPC", self._to.grpc.send(body), due, body)
        self._judge("protobuf", self._to.http.send(body), due, body)
        spaced = self._json.valid() + b" " * LIMIT
        self._judge("JSON", self._to.http.send(spaced, JSON), due, spaced, JSON)

    def _strange_kind(self) -> None:
        body = self._protobuf.valid()
        answer = self._to.http.send(body, self._draw.choice(_KINDS))
        self._judge("of no kind", answer, refused(Status.UNSUPPORTED), body)

    def _judge_packed(self, way: str, made: Packed, due: Due, kind: str) -> None:
        answer = self._to.http.send(made.body, kind, made.encoding)
        if len(made.body) > LIMIT:
            due = refused(Status.TOO_LARGE)
        if due.statuses == ANY and answer.status is Status.STORED:  # nobody knew that it could be read
            inside = decompress(made.body, made.encoding, LIMIT)
            due = due_protobuf(inside, LIMIT) if kind == PROTOBUF else due_json(inside, LIMIT)
            self._judge(way, answer, due, inside, kind)
        else:
            self._judge(way, answer, due, made.inside or b"", kind)

    def _judge(self, way: str, answer: Answer, due: Due, body: bytes, kind: str = PROTOBUF) -> None:
        said = f"{way}: {answer} instead of {due}; the body was {body[:2000].hex()}"
        assert answer.status in due.statuses, said
        self.answers[f"{way} {answer.status.name}"] += 1
        if answer.status is Status.STORED:
            assert answer.rejected == due.rejected, said
            plain = body if kind == PROTOBUF else otlp_json.parse(body).SerializeToString()
            self.acknowledged |= keys_of(decode_body(plain, time.time_ns()).calls)

    def talk(self) -> None:
        """Whole connections with something wrong in them, heads and frames included."""
        for _ in range(CONVERSATIONS):
            disturb, body = self._protobuf.in_bytes, self._protobuf.valid()
            raw(self._ports[0], disturb(_HEAD % len(body)) + self._draw.choice((body, disturb(body))))
            raw(self._ports[1], disturb(_HTTP2) if self._draw.random() < 0.9 else _HTTP2)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read where Linux tells it")
def test_receivers_among_malformed_requests(tmp_path: Path) -> None:
    print(f"LLM_COST_FUZZ_SEED={SEED} draws the same")  # noqa: T201
    book = load_book()
    with log_watched(but=_ITS_OWN), Store.open(f"chdb://{tmp_path}/db") as store:
        collector = Collector(
            store, book, tmp_path / "journal", http_port=0, grpc_port=0, limit=LIMIT, keep_free=0, most_wait=0.1
        )
        with collector, _senders(collector) as senders:
            _all(senders, lambda one: one.send(MUTANTS // 2))
            warm = memory()
            _all(senders, lambda one: one.send(MUTANTS - MUTANTS // 2))
            grown = memory() - warm
            print(f"memory has grown by {grown / 2**20:.0f} MiB")  # noqa: T201
            assert grown < GROWTH
            assert collector.flush(60)
            acknowledged = set().union(*(one.acknowledged for one in senders))
            assert _stored(store) == acknowledged
            _all(senders, _Sender.talk)
            _all(senders, _Sender.send_good)
            assert collector.flush(60)
            assert set().union(*(one.acknowledged for one in senders)) <= _stored(store)
            _judge_good(store, book, [good for one in senders for good in one.good])
            _judge_answers(sum((one.answers for one in senders), Counter()))
            assert len(collector.flusher.dead_letters) == 0
            assert collector.pipeline is not None
            assert collector.pipeline.counters.refused == 0
            assert set(collector.ingested.snapshot().refused) <= {"undecodable", "too_large", "unsupported"}


@contextmanager
def _senders(collector: Collector) -> Iterator[list[_Sender]]:
    with ExitStack() as closing:
        lines = [closing.enter_context(Senders(collector.http_port, collector.grpc_port)) for _ in range(THREADS)]
        yield [_Sender(number, line, collector) for number, line in enumerate(lines)]


def _all(senders: list[_Sender], do: Callable[[_Sender], None]) -> None:
    with ThreadPoolExecutor(len(senders)) as pool:
        for _ in pool.map(do, senders):
            pass


def _good(draw: Random) -> Span:
    model = draw.choice(("gpt-4o-2024-08-06", "gpt-4o-mini", "o4-mini"))
    told = {
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": draw.randrange(1, 10_000),
        "gen_ai.usage.output_tokens": draw.randrange(1, 1_000),
    }
    return span(chat(**told), trace_id=draw.randbytes(16), span_id=draw.randbytes(8))


def _due(status: Status | None) -> Due:
    return Due(ANY) if status is None else refused(status)


def _stored(store: Store) -> set[Key]:
    """What is stored, each once."""
    rows = store.query("SELECT trace_id, span_id FROM llm_calls")
    keys = {(bytes(row["trace_id"]), bytes(row["span_id"])) for row in rows}
    assert len(keys) == len(rows)
    return keys


def _judge_good(store: Store, book: PriceBook, spans: list[Span]) -> None:
    totals = [price(book, call).total for call in decode(request(*spans), time.time_ns()).calls]
    expected = Decimal(sum(total for total in totals if total is not None)).scaleb(-12)
    assert None not in totals
    assert store.query(_FIGURES, {"service": _GOOD}) == [{"n": len(spans), "u": len(spans), "cost": expected}]


def _judge_answers(answers: Counter[str]) -> None:
    """Every way was gone, to every end it has."""
    print(sorted(answers.items()))  # noqa: T201
    ways, ends = ("gRPC", "protobuf", "JSON", "packed", "packed JSON"), ("STORED", "UNDECODABLE", "TOO_LARGE")
    assert [f"{way} {end}" for way in ways for end in ends if not answers[f"{way} {end}"]] == []


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """Of HTTP/2 (RFC 9113, section 4.1)."""
    return len(content).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + content


def _field(name: str, value: str) -> bytes:
    """A header that is spelled out (RFC 7541, section 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


_HEAD: Final = (
    b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n"
)
_HEADERS: Final = {
    ":method": "POST",
    ":scheme": "http",
    ":path": TRACES,
    ":authority": "x",
    "content-type": "application/grpc",
    "te": "trailers",
    "grpc-encoding": "gzip",
}
_HTTP2: Final = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + _frame(4, 0, 0, b"")
    + _frame(1, 4, 1, b"".join(_field(*pair) for pair in _HEADERS.items()))
    + _frame(0, 1, 1, b"\x01" + (40).to_bytes(4) + b"\x1f\x8b" + bytes(38))
)
"""A call over gRPC whose message is told to be compressed and is not."""
