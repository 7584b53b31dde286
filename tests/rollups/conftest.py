from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_llm_cost_exporter.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("chdb://memory") as opened:
        yield opened
