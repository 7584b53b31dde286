"""Both sides lined up by day and model, each difference split into its parts.

What a line is compared by depends on what the export has.  Costs: their money against ours; with usage beside them,
their units tell an untraced share from another price.  Costs by class without usage: their units are what the money
buys at our prices, so another price looks like more or fewer units.  Usage alone: their units at our prices stand in
for their money, so only units are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import isqrt

from otel_llm_cost.pricing import Context, PriceBook, Priced
from otel_llm_cost.pricing.buckets import INDEX

from .ours import Calls, Holding
from .parts import Cell, Part, Rates, cost_of, gathered, known_by, projected, rates_of, split, summed, value_of, whole
from .reasons import reason, why
from .records import ANY, STANDARD, Charged, Export, Lane
from .result import TOOLS_LINE, Basis, Line, Reconciliation, total, usd
from .sides import Day, Side, days_of, left_out, sides_of


def reconcile(
    export: Export, ours: Sequence[Calls], book: PriceBook, today: date, began: Mapping[str, date] | None = None
) -> Reconciliation:
    """The comparison of an export with our calls of its days.

    `today` is not over; `began` has the first day on which we have anything of a provider: both are partial days.
    """
    partial = {(p, day) for p, _, day in export.covered if day >= today or (began or {}).get(p) == day}
    days = list(days_of(export, ours, export.partial | partial))
    lines = tuple(line for day in days for line in _lines(day, book))
    return Reconciliation(
        since=min(export.days),
        until=max(export.days),
        providers=export.providers,
        files=export.files,
        total=total(lines),
        lines=lines,
        notes=(*export.notes, *left_out(days)),
    )


def _lines(day: Day, book: PriceBook) -> Iterator[Line]:
    for side in sides_of(day):
        line = _compare(day, side, book)
        if line is not None:
            yield replace(line, reason=reason(line), why=why(line))


def _compare(day: Day, side: Side, book: PriceBook) -> Line | None:
    charged, told = side.charged, side.used
    told = _bought(charged) if told is None and charged else told
    known = known_by([cell for cell, _ in told or ()] or [Cell("", m.lane, "") for m in charged or ()])
    ours = gathered((projected(cell, known), held) for cell, held in side.ours)
    used = None if told is None else summed((projected(cell, known), count) for cell, count in told)
    rate = rates_of(ours, _book_rates(book, day, side))
    currencies = {money.currency for money in charged or ()} - {"USD"}
    theirs = _theirs(charged, used, rate) if not currencies else None
    if not (ours or used or charged or theirs):
        return None
    mine = cost_of(ours)
    parts = {} if theirs is None else _parts(day, side, known, theirs, ours, used, rate)
    difference = None if theirs is None else round(theirs) - round(mine)
    return _line(day, side, ours, used, theirs, _integral(parts, difference), "/".join(sorted(currencies)))


def _theirs(charged: Sequence[Charged] | None, used: Mapping[Cell, Fraction] | None, rate: Rates) -> Fraction | None:
    """Their money; where the export has none, their units at our prices."""
    if charged is not None:
        return Fraction(sum(money.amount for money in charged))
    return value_of(used or {}, rate)


def _integral(parts: Mapping[Part, Fraction], difference: int | None) -> dict[Part, int]:
    return {} if difference is None else whole(parts, difference)


def _bought(charged: Sequence[Charged]) -> tuple[tuple[Cell, Fraction], ...] | None:
    """The units that a line item states, where all of them do."""
    if not all(money.quantity is not None and money.of is not None for money in charged):
        return None
    return tuple((Cell(m.label, m.lane, m.of or ""), Fraction(m.quantity or 0)) for m in charged)


def _parts(
    day: Day,
    side: Side,
    known: Lane,
    theirs: Fraction,
    ours: Mapping[Cell, Holding],
    used: Mapping[Cell, Fraction] | None,
    rate: Rates,
) -> dict[Part, Fraction]:
    difference = theirs - cost_of(ours)
    within = _rounded_by(side.charged or ())
    if side.charged and all(money.kind == "other" for money in side.charged):
        return {"not_a_model": difference}
    if abs(difference) <= within:
        return {"rounding": difference}
    implied = used is None
    if used is None:
        used = _implied(side, known, rate)
    if used is None:
        return _named(
            day, side, {"tools": difference} if side.model == TOOLS_LINE else _unsplit(difference, ours, rate)
        )
    parts = split(theirs, ours, used, rate)
    if implied and abs(parts["untraced"] + parts["cache"] + parts["tier"]) <= within:
        return {"unpriced": parts["unpriced"], "rounding": difference - parts["unpriced"]}
    if abs(parts["price"]) <= within:
        del parts["price"]  # what is left over is rounding
    return _named(day, side, parts)


def _rounded_by(charged: Sequence[Charged]) -> int:
    """How far off rounding is likely to put a sum.

    Roundings up and down cancel: three standard deviations, each row's rounding being uniform.  Not so those of rows
    that were rounded to nothing, which all went down.
    """
    nothing = sum(money.within for money in charged if not money.amount)
    others = [money.within for money in charged if money.amount]
    return nothing + min(sum(others), isqrt(3 * sum(within * within for within in others)))


def _unsplit(difference: Fraction, ours: Mapping[Cell, Holding], rate: Rates) -> dict[Part, Fraction]:
    """Money by neither class nor unit: what we could not price explains it first, then calls that we do not have."""
    open_units = {cell: held.unpriced for cell, held in ours.items() if held.unpriced}
    if any(rate(cell) is None for cell in open_units):
        return {"unpriced": difference}
    unpriced = sum((count * (rate(cell) or Fraction(0)) for cell, count in open_units.items()), Fraction(0))
    return {"unpriced": unpriced, "untraced": difference - unpriced}


def _implied(side: Side, known: Lane, rate: Rates) -> dict[Cell, Fraction] | None:
    """The units that their money buys at our prices; None where it is not by class, or a class has no price."""
    out: list[tuple[Cell, Fraction]] = []
    for money in side.charged or ():
        cell = projected(Cell(side.model, money.lane, money.of or ""), known)
        price = rate(cell) if money.of else None
        if not price and money.amount:
            return None
        out.append((cell, Fraction(money.amount) / price if price else Fraction(0)))
    return summed(out)


def _named(day: Day, side: Side, parts: dict[Part, Fraction]) -> dict[Part, Fraction]:
    """Fees are fees, and on a day of which one side has only some hours more units are the missing hours."""
    if side.model == TOOLS_LINE and "price" in parts:
        parts["tools"] = parts.pop("price")
    if day.partial and "untraced" in parts:
        parts["partial_day"] = parts.pop("untraced")
    return parts


def _book_rates(book: PriceBook, day: Day, side: Side) -> Rates:
    calls = day.calls if side.model == TOOLS_LINE else side.calls  # a fee is one for all models of a day
    used = {used.model for _, used in day.used} if side.model == TOOLS_LINE else set()
    names = [side.model, *sorted({one.model for one in calls} | used)]

    def rate(cell: Cell) -> Fraction | None:
        for name in dict.fromkeys((cell.model, *(names if cell.model in ("", side.model) else ()))):
            found = _card_rate(book, day, name, cell)
            if found is not None:
                return found
        return None

    return rate


def _card_rate(book: PriceBook, day: Day, model: str, cell: Cell) -> Fraction | None:
    """What the price book has for a cell; the part of a lane that is not known is taken to be standard."""
    if cell.of not in INDEX:
        return None
    lane = Lane._make(s if v is None else v for v, s in zip(cell.lane, STANDARD, strict=True))
    context = Context(
        service_tier=lane.tier,
        batch=bool(lane.batch),
        speed=lane.speed,
        region=None if lane.geo == "global" else lane.geo,
    )
    found = book.resolve(day.provider, model, day.day, context)
    if not isinstance(found, Priced):
        return None
    rate = (found.card.rows[-1] if lane.long else found.card.rows[0])[INDEX[cell.of]]
    return None if rate is None else Fraction(rate)


def _line(
    day: Day,
    side: Side,
    ours: Mapping[Cell, Holding],
    used: Mapping[Cell, Fraction] | None,
    theirs: Fraction | None,
    parts: Mapping[Part, int],
    currency: str,
) -> Line:
    mine, units = cost_of(ours), _by_class(ours)
    unknown = not any(held.priced for held in units.values()) and bool(units)
    stated = None if theirs is None else round(theirs)
    return Line(
        day=day.day,
        provider=day.provider,
        model=side.model,
        ours=None if unknown else usd(round(mine)),
        theirs=None if stated is None else usd(stated),
        difference=None if stated is None else usd(stated - round(mine)),
        parts={name: usd(part) for name, part in sorted(parts.items(), key=lambda pair: -abs(pair[1]))},
        basis=_basis(side),
        our_names=tuple(sorted({calls.model for calls in side.calls})),
        calls=sum(calls.calls for calls in side.calls),
        unpriced_calls=sum(c.calls for c in side.calls if any(held.unpriced for _, held in c.holdings)),
        estimated_calls=sum(calls.estimated for calls in side.calls),
        requests=side.requests,
        our_units={of: held.units for of, held in sorted(units.items())},
        their_units=None if used is None else _their_units(used),
        our_price={of: _per_million(h.value, h.priced) for of, h in sorted(units.items()) if h.priced},
        their_price=_their_price(side, used),
        our_lanes=_lanes(cell.lane for cell, _ in side.ours),
        their_lanes=_lanes([c.lane for c, _ in side.used or ()] or [m.lane for m in side.charged or ()]),
        currency=currency or "USD",
    )


def _basis(side: Side) -> Basis:
    if side.charged is None:
        return "usage"
    return "cost" if side.used is None else "cost and usage"


def _by_class(ours: Mapping[Cell, Holding]) -> dict[str, Holding]:
    out: dict[str, Holding] = {}
    for cell, held in ours.items():
        out[cell.of] = out.get(cell.of, Holding()) + held
    return out


def _their_units(used: Mapping[Cell, Fraction]) -> dict[str, int]:
    out: dict[str, int] = {}
    for cell, count in sorted(used.items(), key=lambda pair: pair[0].of):
        out[cell.of] = out.get(cell.of, 0) + round(count)
    return out


def _their_price(side: Side, used: Mapping[Cell, Fraction] | None) -> dict[str, Decimal]:
    """What they charge by class, on average: their money for it over their units of it."""
    units = _their_units(used or {})
    money: dict[str, int] = {}
    for one in side.charged or ():
        if one.of:
            money[one.of] = money.get(one.of, 0) + one.amount
    return {of: _per_million(Fraction(amount), units[of]) for of, amount in sorted(money.items()) if units.get(of)}


def _lanes(lanes: Iterable[Lane]) -> tuple[str, ...]:
    """How calls were served, in words, where it is known."""
    return tuple(sorted({_words(lane) for lane in lanes if lane != ANY}))


def _words(lane: Lane) -> str:
    said = ("batch" if lane.batch else "", lane.tier, "long context" if lane.long else "", lane.speed, lane.geo)
    return ", ".join(word for word in said if word and word not in STANDARD) or "standard"


def _per_million(value: Fraction, count: int) -> Decimal:
    return usd(round(value * 1_000_000 / count))
