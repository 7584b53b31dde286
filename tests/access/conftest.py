from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost_exporter.access import Key
from otel_llm_cost_exporter.access.files import change
from otel_llm_cost_exporter.access.keys import mint

from .receivers import Running, receivers

Serve = Callable[..., Running]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts receivers before a sink; they stop with the test."""
    with ExitStack() as at_end:
        yield lambda *said, **more: at_end.enter_context(receivers(*said, **more))


Mint = Callable[..., str]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def new_key(key_file: Path) -> Mint:
    """Creates a key in the file and gives it."""

    def create(project: str = "shop", **fields: Any) -> str:
        identity, digest, secret = mint()
        made = Key(id=identity, digest=digest, project=project, created_at=datetime.now(UTC), **fields)
        change(key_file, lambda there: (*there, made))
        return secret

    return create


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()
