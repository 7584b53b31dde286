"""Nothing malformed breaks the road from a body to rows, and what is well-formed is read as protobuf reads it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.decode import Arrived, decode
from otel_llm_cost_exporter.entry import Entry
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.receive.ingest import Encoding, Ingest
from otel_llm_cost_exporter.receive.outcome import Status
from otel_llm_cost_exporter.store import Store

from .json_mutants import Json
from .protobuf_mutants import Protobuf
from .truth import Due, agree, due_json, due_protobuf
from .watch import SEED, log_watched, memory

pytestmark = pytest.mark.integration

GROUPS = 2
MUTANTS = 46_000
"""Of a group; every fourth is JSON."""
AT_ONCE = 5_000
GROWTH = 64 << 20
"""Bytes between the first half and the end: less than one kept request of 2 KB for each mutant."""


class _Road:
    """The road from a body to rows, which looks at each step; it is the sink of its own receiver."""

    def __init__(self, store: Store, book: PriceBook) -> None:
        self.ingest = Ingest(self)
        self.pipeline = Pipeline(store, book)
        self.entry: Entry | None = None
        self.calls: list[Arrived] = []
        self.answers: Counter[str] = Counter()

    def take(self, entry: Entry) -> int:
        self.entry = entry
        return 0

    def go(self, body: bytes, encoding: Encoding, due: Due) -> None:
        self.entry = None
        outcome = self.ingest.accept(body, encoding)
        assert outcome.status in due.statuses, (outcome, due)
        self.answers[f"{encoding} {outcome.status.name}"] += 1
        if outcome.status is Status.STORED:
            assert outcome.rejected == due.rejected
        if self.entry is not None:
            self._decode(self.entry, outcome.rejected)

    def _decode(self, entry: Entry, rejected: int) -> None:
        calls = self.pipeline.decode(entry)
        decoded = decode(ExportTraceServiceRequest.FromString(entry.body), entry.received_ns)
        assert (decoded.rejected, decoded.calls) == (rejected, calls)
        agree(entry.body, calls)
        self.calls += calls

    def store(self) -> None:
        """Every call that was read becomes a row."""
        assert self.pipeline.write(self.calls) == 0
        self.calls.clear()


@pytest.mark.parametrize("group", range(GROUPS))
def test_no_mutant_breaks_the_road_to_rows(group: int, tmp_path: Path) -> None:
    print(f"LLM_COST_FUZZ_SEED={SEED} draws the same, group {group}")  # noqa: T201
    draw = Random(f"{SEED}-decode-{group}")  # noqa: S311
    protobuf, json = Protobuf(draw), Json(draw)
    with log_watched(), Store.open(f"chdb://{tmp_path}/db") as store:
        road = _Road(store, load_book())
        warm = 0
        for number in range(MUTANTS):
            _one(road, json if number % 4 == 3 else protobuf)
            if number % AT_ONCE == AT_ONCE - 1:
                road.store()
            if number == MUTANTS // 2:
                warm = memory()
        road.store()
        grown = memory() - warm
        print(f"memory has grown by {grown / 2**20:.0f} MiB; {dict(road.answers)}")  # noqa: T201
        assert grown < GROWTH
        kept = road.pipeline.counters.stored
        assert store.query("SELECT count() AS n, uniqExact(trace_id, span_id) AS u FROM llm_calls") == [
            {"n": kept, "u": kept}
        ]
    assert min(road.answers[f"{kind} {what}"] for kind in ("protobuf", "json") for what in ("STORED", "UNDECODABLE"))
    assert road.answers["protobuf STORED"] > MUTANTS // 4
    assert kept > MUTANTS // 4


def _one(road: _Road, makes: Protobuf | Json) -> None:
    body = makes.mutant()
    try:
        if isinstance(makes, Json):
            road.go(body, "json", due_json(body, road.ingest.limit_of("json")))
        else:
            road.go(body, "protobuf", due_protobuf(body, road.ingest.limit))
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}; the body was {body.hex()[:4000]}") from error
