"""What a reconciliation has to say, line by line and in sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from .parts import Part

Basis = Literal["cost", "usage", "cost and usage"]

ALL_MODELS: Final = "(all models)"
TOOLS_LINE: Final = "(tools)"
_PICO: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One day and model.  Amounts are US dollars, exact; None is unknown, and then there is no difference."""

    day: date
    provider: str
    model: str
    """Their name for it, else ours."""
    ours: Decimal | None
    theirs: Decimal | None
    difference: Decimal | None
    """theirs − ours: what they bill beyond what we know of."""
    parts: Mapping[Part, Decimal]
    """Where it comes from; they add up to it."""
    basis: Basis
    our_names: tuple[str, ...] = ()
    calls: int = 0
    unpriced_calls: int = 0
    estimated_calls: int = 0
    requests: int | None = None
    our_units: Mapping[str, int] = field(default_factory=dict)
    """Class → count: tokens, or requests of a tool."""
    their_units: Mapping[str, int] | None = None
    our_price: Mapping[str, Decimal] = field(default_factory=dict)
    """Class → average US dollars per million units."""
    their_price: Mapping[str, Decimal] = field(default_factory=dict)
    our_lanes: tuple[str, ...] = ()
    their_lanes: tuple[str, ...] = ()
    currency: str = "USD"
    reason: str = ""
    """The likely reason in one word: the largest part, or `equal`, `unpriced`, `other_currency`."""
    why: str = ""
    """The same in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Sums over the lines that have a difference."""

    ours: Decimal
    theirs: Decimal
    difference: Decimal
    parts: Mapping[Part, Decimal]
    without: int = 0
    """Lines that are not in it, because one side is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The lines in order of day, provider and model, and their sum."""

    since: date
    until: date
    """The last day."""
    providers: tuple[str, ...]
    files: tuple[str, ...]
    total: Total
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()


def usd(pico: int) -> Decimal:
    """Pico-dollars → US dollars, exactly."""
    return Decimal(pico).scaleb(-_PICO)


def total(lines: Sequence[Line]) -> Total:
    """The sum, and of how many lines there is none."""
    known = [line for line in lines if line.difference is not None]
    parts: dict[Part, Decimal] = {}
    for line in known:
        for name, part in line.parts.items():
            parts[name] = parts.get(name, Decimal(0)) + part
    return Total(
        ours=sum((line.ours or Decimal(0) for line in known), Decimal(0)),
        theirs=sum((line.theirs or Decimal(0) for line in known), Decimal(0)),
        difference=sum((line.difference or Decimal(0) for line in known), Decimal(0)),
        parts=dict(sorted(parts.items(), key=lambda pair: -abs(pair[1]))),
        without=len(lines) - len(known),
    )
