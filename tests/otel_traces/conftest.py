from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.store import Store

from . import upstream

FILLED = ("otel_traces", "llm_calls", "llm_calls_set_aside", "cost_hourly")


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.vendored()


@pytest.fixture(scope="module")
def laid() -> Iterator[Store]:
    """A store beside the upstream exporter's table, with the road between them: a second to make."""
    with Store.open("chdb://memory") as opened:
        upstream.table(opened)
        upstream.road(opened)
        yield opened


@pytest.fixture
def store(laid: Store) -> Store:
    """The same without a call; prices that were loaded stay."""
    for table in FILLED:
        laid.query(f"TRUNCATE TABLE {table}")
    return laid
