from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.store import Store


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return load_book(environ={})


@pytest.fixture(scope="module")
def one_store() -> Iterator[Store]:
    with Store.open("chdb://memory") as opened:
        yield opened


@pytest.fixture
def store(one_store: Store) -> Store:
    """An empty store; to open one takes longer than all the rest of a test."""
    one_store.query("TRUNCATE TABLE llm_calls")
    return one_store
