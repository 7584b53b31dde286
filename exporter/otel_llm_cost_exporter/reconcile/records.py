"""What a vendor's export says, in one shape for all vendors.

A record stands for one group of one time bucket: `Used` counts, `Charged` is money.  Dimensions that the export was
not grouped by are None, which is something else than the vendor's word for "standard".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, NamedTuple

Kind = Literal["model", "tools", "other", "ungrouped"]
"""What money is for: a model's tokens, tools that calls used, neither of them, or all of it together."""

HALF_A_CENT: Final = 5 * 10**9
"""In pico-dollars, as all money here."""


class ExportError(Exception):
    """A file cannot be used; the text names file and line, and the remedy."""


class Lane(NamedTuple):
    """How calls were served, where that may set their price; None: the export does not say."""

    batch: bool | None = None
    tier: str | None = None
    long: bool | None = None
    """Whether the prompt was in the vendor's long-context range."""
    speed: str | None = None
    geo: str | None = None


STANDARD: Final = Lane(batch=False, tier="standard", long=False, speed="standard", geo="global")
ANY: Final = Lane()
_TIERS: Final = {"": "standard", "default": "standard", "auto": "standard", "standard_only": "standard"}
_GEOS: Final = {"": "global", "not_available": "global"}


def lane(
    tier: str | None = None,
    *,
    batch: bool | None = None,
    long: bool | None = None,
    speed: str | None = None,
    geo: str | None = None,
) -> Lane:
    """A lane in our words: `batch` is no tier, and each vendor's names for standard are one."""
    said = None if tier is None else tier.strip().lower()
    if said == "batch":
        batch, said = True, "standard"
    return Lane(
        batch=batch,
        tier=None if said is None else _TIERS.get(said, said),
        long=long,
        speed=None if speed is None else speed.strip().lower() or "standard",
        geo=None if geo is None else _GEOS.get(geo.strip().lower(), geo.strip().lower()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Units of one group: exclusive (class, count) pairs, named as the buckets of pricing."""

    day: date
    model: str
    """Empty where the export is not grouped by model."""
    lane: Lane
    counts: tuple[tuple[str, int], ...]
    requests: int | None = None
    project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """Money of one group, in pico-dollars; it is theirs, rounded by at most `within`."""

    day: date
    kind: Kind
    label: str
    """The model, or the vendor's words for what else it is."""
    lane: Lane
    of: str | None
    """The token class; None where the export does not tell classes apart."""
    amount: int
    within: int = 0
    quantity: int | None = None
    currency: str = "USD"
    project: str | None = None


class Row(NamedTuple):
    """A record, where it stands, and what makes it the same group of the same bucket as another."""

    where: str
    group: tuple[tuple[str, str], ...]
    record: Used | Charged


class Span(NamedTuple):
    """A time bucket, in UTC; `end` is exclusive."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file or page.  `table` is `cost` or what usage it counts, such as `completions`."""

    name: str
    provider: str
    table: str
    spans: tuple[Span, ...]
    """The buckets that it has something to say of, if only that they are empty."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """All documents together, each bucket and group once."""

    used: tuple[tuple[str, str, Used], ...] = ()
    """(provider, table, record)."""
    charged: tuple[tuple[str, Charged], ...] = ()
    covered: frozenset[tuple[str, str, date]] = frozenset()
    """(provider, table, day) that the export speaks of."""
    partial: frozenset[tuple[str, date]] = frozenset()
    """(provider, day) of which it has only some hours."""
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(sorted({provider for provider, _, _ in self.covered}))

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(sorted({day for _, _, day in self.covered}))


def whole_day(day: date) -> Span:
    """The bucket of a UTC day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Span(start, start + timedelta(days=1))
