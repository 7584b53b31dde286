"""The parts of a difference in words: what is the likely reason, and what to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from .parts import Part
from .result import Line

_WORTH_SAYING: Final = Decimal("0.2")
"""Of all parts together; smaller ones are left to the figures."""
_MOST: Final = 2
_SAME_PRICE: Final = Decimal("0.0001")


def why(line: Line) -> str:
    """The largest parts of a line's difference, said."""
    if line.currency != "USD":
        return f"billed in {line.currency}: not compared with US dollars"
    if line.difference is None:
        return "unpriced: no price for what they counted, see `otel-llm-cost prices show`"
    if not line.difference and not any(line.parts.values()):
        return "unpriced: calls of ours without a price, and nothing billed" if line.ours is None else "equal"
    said = (_SAID[part] for part in _largest(line))
    told = [words if isinstance(words, str) else words(line) for words in said]
    if line.estimated_calls and told != ["rounding"]:
        told.append(f"the usage of {line.estimated_calls:,} of our calls is an estimate")
    return "; ".join(told)


def reason(line: Line) -> str:
    """The likely reason in one word: the largest part, or why there are no parts."""
    if line.currency != "USD":
        return "other_currency"
    if line.difference is None or (not line.parts and line.ours is None):
        return "unpriced"
    return next(_largest(line), "equal")


def _largest(line: Line) -> Iterator[Part]:
    """The parts worth saying, by size; what is only rounding is said where there is nothing else."""
    sizes = sorted(line.parts.items(), key=lambda pair: (pair[0] == "rounding", -abs(pair[1])))
    whole = sum((abs(amount) for name, amount in sizes if name != "rounding"), Decimal(0))
    kept: list[Part] = [name for name, amount in sizes if name != "rounding" and abs(amount) >= whole * _WORTH_SAYING]
    yield from kept[:_MOST] or [name for name, _ in sizes[:1]]


def _untraced(line: Line) -> str:
    theirs, ours = sum((line.their_units or {}).values()), sum(line.our_units.values())
    if line.parts.get("untraced", line.parts.get("partial_day", Decimal(0))) < 0:
        share = (
            f"{_percent(1 - _part(theirs, ours))} of our units are"
            if line.their_units is not None and ours
            else "some are"
        )
        return f"not in the export: {share} not there (another key or organization, or not exported yet)"
    if not line.calls and not ours:
        return "untraced: no call of it is in the store"
    if line.their_units is None:
        return f"untraced {_percent(_of_theirs(line, 'untraced'))}, if their prices are ours: give the usage export too"
    return f"untraced {_percent(1 - _part(ours, theirs))}: calls that are not instrumented"


def _price(line: Line) -> str:
    told = [
        f"{of.replace('_', ' ')} {theirs.normalize():f} there, {line.our_price[of].normalize():f} here"
        for of, theirs in line.their_price.items()
        if of in line.our_price and abs(theirs - line.our_price[of]) > _SAME_PRICE
    ]
    return f"our price differs ({', '.join(told)} per million)" if told else "our price differs"


def _unpriced(line: Line) -> str:
    calls = "1 call of ours has" if line.unpriced_calls == 1 else f"{line.unpriced_calls:,} calls of ours have"
    return f"unpriced: {calls} no price, see `otel-llm-cost report`"


def _tier(line: Line) -> str:
    theirs, ours = (" and ".join(lanes) for lanes in (line.their_lanes, line.our_lanes))
    return f"tier or batch: served as {theirs} there, as {ours} here"


def _cache(line: Line) -> str:
    theirs = line.their_units
    if theirs is None:
        return "cache or modality: their money is spread over other token classes than ours"
    moved = [of for of in {**theirs, **line.our_units} if theirs.get(of, 0) != line.our_units.get(of, 0)]
    told = [
        f"{of.replace('_', ' ')} {theirs.get(of, 0):,} there, {line.our_units.get(of, 0):,} here"
        for of in sorted(moved)
    ]
    return f"cache or modality: {', '.join(told)}"


def _partial_day(line: Line) -> str:
    return f"partial day: one side has only some hours of {line.day}"


_Said = str | Callable[[Line], str]
_SAID: Final[dict[Part, _Said]] = {
    "untraced": _untraced,
    "price": _price,
    "unpriced": _unpriced,
    "tier": _tier,
    "cache": _cache,
    "partial_day": _partial_day,
    "tools": "tools and fees: requests that no traced call told of, or at another fee",
    "not_a_model": "not a model cost: no call could tell of it",
    "rounding": "rounding",
}


def _of_theirs(line: Line, part: Part) -> Decimal:
    return line.parts[part] / line.theirs if line.theirs else Decimal(1)


def _part(some: int, of: int) -> Decimal:
    return Decimal(some) / Decimal(of) if of else Decimal(0)


def _percent(share: Decimal) -> str:
    percent = share * 100
    return f"{percent:.0f} %" if abs(percent) >= 1 or not percent else f"{percent:.2g} %"
