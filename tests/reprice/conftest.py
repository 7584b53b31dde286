from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.store import Store


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook.vendored()


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("chdb://memory") as opened:
        yield opened
