"""Both receivers of a running collector among malformed requests: each is answered as it must be, and nothing suffers.

What is acknowledged among them is stored once; and what is good, sent in between and after, is stored to the last digit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import decode, decode_body
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.receive import otlp_json
from otel_llm_cost_exporter.receive.collector import Collector
from otel_llm_cost_exporter.receive.outcome import Status
from otel_llm_cost_exporter.store import Store
from tests.access.receivers import PROTOBUF
from tests.exporter.otlp import chat, request, span

from .clients import JSON, Answer, Http, Senders, raw
from .json_mutants import Json
from .packed_mutants import packed
from .protobuf_mutants import Protobuf
from .truth import ANY, Due, due_json, due_protobuf, keys_of, refused
from .watch import SEED, log_watched, memory

pytestmark = pytest.mark.integration

THREADS: Final = 6
MUTANTS: Final = 2_000
"""Of a thread, over both receivers."""
CONVERSATIONS: Final = 60
"""Of a thread: whole connections that are disturbed, with their headers."""
A_GOOD_ONE_AFTER: Final = 20
LIMIT: Final = 1_000_000
GROWTH: Final = 96 << 20
"""Bytes between the first half of the mutants and the end, senders and embedded engine included."""
_GOOD: Final = "the good ones"
_KINDS: Final = ("text/plain", "", "application/x-protobuf2", "application/grpc", "application/json+x", "\xff", "x" * 3000)
_FIGURES: Final = """
    SELECT count() AS n, uniqExact(trace_id, span_id) AS u, sum(cost) AS cost
    FROM llm_calls WHERE service_name = {service:String}
"""

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
            self._draw.choice(self._ways)()

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
        self._judge("JSON", self._to.http.send(body, JSON), _due_json(body), body, JSON)

    def _packed(self) -> None:
        """A valid body wrongly compressed, or a mutant, wrongly or rightly."""
        made = packed(self._draw, self._draw.choice((self._protobuf.valid, self._protobuf.mutant))())
        due = due_protobuf(made.inside, LIMIT) if made.inside is not None else _due(made.status)
        answer = self._to.http.send(made.body, PROTOBUF, made.encoding)
        self._judge("packed", answer, due if len(made.body) <= LIMIT else refused(Status.TOO_LARGE), made.inside)

    def _json_packed(self) -> None:
        made = packed(self._draw, self._draw.choice((self._json.valid, self._json.mutant))())
        due = _due_json(made.inside) if made.inside is not None else _due(made.status)
        answer = self._to.http.send(made.body, JSON, made.encoding)
        due = due if len(made.body) <= LIMIT else refused(Status.TOO_LARGE)
        self._judge("packed JSON", answer, due, made.inside, JSON)

    def _strange_kind(self) -> None:
        answer = self._to.http.send(self._protobuf.valid(), self._draw.choice(_KINDS))
        self._judge("unknown", answer, refused(Status.UNSUPPORTED), None)

    def _judge(self, way: str, answer: Answer, due: Due, body: bytes | None, kind: str = PROTOBUF) -> None:
        said = f"{way}: {answer} instead of {due}; the body was {body[:2000].hex() if body else body}"
        assert answer.status in due.statuses, said
        self.answers[f"{way} {answer.status.name}"] += 1
        if answer.status is Status.STORED and body is not None:
            assert answer.rejected == due.rejected, said
            plain = body if kind == PROTOBUF else otlp_json.parse(body).SerializeToString()
            self.acknowledged |= keys_of(decode_body(plain, time.time_ns()).calls)
        if answer.status is Status.STORED and body is None:
            assert False, said

    def talk(self) -> None:
        """Whole connections with something wrong in them, heads and frames included."""
        for _ in range(CONVERSATIONS):
            body = self._protobuf.valid()
            head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {len(body)}\r\n\r\n"
            disturbed = self._protobuf.in_bytes(head.encode()) + self._draw.choice((body, self._protobuf.in_bytes(body)))
            raw(self._ports[0], disturbed)
            raw(self._ports[1], self._protobuf.in_bytes(_HTTP2 + self._draw.randbytes(60)))
