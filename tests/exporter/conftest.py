from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.receive.collector import Collector
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.store import Store


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return load_book()


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("chdb://memory") as opened:
        yield opened


@pytest.fixture
def ingest(store: Store, book: PriceBook) -> Ingest:
    """The road without a transport."""
    return Ingest(Pipeline(store, book, patience=0.0))


@pytest.fixture
def collector(store: Store, book: PriceBook, tmp_path: Path) -> Iterator[Collector]:
    journal = tmp_path / "journal"
    with Collector(store, book, journal, http_port=0, grpc_port=0, limit=1_000_000, most_wait=0.0) as running:
        yield running
