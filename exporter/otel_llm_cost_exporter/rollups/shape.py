"""What a rollup looks like, as the database itself has it: so that no view's SELECT is written a second time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final

from .declared import Rollup
from .under_way import NotNow, Queries, sql

_SUM: Final = re.compile(r"SimpleAggregateFunction\(sum, (?P<type>.+)\)")
_AGGREGATE: Final = re.compile(r"(Simple)?AggregateFunction\(")


@dataclass(frozen=True, slots=True)
class Shape:
    """A rollup's columns by what they are, its view's SELECT, and how the table is laid out."""

    select: str
    columns: tuple[str, ...]
    dimensions: tuple[str, ...]
    sums: dict[str, str]
    """Column → type of the sum."""
    additive: bool
    """Whether there is nothing but dimensions and sums."""
    partition: str
    order: str
    replicated: bool


def shape(store: Queries, rollup: Rollup) -> Shape:
    """Raises NotNow where the database has no such rollup, or none that can be compared or replaced by the month."""
    table, view = (store.query(sql("table"), {"name": name}) for name in (rollup.name, rollup.view))
    if not table or not view:
        missing = rollup.view if table else rollup.name
        raise NotNow(f"The database has no {missing}.  Run: otel-llm-cost migrate --store …")
    if table[0]["partition_key"] != f"toYYYYMM({rollup.time})":
        raise NotNow(f"{rollup.name} is partitioned by {table[0]['partition_key']}, not by toYYYYMM({rollup.time}).")
    types = {
        row["name"]: row["type"] for row in store.query(sql("columns"), {"rollup": rollup.name, "view": rollup.view})
    }
    sums = {name: found["type"] for name, kind in types.items() if (found := _SUM.fullmatch(kind))}
    if not sums:
        raise NotNow(f"{rollup.name} has no sum to compare.")
    dimensions = tuple(name for name, kind in types.items() if not _AGGREGATE.match(kind))
    return Shape(
        select=view[0]["as_select"],
        columns=tuple(types),
        dimensions=dimensions,
        sums=sums,
        additive=len(types) == len(dimensions) + len(sums),
        partition=table[0]["partition_key"],
        order=table[0]["sorting_key"],
        replicated=table[0]["engine"].startswith("Replicated"),
    )


def filled(name: str, **pieces: str) -> str:
    """A packaged statement with names and lists of columns put in; values are bound, never put in."""
    text = sql(name)
    for placeholder, piece in pieces.items():
        text = text.replace(f"{{{placeholder}}}", piece)
    return text


def listed(names: Iterable[str]) -> str:
    """Column names as SQL has them."""
    return ", ".join(f"`{name}`" for name in names)


def by_month(days: Iterable[date]) -> list[list[date]]:
    """The days, each once and in order, a list for each month."""
    return [list(month) for _, month in groupby(sorted(set(days)), key=lambda day: (day.year, day.month))]


def days_of(month: date) -> list[date]:
    """Every day of the month that this day is in."""
    first = month.replace(day=1)
    days = (first + timedelta(days=n) for n in range(31))
    return [day for day in days if day.month == month.month]


def months(store: Queries, rollup: Rollup) -> list[date]:
    """The first days of the months of which a rollup or its source has rows."""
    pieces = {"time": f"`{rollup.time}`", "source_time": f"`{rollup.source_time}`"}
    statement = filled("months", **pieces, rollup=rollup.name, source=rollup.source)
    return [row["month"] for row in store.query(statement)]
