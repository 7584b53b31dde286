from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from otel_llm_cost_exporter.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAY_1 = datetime(2026, 5, 1, 12, tzinfo=UTC)
_DAY_NS = 86_400 * 10**9


def row(day: int = 1, **columns: Any) -> dict[str, Any]:
    """A counted and priced call of 2026-05-`day` at noon; costs are in pico-dollars."""
    plain = {
        "ts": int(MAY_1.timestamp()) * 10**9 + (day - 1) * _DAY_NS,
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "input_tokens": 100,
        "cache_read_tokens": 20,
        "output_tokens": 10,
        "cost": 250_000_000,
        "price_status": "exact",
        "counted": True,
    }
    return plain | columns


ROWS = [
    row(),
    row(day=2, feature="support", project="shop", cost=750_000_001),
    row(request_model="gpt-4o-mini", response_model="gpt-4o-mini-2024-07-18", feature="support", cost=1),
    row(counted=False, counted_reason="duplicate_response", cost=9_000_000_000_000),
    row(request_model="acme-llm-1", response_model="", cost=None, price_status="unknown", price_reason="unknown_model"),
    row(cost=None, price_status="unknown", price_reason="no_usage", input_tokens=None, output_tokens=None),
    row(
        response_model="",
        cost=None,
        price_status="unknown",
        price_reason="failed",
        error_type="rate_limit_exceeded",
        input_tokens=None,
        cache_read_tokens=None,
        output_tokens=None,
    ),
]


def fill(dsn: str, rows: list[dict[str, Any]]) -> None:
    names = sorted({name for one in rows for name in one})
    with Store.open(dsn) as store:
        if rows:
            empty = {"feature": "", "project": "", "counted_reason": "", "price_reason": "", "error_type": ""}
            store.insert("llm_calls", {name: [one.get(name, empty.get(name)) for one in rows] for name in names}, "t")


@contextmanager
def held(dsn: str) -> Iterator[int]:
    """The store open in another process, which is told by its id."""
    code = (
        f"import sys; from otel_llm_cost_exporter.store import Store; store = Store.open({dsn!r});"
        "print('open', flush=True); sys.stdin.read(); store.close()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        yield holder.pid
        holder.communicate()


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    address = f"chdb://{tmp_path / 'llm_cost.db'}"
    fill(address, ROWS)
    return address


@pytest.fixture
def empty_dsn(tmp_path: Path) -> str:
    address = f"chdb://{tmp_path / 'llm_cost.db'}"
    fill(address, [])
    return address


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("COLUMNS", "120")
    return CliRunner()
