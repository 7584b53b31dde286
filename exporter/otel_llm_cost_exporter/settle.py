"""One call, one bill, after the fact: calls that were counted and turned out to be told twice.

The pipeline asks the store before it counts a call (see `recall`), but two collectors that store two tellings of a call
in one second do not see each other, and a parent that says nothing of usage is a call until its child arrives.  Here
the rows of the last days are judged once more, all together.  A row in `llm_calls_set_aside` takes a call out of the
rollup by a materialized view; then the row in `llm_calls` is marked with the reason.  A run that broke off between the
two is finished by the next: what is out of the rollup and not marked is inserted again under the same token.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from .reprice import Rewrites
from .reprice.corrections import MONEY, pico
from .rollups import Drift, steady
from .rollups.under_way import refuse_beside_runs

_PART: Final = 20_000
"""Rows of one insert."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was set aside, by reason; calls that could not be told apart; days on which rows and rollups differ."""

    set_aside: dict[str, int] = field(default_factory=dict)
    left_alone: int = 0
    drift: list[Drift] = field(default_factory=list)


def settle(store: Rewrites, days: int = 1) -> Settled:
    """Judge the calls that were stored in the last `days` once more.

    Raises NotNow while a `reprice` is under way; not to be run twice at one time.
    """
    refuse_beside_runs(store)
    unmarked = _finish(store)
    links = "links_of_spans" if store.query("EXISTS TABLE otel_traces")[0]["result"] else "links_of_calls"
    found = store.query(_sql("find").replace("{links}", _sql(links)), {"days": days})
    told_twice = [_row(row) for row in found if not row["left_alone"]]
    now = time.time_ns() // 10**6
    for n, start in enumerate(range(0, len(told_twice), _PART)):
        _take_out([row | {"set_aside_at": now + n} for row in told_twice[start : start + _PART]], store)
    if told_twice:
        store.command(_sql("apply"))
    reasons = dict(Counter(row["reason"] for row in told_twice))
    touched = {datetime.fromtimestamp(row["ts"] // 10**9, UTC).date() for row in (*told_twice, *unmarked)}
    return Settled(reasons, len(found) - len(told_twice), steady(store, touched))


def _finish(store: Rewrites) -> list[dict[str, Any]]:
    """What a run that broke off left: its parts again, which are stored once, and then the marks."""
    rows = [row | {name: pico(row[name]) for name in MONEY} for row in store.query(_sql("unmarked"))]
    for _, part in groupby(rows, key=itemgetter("set_aside_at")):
        _take_out(list(part), store)
    if rows:
        store.command(_sql("apply"))
    return rows


def _take_out(rows: list[dict[str, Any]], store: Rewrites) -> None:
    """One part, known by when it was made: tried again it is the same, and stored once."""
    rows.sort(key=itemgetter("trace_id", "span_id", "received_at"))
    store.insert("llm_calls_set_aside", {name: [row[name] for row in rows] for name in sorted(rows[0])}, _token(rows))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if name not in ("ts_ns", "received_ms", "left_alone", *MONEY)}
    times = {"ts": row["ts_ns"], "received_at": row["received_ms"]}
    return told | times | {name: pico(row[name]) for name in MONEY}


def _token(rows: Sequence[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256(str(rows[0]["set_aside_at"]).encode())
    for row in rows:
        digest.update(row["trace_id"] + row["span_id"] + str(row["received_at"]).encode())
    return digest.hexdigest()


@cache
def _sql(name: str) -> str:
    return files(__package__).joinpath("settle_sql", f"{name}.sql").read_text(encoding="utf-8")
