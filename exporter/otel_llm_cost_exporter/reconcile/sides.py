"""What each side has to put against the other, by day: the rows of the comparison before they are compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from .names import meet
from .ours import TOOLS, Calls, Holding
from .parts import Cell, cost_of
from .records import ANY, Charged, Export, Used
from .result import ALL_MODELS, TOOLS_LINE, usd

_BILLED_BY_THE_TOKEN: Final = frozenset({"completions", "embeddings", "moderations", "messages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What both sides have for one line, before it is compared."""

    model: str
    calls: tuple[Calls, ...] = ()
    ours: tuple[tuple[Cell, Holding], ...] = ()
    used: tuple[tuple[Cell, Fraction], ...] | None = None
    """None: the export has no usage of this."""
    requests: int | None = None
    charged: tuple[Charged, ...] | None = None
    """None: the export has no costs of this day."""


@dataclass(frozen=True, slots=True)
class Day:
    """One provider's day in the export."""

    day: date
    provider: str
    tables: frozenset[str]
    used: tuple[tuple[str, Used], ...]
    charged: tuple[Charged, ...]
    calls: tuple[Calls, ...]
    partial: bool


def days_of(export: Export, ours: Sequence[Calls], partial: frozenset[tuple[str, date]]) -> Iterator[Day]:
    """The days of an export in order, with what both sides have of them."""
    tables: dict[tuple[date, str], set[str]] = {}
    for provider, table, day in export.covered:
        tables.setdefault((day, provider), set()).add(table)
    used, charged, calls = _by_day(export, ours)
    for (day, provider), covered in sorted(tables.items()):
        key = (day, provider)
        yield Day(
            day=day,
            provider=provider,
            tables=frozenset(covered),
            used=tuple(used.get(key, ())),
            charged=tuple(charged.get(key, ())),
            calls=tuple(c for c in calls.get(key, ()) if "cost" in covered or c.table in covered),
            partial=(provider, day) in partial,
        )


_Key = tuple[date, str]


def _by_day(
    export: Export, ours: Sequence[Calls]
) -> tuple[dict[_Key, list[tuple[str, Used]]], dict[_Key, list[Charged]], dict[_Key, list[Calls]]]:
    used: dict[_Key, list[tuple[str, Used]]] = {}
    charged: dict[_Key, list[Charged]] = {}
    calls: dict[_Key, list[Calls]] = {}
    for provider, table, record in export.used:
        used.setdefault((record.day, provider), []).append((table, record))
    for provider, money in export.charged:
        charged.setdefault((money.day, provider), []).append(money)
    for one in ours:
        calls.setdefault((one.day, one.provider), []).append(one)
    return used, charged, calls


def left_out(days: Iterable[Day]) -> Iterator[str]:
    """What of ours has nothing to stand against."""
    fees: dict[str, Fraction] = {}
    for day in days:
        if "cost" not in day.tables:
            for calls in day.calls:
                held = cost_of(dict(_cells(calls, TOOLS - _counted(day))))
                fees[day.provider] = fees.get(day.provider, Fraction(0)) + held
    for provider, fee in fees.items():
        if fee:
            said = f"{usd(round(fee)):f} USD of our tool fees are not compared"
            yield f"{provider}: {said}: usage alone does not have them"


def _counted(day: Day) -> frozenset[str]:
    """Tools that the usage of a day counts."""
    return frozenset({"web_search"}) if "messages" in day.tables else frozenset()


def sides_of(day: Day) -> Iterator[Side]:
    """The lines of a day: one by model, one of tools, one for each thing that is neither; or one of everything."""
    tokens = [used for table, used in day.used if table in _BILLED_BY_THE_TOKEN]
    grouped = all(used.model or not used.counts for used in tokens)
    has_cost = "cost" in day.tables
    if any(money.kind == "ungrouped" for money in day.charged) or not (grouped or has_cost):
        yield _everything(day, tokens)
        return
    by_name = _names(day, tokens if grouped else [])
    for model in sorted({*by_name.values(), *_their_names(day, tokens)} - {""}):
        yield _model(day, model, by_name, tokens if grouped else [])
    yield _tools(day, tokens)
    for label in sorted({money.label for money in day.charged if money.kind == "other"}):
        yield Side(model=label, charged=tuple(m for m in day.charged if (m.kind, m.label) == ("other", label)))
    for table in sorted(day.tables - _BILLED_BY_THE_TOKEN - {"cost"} if not has_cost else ()):
        units = [used for name, used in day.used if name == table]
        yield from (_units(model, units) for model in sorted({u.model or f"({table})" for u in units if u.counts}))


