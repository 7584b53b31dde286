"""A difference between two bills, split into parts that add up to it.

With O our units and T theirs by cell (model, lane, class), r the price of a cell with us, and a bar for the average
price where cells are put together, weighted by their units:

    theirs − ours  =  (theirs − Σ T·r)             price: the same units at another price
                   +  Σ U·r                        unpriced: units U of ours that have no price in our figures
                   +  Σ d·r − Σ N·r̄                tier: d = T − O by cell, N the same without the lane
                   +  Σ N·r̄ − Σ M·r̄̄                cache: M the same without the class either, input and output apart
                   +  Σ M·r̄̄                        untraced: more units, all else alike

Every line cancels a term of the next, so the sum is exact whatever r is.  Weights are theirs, so that a bill which is
ours k times over is untraced and nothing else.  Figures are fractions of pico-dollars; `whole` makes them integers
and puts what that loses into rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Final, Literal, NamedTuple, TypeVar

from .ours import Holding
from .records import STANDARD, Lane

Part = Literal[
    "untraced",
    "price",
    "unpriced",
    "tier",
    "cache",
    "partial_day",
    "tools",
    "not_a_model",
    "rounding",
]

Rates = Callable[["Cell"], Fraction | None]
K = TypeVar("K")
L = TypeVar("L")
_ZERO: Final = Fraction(0)
_OUTPUT: Final = "output"


class Cell(NamedTuple):
    """What may have a price of its own."""

    model: str
    lane: Lane
    of: str


Ours = Mapping[Cell, Holding]
Theirs = Mapping[Cell, Fraction]


def projected(cell: Cell, known: Lane) -> Cell:
    """The cell as seen by an export that knows only some dimensions: those that are not None in `known`."""
    said = (
        None if k is None else STANDARD[i] if v is None else v
        for i, (v, k) in enumerate(zip(cell.lane, known, strict=True))
    )
    return cell._replace(lane=Lane._make(said))


def known_by(cells: Iterable[Cell]) -> Lane:
    """A lane with a value in every dimension that any of the cells has one in."""
    lanes = [cell.lane for cell in cells]
    return (
        Lane._make(next((value for value in column if value is not None), None) for column in zip(*lanes, strict=True))
        if lanes
        else Lane()
    )


def gathered(ours: Iterable[tuple[Cell, Holding]]) -> dict[Cell, Holding]:
    """Holdings of one cell together."""
    out: dict[Cell, Holding] = {}
    for cell, holding in ours:
        out[cell] = out.get(cell, Holding()) + holding
    return out


def summed(theirs: Iterable[tuple[Cell, Fraction]]) -> dict[Cell, Fraction]:
    """Units of one cell together."""
    out: dict[Cell, Fraction] = {}
    for cell, count in theirs:
        out[cell] = out.get(cell, _ZERO) + count
    return out


def cost_of(ours: Ours) -> Fraction:
    """What of ours has a price."""
    return sum((holding.value for holding in ours.values()), _ZERO)


def rates_of(ours: Ours, book: Rates) -> Rates:
    """What a cell costs with us: what we paid for it on average, else what the price book says."""

    def rate(cell: Cell) -> Fraction | None:
        held = ours.get(cell)
        return held.value / held.priced if held and held.priced else book(cell)

    return rate


def value_of(theirs: Theirs, rate: Rates) -> Fraction | None:
    """Their units at our prices; None if one of them has none."""
    rates = [(count, rate(cell)) for cell, count in theirs.items() if count]
    return None if any(r is None for _, r in rates) else sum((count * (r or 0) for count, r in rates), _ZERO)


def split(theirs: Fraction, ours: Ours, used: Theirs, rate: Rates) -> dict[Part, Fraction]:
    """The parts of theirs − ours; see above.  Cells without a price are valued at what theirs leaves for them."""
    priced = _valued(theirs, ours, used, rate)
    unpriced = sum((held.unpriced * priced[cell] for cell, held in ours.items()), _ZERO)
    by_cell = {cell: (used.get(cell, _ZERO), Fraction(ours[cell].units if cell in ours else 0)) for cell in priced}
    by_class, class_rates = _merged(by_cell, priced, lambda cell: (cell.model, cell.of))
    by_kind, kind_rates = _merged(by_class, class_rates, lambda key: (key[0], key[1].startswith(_OUTPUT)))
    cells, classes, kinds = _moved(by_cell, priced), _moved(by_class, class_rates), _moved(by_kind, kind_rates)
    at_our_prices = sum((count * priced[cell] for cell, count in used.items()), _ZERO)
    return {
        "price": theirs - at_our_prices,
        "unpriced": unpriced,
        "tier": cells - classes,
        "cache": classes - kinds,
        "untraced": kinds,
    }


def _valued(theirs: Fraction, ours: Ours, used: Theirs, rate: Rates) -> dict[Cell, Fraction]:
    """A price for every cell.  What has none is taken to cost what is left of theirs, by the unit."""
    rates = {cell: rate(cell) for cell in {**dict.fromkeys(used), **dict.fromkeys(ours)}}
    unknown = sum((count for cell, count in used.items() if rates[cell] is None), _ZERO)
    known = sum((count * (rates[cell] or 0) for cell, count in used.items()), _ZERO)
    left = max(_ZERO, theirs - known) / unknown if unknown else _ZERO
    return {cell: left if price is None else price for cell, price in rates.items()}


def _merged(
    counts: Mapping[K, tuple[Fraction, Fraction]], rates: Mapping[K, Fraction], key: Callable[[K], L]
) -> tuple[dict[L, tuple[Fraction, Fraction]], dict[L, Fraction]]:
    """(theirs, ours) and the average price by a coarser key: weighted by theirs, or by ours where they have none."""
    totals: dict[L, tuple[Fraction, Fraction]] = {}
    worth: dict[L, tuple[Fraction, Fraction]] = {}
    for name, (theirs, ours) in counts.items():
        to, price = key(name), rates[name]
        at, value = totals.get(to, (_ZERO, _ZERO)), worth.get(to, (_ZERO, _ZERO))
        totals[to] = (at[0] + theirs, at[1] + ours)
        worth[to] = (value[0] + theirs * price, value[1] + ours * price)
    return totals, {to: _average(totals[to], worth[to]) for to in totals}


def _average(counts: tuple[Fraction, Fraction], worth: tuple[Fraction, Fraction]) -> Fraction:
    for count, value in zip(counts, worth, strict=True):
        if count:
            return value / count
    return _ZERO


def _moved(counts: Mapping[K, tuple[Fraction, Fraction]], rates: Mapping[K, Fraction]) -> Fraction:
    return sum(((theirs - ours) * rates[key] for key, (theirs, ours) in counts.items()), _ZERO)


def whole(parts: Mapping[Part, Fraction], difference: int) -> dict[Part, int]:
    """The parts in whole pico-dollars, without those that are zero; what is left of the difference is rounding."""
    rounded: dict[Part, int] = {name: round(part) for name, part in parts.items() if name != "rounding" and round(part)}
    rest = difference - sum(rounded.values())
    return {**rounded, "rounding": rest} if rest else rounded
