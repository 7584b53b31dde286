"""What the calls cost, by model, feature, provider, day or project, read from the store.

Only rows with counted = 1 are summed.  A cost that nobody knows is never a zero: it stays out of the sum and stands
beside it, by model and reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, Protocol

Dimension = Literal["model", "feature", "provider", "day", "project"]
DIMENSIONS: Final[tuple[Dimension, ...]] = ("model", "feature", "provider", "day")
"""The dimensions that a report has unless it is asked for others."""

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(2200, 1, 1, tzinfo=UTC)


class Queries(Protocol):
    """The one thing a report needs of a store."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over counted calls.  `None` means that no call said so; tokens of a total include their details."""

    name: str = ""
    calls: int = 0
    errors: int = 0
    failed: int = 0
    """Calls that got no answer and used nothing."""
    unpriced: int = 0
    """Calls whose usage is known and whose price is not."""
    unknown_usage: int = 0
    """Calls that were answered, and nobody said what was used."""
    partly_priced: int = 0
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: Decimal | None = None
    """US dollars, exact; `None` where not one call could be priced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """Calls that the total lacks (status `unknown`) or has in part (`partial`), and why."""

    provider: str
    model: str
    status: str
    reason: str
    calls: int
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Rows that are kept and not billed."""

    reason: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one period; open ends are `None`."""

    since: datetime | None
    until: datetime | None
    total: Figures
    by: Mapping[Dimension, Sequence[Figures]]
    unpriced: Sequence[Unpriced]
    set_aside: Sequence[SetAside]


def read_report(
    store: Queries,
    by: Sequence[Dimension] = DIMENSIONS,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Report:
    """The report on calls that began in [since, until)."""
    period = {"since": within(since or _BEGINNING), "until": within(until or _END)}
    total = _costs(store, "everything", period)
    return Report(
        since=since,
        until=until,
        total=total[0] if total else Figures(),
        by={dimension: _ordered(dimension, _costs(store, dimension, period)) for dimension in by},
        unpriced=[Unpriced(**row) for row in store.query(sql("unpriced"), period)],
        set_aside=[SetAside(**row) for row in store.query(sql("set_aside"), period)],
    )


def within(moment: datetime) -> datetime:
    """The moment, or the end of time next to it: a column of nanoseconds knows no year 1 and no year 9999."""
    return min(max(moment, _BEGINNING), _END)


@cache
def sql(name: str) -> str:
    """The text of one of the packaged queries."""
    return files(__package__).joinpath("report_sql", f"{name}.sql").read_text(encoding="utf-8")


def _costs(store: Queries, dimension: str, period: Mapping[str, datetime]) -> list[Figures]:
    wanted = {field.name for field in fields(Figures)}
    rows = store.query(sql("costs"), {**period, "by": dimension})
    return [Figures(**{name: value for name, value in row.items() if name in wanted}) for row in rows]


def _ordered(dimension: Dimension, figures: list[Figures]) -> list[Figures]:
    """Days come in their own order, all else with the dearest first."""
    return sorted(figures, key=lambda line: line.name) if dimension == "day" else figures
