from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm_cost_exporter.store import Store

from .house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Store.open("chdb://memory") as store:
        built = House(tmp_path / "journal", store)
        yield built
        if built.flusher.alive:
            built.down()