def _their_names(day: Day, tokens: Sequence[Used]) -> set[str]:
    return {used.model for used in tokens} | {money.label for money in day.charged if money.kind == "model"}


def _names(day: Day, tokens: Sequence[Used]) -> dict[str, str]:
    """Our name → the line's.  Names of usage and of costs may differ too; then usage's is the line's."""
    used = {used.model for used in tokens} - {""}
    costs = meet({money.label for money in day.charged if money.kind == "model"}, used)
    return {**meet({calls.model for calls in day.calls}, used | set(costs.values())), **costs}


def _model(day: Day, model: str, names: Mapping[str, str], tokens: Sequence[Used]) -> Side:
    calls = tuple(one for one in day.calls if names.get(one.model) == model)
    used = [one for one in tokens if one.model == model]
    charged = [m for m in day.charged if m.kind == "model" and names.get(m.label, m.label) == model]
    return Side(
        model=model,
        calls=calls,
        ours=tuple(_renamed(model, (pair for one in calls for pair in _cells(one) if pair[0].of not in TOOLS))),
        used=tuple(_used(used)) if used or "cost" not in day.tables else None,
        requests=_requests(used),
        charged=tuple(charged) if "cost" in day.tables else None,
    )


def _tools(day: Day, tokens: Sequence[Used]) -> Side:
    """Fees by the request.  A model's own work for another model's answer stands with them, as it does in our bill."""
    compared = TOOLS if "cost" in day.tables else _counted(day)
    held = [pair for calls in day.calls for pair in _cells(calls, compared)]
    used = [(Cell(TOOLS_LINE, ANY, of), Fraction(n)) for one in tokens for of, n in one.counts if of in TOOLS]
    charged = tuple(money for money in day.charged if money.kind == "tools")
    counted = {cell.of for cell, _ in used}
    return Side(
        model=TOOLS_LINE,
        ours=tuple((Cell(TOOLS_LINE, ANY, cell.of), holding) for cell, holding in held),
        used=tuple(used) if "cost" not in day.tables or (counted and {m.of for m in charged} <= counted) else None,
        charged=charged if "cost" in day.tables else None,
    )


def _everything(day: Day, tokens: Sequence[Used]) -> Side:
    """A day that is not told by model.  Usage by model still helps, if it is there."""
    has_cost = "cost" in day.tables
    theirs = tuple(pair for pair in _used(tokens)) if tokens or not has_cost else None
    names = meet({calls.model for calls in day.calls}, {cell.model for cell, _ in theirs or ()} - {""})
    ours = [
        (cell._replace(model=names.get(cell.model, cell.model) if any(c.model for c, _ in theirs or ()) else ""), held)
        for calls in day.calls
        for cell, held in _cells(calls)
        if has_cost or cell.of not in TOOLS
    ]
    return Side(
        model=ALL_MODELS,
        calls=day.calls,
        ours=tuple(ours) if theirs is not None else tuple(pair for c in day.calls for pair in _cells(c)),
        used=theirs,
        requests=_requests(tokens),
        charged=day.charged if has_cost else None,
    )


def _units(model: str, used: Sequence[Used]) -> Side:
    """Usage that is not by the token: shown, and without a price."""
    mine = [one for one in used if one.model in (model, "")]
    return Side(model=model, used=tuple(_used(mine, tools=True)))


def _cells(calls: Calls, only: frozenset[str] | None = None) -> Iterator[tuple[Cell, Holding]]:
    return ((Cell(calls.model, calls.lane, of), held) for of, held in calls.holdings if only is None or of in only)


def _renamed(model: str, pairs: Iterable[tuple[Cell, Holding]]) -> Iterator[tuple[Cell, Holding]]:
    return ((cell._replace(model=model), held) for cell, held in pairs)


def _used(records: Iterable[Used], *, tools: bool = False) -> Iterator[tuple[Cell, Fraction]]:
    """Units by cell; summed as the integers that they are, because an export of minutes has very many."""
    counts: dict[Cell, int] = {}
    for one in records:
        for of, count in one.counts:
            if tools or of not in TOOLS:
                cell = Cell(one.model, one.lane, of)
                counts[cell] = counts.get(cell, 0) + count
    return ((cell, Fraction(count)) for cell, count in counts.items())


def _requests(used: Iterable[Used]) -> int | None:
    said = [one.requests for one in used if one.requests is not None]
    return sum(said) if said else None
