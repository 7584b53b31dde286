"""One model's prices at one vendor, in every context and for every day: a sheet.

The book is asked on each day from which on its answer may change, and equal neighbours become one period.  A context
is written as text, in the order batch, service tier, speed, region: `batch`, `service_tier=flex,region=us`, and empty
for the standard.  A tier or speed that nobody prices is `*`: it has the standard's price, marked as a guess.  A region
that nobody prices is none.  Contexts with the same rates on all days share them: the rates are kept for the first, and
the others are `priced_as` that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Final, NamedTuple, TypeVar

from otel_llm_cost.pricing import Context, Priced, Unpriced
from otel_llm_cost.pricing.buckets import BUCKETS
from otel_llm_cost.pricing.card import RateCard

from .listed import FIRST_DAY, LAST_DAY, Listed

ANY: Final = "*"
DIMENSIONS: Final = ("service_tier", "speed", "region")
_GUESSED: Final = "no_price_for_"
_ONE_DAY: Final = timedelta(days=1)
_T = TypeVar("_T")


class Period(NamedTuple):
    """From the first to the last day, both in it."""

    first: date
    last: date


_EVER: Final = Period(FIRST_DAY, LAST_DAY)


class Hours(NamedTuple):
    """Minutes of the UTC day, from the first until before the last (it may wrap), with rates of their own."""

    first: int
    last: int
    priced_as: str
    expects_output: bool


class CardRow(NamedTuple):
    """How calls of a context are priced on these days, or (`unknown`) why they are not.

    `status` and `reason` are what the context adds to those of the name: `override`, `fallback` or nothing.
    """

    context: str
    period: Period
    priced_as: str
    status: str
    reason: str
    expects_output: bool
    hours: tuple[Hours, ...]
    source: str


class RateRow(NamedTuple):
    """What a unit of a bucket costs: `rates[0]`, or `rates[i]` for prompts of more than `above[i - 1]` tokens.

    Without rates it only says that the bucket is billed once a call.
    """

    context: str
    bucket: str
    period: Period
    above: tuple[int, ...]
    rates: tuple[int, ...]
    once_per_call: bool
    guessed: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cards and rates of a model."""

    cards: tuple[CardRow, ...]
    rates: tuple[RateRow, ...]


History = tuple[tuple[date, RateCard], ...]
"""(first day, card that holds from then on)."""


def periods(said: Mapping[date, _T]) -> Iterator[tuple[Period, _T]]:
    """What is said from each of these days on, equal neighbours as one."""
    told: list[tuple[date, _T]] = []
    for first, answer in said.items():
        if not told or told[-1][1] != answer:
            told.append((first, answer))
    lasts = [first - _ONE_DAY for first, _ in told[1:]] + [LAST_DAY]
    for (first, answer), last in zip(told, lasts, strict=True):
        yield Period(first, last), answer


def sheet(listed: Listed, vendor: str, name: str) -> Sheet:
    """The sheet of what a name leads to at a vendor."""
    known = known_contexts(listed, vendor, name)
    firsts = listed.days(vendor, name)
    shared = _Shared()
    cards: list[CardRow] = []
    for text, context in contexts(known):
        found = {day: listed.book.resolve(vendor, name, day, context) for day in firsts}
        names = {label: shared.name(label, history) for label, history in _histories(text, found).items()}
        rows = {day: _card(text, priced, names) for day, priced in found.items()}
        cards.extend(row._replace(period=period) for period, row in periods(rows))
    return Sheet(tuple(cards), tuple(shared.rows()))


def known_contexts(listed: Listed, vendor: str, name: str) -> tuple[str, ...]:
    """What may be priced of each dimension of a context, as `speed=fast`."""
    return tuple(sorted(f"{k}={v}" for k, v in listed.contexts(vendor, name) if k in DIMENSIONS))


def contexts(known: Sequence[str]) -> Iterator[tuple[str, Context]]:
    """Every context that may be told from another, the standard first."""
    tiers, speeds, regions = (
        [said[len(name) + 1 :] for said in known if said.startswith(f"{name}=")] for name in DIMENSIONS
    )
    for batch, tier, speed, region in product((False, True), ["", *tiers, ANY], ["", *speeds, ANY], ["", *regions]):
        text = context_text(batch=batch, service_tier=tier, speed=speed, region=region)
        yield text, Context(tier or None, batch, speed or None, region or None)


def context_text(*, batch: bool, service_tier: str = "", speed: str = "", region: str = "") -> str:
    """A context as it stands in the tables."""
    said = {"service_tier": service_tier, "speed": speed, "region": region}
    return ",".join((*(["batch"] if batch else []), *(f"{name}={value}" for name, value in said.items() if value)))


def _card(text: str, found: Priced | Unpriced, names: dict[str, str]) -> CardRow:
    """A row but for its period."""
    if isinstance(found, Unpriced):
        return CardRow(text, _EVER, "", "unknown", found.reason, False, (), "")
    reason = ",".join(part for part in found.reason.split(",") if part.startswith(_GUESSED))
    status = "override" if found.status == "override" else "fallback" if reason else ""
    hours = tuple(Hours(*window, names[_label(text, window)], card.expects_output) for window, card in found.windows)
    return CardRow(text, _EVER, names[text], status, reason, found.card.expects_output, hours, found.source)


def _label(text: str, window: tuple[int, int]) -> str:
    return text + "@" + "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in window)


def _histories(text: str, found: dict[date, Priced | Unpriced]) -> dict[str, History]:
    """The cards of a context, and of its hours, by day."""
    out: dict[str, list[tuple[date, RateCard]]] = {}
    for day, priced in found.items():
        if isinstance(priced, Priced):
            out.setdefault(text, []).append((day, priced.card))
            for window, card in priced.windows:
                out.setdefault(_label(text, window), []).append((day, card))
    return {label: tuple(history) for label, history in out.items()}


class _Shared:
    """Rates by the first context that has them."""

    def __init__(self) -> None:
        self._first: dict[History, str] = {}

    def name(self, label: str, history: History) -> str:
        return self._first.setdefault(history, label)

    def rows(self) -> Iterator[RateRow]:
        for history, label in self._first.items():
            for index, bucket in enumerate(BUCKETS):
                said = {day: _rate(label, bucket, index, card) for day, card in history}
                yield from (row._replace(period=period) for period, row in periods(said) if row is not None)


def _rate(text: str, bucket: str, index: int, card: RateCard) -> RateRow | None:
    """A bucket's row but for its period; None where there is nothing to say of it.

    A bucket has a rate for prompts of every size or for none.
    """
    steps = [(start, row[index]) for start, row in zip(card.starts, card.rows, strict=True)]
    told = [step for i, step in enumerate(steps) if i == 0 or step[1] != steps[i - 1][1]]
    once = index in card.once
    if not once and told[0][1] is None:
        return None
    return RateRow(
        text,
        bucket,
        _EVER,
        tuple(start for start, _ in told[1:]),
        tuple(rate for _, rate in told if rate is not None),
        once,
        index in card.guessed,
    )
