"""One call, one bill, after the fact: calls that were counted and turned out to be told twice.

The pipeline asks the store before it counts a call (see `recall`), but two collectors that store two tellings of a call
in one second do not see each other, and a parent that says nothing of usage is a call until its child arrives.  Here
the rows of the last days are judged once more, all together.  A row in `llm_calls_set_aside` takes a call out of the
rollup by a materialized view; then the row in `llm_calls` is marked with the reason.  Both bear being done again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

from .reprice import Rewrites, drift
from .reprice.corrections import MONEY, pico

_PART: Final = 20_000
"""Rows of one insert."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was set aside, by reason; calls that could not be told apart; hours in which rows and rollup differ."""

    set_aside: dict[str, int] = field(default_factory=dict)
    left_alone: int = 0
    drift: list[dict[str, Any]] = field(default_factory=list)


def settle(store: Rewrites, days: int = 1) -> Settled:
    """Judge the calls that were stored in the last `days` once more.  Not to be run twice at one time."""
    links = "links_of_spans" if store.query("EXISTS TABLE otel_traces")[0]["result"] else "links_of_calls"
    found = store.query(_sql("find").replace("{links}", _sql(links)), {"days": days})
    told_twice = [row for row in found if not row["left_alone"]]
    for start in range(0, len(told_twice), _PART):
        part = [_row(row) for row in told_twice[start : start + _PART]]
        store.insert("llm_calls_set_aside", {name: [row[name] for row in part] for name in part[0]}, _token(part))
    store.command(_sql("apply"))  # also what an earlier run did not come to
    return Settled(
        dict(Counter(row["reason"] for row in told_twice)), len(found) - len(told_twice), _drift(store, told_twice)
    )


def _drift(store: Rewrites, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if not rows:
        return []
    moments = [datetime.fromtimestamp(row["ts_ns"] // 10**9, UTC) for row in rows]
    return drift(store, min(moments), max(moments) + timedelta(seconds=1))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if name not in ("ts_ns", "received_ms", "left_alone", *MONEY)}
    times = {"ts": row["ts_ns"], "received_at": row["received_ms"]}
    return told | times | {name: pico(row[name]) for name in MONEY}


def _token(rows: Sequence[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row["trace_id"] + row["span_id"] + str(row["received_at"]).encode())
    return digest.hexdigest()


@cache
def _sql(name: str) -> str:
    return files(__package__).joinpath("settle_sql", f"{name}.sql").read_text(encoding="utf-8")
