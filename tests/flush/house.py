"""A journal, a flusher and a real store, with trouble in front of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.pricing.catalogue import Catalogue
from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.flush import Batch, Flusher
from otel_llm_cost_exporter.journal import Journal
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.store import Store, StoreError
from tests.exporter.otlp import request

BOOK = load_book()
NO_PRICES = PriceBook(Catalogue("none", date(2026, 1, 1), {}))


class Troubled:
    """A real store in front of which trouble stands: away, hanging, deaf after an insert, or refusing span ids."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = threading.Event()
        self.deaf = threading.Event()
        self.answers = threading.Event()
        self.answers.set()
        self.refused = threading.Event()
        self.poison: set[bytes] = set()

    def encode(self, table: str, columns: Mapping[str, Sequence[Any]]) -> bytes:
        return self.store.encode(table, columns)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return self.store.query(sql, parameters)

    def insert_block(self, table: str, names: Sequence[str], block: bytes, token: str) -> None:
        if not self.answers.is_set():
            self.refused.set()
            self.answers.wait()
        if self.away.is_set():
            self.refused.set()
            raise StoreError("the store is away.")
        if any(span_id in block for span_id in self.poison):
            raise StoreError("a value does not fit.", rows_at_fault=True)
        self.store.insert_block(table, names, block, token)
        if self.deaf.is_set():
            self.refused.set()
            raise StoreError("the answer was lost.")


class House:
    """Journal and flusher over a store, which can be taken down and put up again."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.troubled = Troubled(store)
        self.told: list[Batch] = []
        self.up()

    def up(self, book: PriceBook = BOOK) -> None:
        self.pipeline = Pipeline(self.troubled, book)
        self.journal = Journal(self.folder, keep_free=0)
        self.flusher = Flusher(
            self.journal, lambda: (self.troubled, self.pipeline), self.folder, most_wait=0.0, stored=self.told.append
        )
        self.flusher.start()

    def down(self, patience: float = 20.0) -> bool:
        drained = self.flusher.close(patience)
        self.journal.close()
        return drained

    def send(self, *spans: Span, sender: Sender = Sender()) -> None:  # noqa: B008  # immutable
        assert self.journal.take(Entry(request(*spans).SerializeToString(), time.time_ns(), len(spans), sender)) == 0

    def settle(self) -> None:
        assert self.flusher.wait_until(self.journal.tail, 20)

    def rows(self) -> int:
        return int(self.troubled.store.query("SELECT count() AS n FROM llm_calls")[0]["n"])

    def rollup(self) -> int:
        return int(self.troubled.store.query("SELECT sum(calls) AS n FROM cost_hourly")[0]["n"])


def refuse_to_encode(house: House, bad: set[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(table: str, columns: Mapping[str, Sequence[Any]]) -> bytes:
        if bad.intersection(columns["span_id"]):
            raise StoreError("a value does not fit.", rows_at_fault=True)
        return house.troubled.store.encode(table, columns)

    monkeypatch.setattr(house.troubled, "encode", encode)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
