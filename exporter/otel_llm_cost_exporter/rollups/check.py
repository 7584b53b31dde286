"""Rows against rollups: which days differ, in which sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from .declared import ROLLUPS, Rollup
from .shape import Shape, by_month, filled, listed, shape
from .under_way import Queries, sql

_LOOKS: Final = 3
_AT_ONCE: Final = 8
"""Days of one question: a group takes about 600 bytes of memory while it is compared."""

Amount = int | Decimal


@dataclass(frozen=True, slots=True)
class Drift:
    """A UTC day on which a rollup is not what its view makes of the rows.

    `raw` and `kept` are the sums by column, of the groups that differ, of those columns that differ in all; both are
    empty where the differences of `groups` cancel each other.
    """

    rollup: str
    day: date
    groups: int
    raw: dict[str, Amount]
    kept: dict[str, Amount]

    @property
    def differences(self) -> tuple[tuple[str, Amount], ...]:
        """What the rollup lacks, by column.  A call that arrives changes both sides and none of these."""
        return tuple((name, self.raw[name] - self.kept[name]) for name in self.raw)

    def pico(self, money: str) -> int:
        """By how many pico-dollars it differs, in the column of that name."""
        return abs(int(Decimal(dict(self.differences).get(money, 0)).scaleb(12)))

    def __str__(self) -> str:
        told = ", ".join(f"{name} {self.kept[name]} instead of {self.raw[name]}" for name in self.raw)
        return f"{self.rollup} differs from the rows on {self.day} in {self.groups} groups: {told or 'sums cancel'}"


def check(store: Queries, days: Iterable[date], rollups: Sequence[Rollup] = ROLLUPS) -> list[Drift]:
    """One look at these UTC days, some at a time.  What arrives while it lasts may show as a drift: see `steady`."""
    parts = [month[start : start + _AT_ONCE] for month in by_month(days) for start in range(0, len(month), _AT_ONCE)]
    return [
        drift
        for rollup in rollups
        for made in ((shape(store, rollup),) if parts else ())
        for part in parts
        for drift in _compare(store, rollup, made, part)
    ]


def steady(store: Queries, days: Iterable[date], rollups: Sequence[Rollup] = ROLLUPS) -> list[Drift]:
    """As `check`, beside a collector that writes: only what is the same over several looks is told."""
    found = check(store, days, rollups)
    for _ in range(_LOOKS - 1):
        if found:
            found = same(found, check(store, {drift.day for drift in found}, rollups))
    return found


def same(first: Iterable[Drift], second: Iterable[Drift]) -> list[Drift]:
    """What both looks found, as the second saw it."""
    known = {(drift.rollup, drift.day, drift.differences) for drift in first}
    return [drift for drift in second if (drift.rollup, drift.day, drift.differences) in known]


def copies(store: Queries, days: Iterable[date]) -> dict[date, int]:
    """Calls that are counted more than once, by day: how many too many.  `otel-llm-cost settle` sets them aside."""
    found = (store.query(sql("copies"), {"days": month}) for month in by_month(days))
    return {row["day"]: row["copies"] for rows in found for row in rows}


def _compare(store: Queries, rollup: Rollup, made: Shape, days: Sequence[date]) -> list[Drift]:
    numbers = range(len(made.sums))
    totals = ", ".join(f"sum(raw{n}) AS all_raw{n}, sum(kept{n}) AS all_kept{n}" for n in numbers)
    statement = filled("compare", time=f"`{rollup.time}`", totals=totals, differing=differing(rollup, made))
    return [_drift(rollup, list(made.sums), row) for row in store.query(statement, {"days": list(days)})]


def differing(rollup: Rollup, made: Shape) -> str:
    """The SELECT of the groups that differ on `days`: dimensions, and of the nth sum `raw{n}` and `kept{n}`."""
    numbered = list(enumerate(made.sums.items()))
    return filled(
        "differing",
        rollup=rollup.name,
        time=f"`{rollup.time}`",
        dimensions=listed(made.dimensions),
        values=", ".join(f"CAST(`{name}` AS {kind}) AS v{n}" for n, (name, kind) in numbered),
        sides=", ".join(f"sumIf(v{n}, raw) AS raw{n}, sumIf(v{n}, NOT raw) AS kept{n}" for n, _ in numbered),
        differ=" OR ".join(f"raw{n} != kept{n}" for n, _ in numbered),
        select=made.select,
    )


def _drift(rollup: Rollup, names: Sequence[str], row: dict[str, Any]) -> Drift:
    differing = {n: name for n, name in enumerate(names) if row[f"all_raw{n}"] != row[f"all_kept{n}"]}
    return Drift(
        rollup=rollup.name,
        day=row["day"],
        groups=row["groups"],
        raw={name: row[f"all_raw{n}"] for n, name in differing.items()},
        kept={name: row[f"all_kept{n}"] for n, name in differing.items()},
    )
