"""Random calls over months, and the ways in which a rollup comes to differ from them."""
# ruff: noqa: S311, S608  # chance is no secret, and the statements are ours

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from otel_llm_cost_exporter.store import Store

FIRST = date(2026, 9, 20)
DAYS = [FIRST + timedelta(days=n) for n in range(60)]
HELD = "SELECT * FROM cost_hourly FINAL ORDER BY ALL"
VIEW = "SELECT as_select AS text FROM system.tables WHERE database = currentDatabase() AND name = 'cost_hourly_mv'"


def nanoseconds(day: date, second: float = 0) -> int:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return int(start) * 10**9 + int(second * 10**9)


def columns(seed: int, rows: int = 400, days: list[date] | None = None) -> dict[str, list[Any]]:
    """Calls of any kind; equal seeds give equal calls."""
    chance = random.Random(seed)
    known = [chance.random() < 0.9 for _ in range(rows)]
    return {
        "ts": [nanoseconds(chance.choice(days or DAYS), chance.random() * 86_399) for _ in range(rows)],
        "trace_id": [chance.randbytes(16) for _ in range(rows)],
        "span_id": [chance.randbytes(8) for _ in range(rows)],
        "project": [chance.choice(("shop", "search", "")) for _ in range(rows)],
        "provider": [chance.choice(("openai", "anthropic")) for _ in range(rows)],
        "response_model": [chance.choice(("a", "b", "")) for _ in range(rows)],
        "error_type": [chance.choice(("", "", "timeout")) for _ in range(rows)],
        "input_tokens": [chance.choice((None, chance.randrange(10**6))) for _ in range(rows)],
        "cost": [chance.randrange(10**13) if priced else None for priced in known],
        "cost_input": [chance.randrange(10**12) if priced else None for priced in known],
        "price_reason": ["" if priced else chance.choice(("failed", "no_usage", "unknown_model")) for priced in known],
        "counted": [chance.random() < 0.9 for _ in range(rows)],
    }


def insert(store: Store, seed: int, rows: int = 400, days: list[date] | None = None) -> None:
    """A batch, under a token of its own."""
    store.insert("llm_calls", columns(seed, rows, days), f"batch {seed}")


def without_view(store: Store, seed: int, days: list[date] | None = None) -> None:
    """A batch that the rollup never hears of."""
    select = store.query(VIEW)[0]["text"]
    store.command("DROP TABLE cost_hourly_mv SYNC")
    insert(store, seed, days=days)
    store.command(f"CREATE MATERIALIZED VIEW cost_hourly_mv TO cost_hourly AS {select}")


def one_too_many(store: Store, day: date, pico: int = 10**12) -> None:
    """The rollup has a call more than there is, of so many pico-dollars; the same twice would be one block."""
    store.command(
        f"INSERT INTO cost_hourly (hour, calls, cost) VALUES ('{day} 03:00:00', 1, {Decimal(pico).scaleb(-12):f})"
    )


def held(store: Store) -> list[dict[str, Any]]:
    """Every group of the rollup with all its sums."""
    return store.query(HELD)


def made(store: Store) -> list[dict[str, Any]]:
    """The groups as the rows make them."""
    select = store.query(VIEW)[0]["text"]
    return store.query(f"SELECT * FROM ({select}) ORDER BY ALL")
