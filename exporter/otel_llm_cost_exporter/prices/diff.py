"""What is different between two sets of prices, or between two days of one: by what a call would be billed.

Rate cards are compared, not files: a rate that is written otherwise and bills the same is no change, and one that
an overlay covers on both sides is none either.  Every context that either side prices on its own (batch, tiers,
speeds, regions, hours of the day) is compared beside the standard one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from otel_llm_cost.pricing import Context, PriceBook, Priced
from otel_llm_cost.pricing.buckets import BUCKETS
from otel_llm_cost.pricing.card import RateCard

WHOLE: Final = {
    **dict.fromkeys(("input_audio", "input_image", "cache_read", "cache_write"), "input"),
    **dict.fromkeys(("cache_read_audio", "cache_read_image"), "cache_read"),
    **dict.fromkeys(("cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h"), "cache_write"),
    **dict.fromkeys(("reasoning", "output_audio", "output_image"), "output"),
    "grounding": "web_search",
}
"""Buckets that are not told of where the same is to be told of these."""

_STANDARD: Final[Mapping[str, str]] = {}
Pair = tuple[int | None, int | None]


class Side(NamedTuple):
    """Prices on a day."""

    book: PriceBook
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One bucket's rate, in pico-dollars a unit; `above` is the size of the prompt beyond which it holds."""

    provider: str
    model: str
    context: str
    bucket: str
    above: int
    old: int | None
    new: int | None

    @property
    def percent(self) -> Decimal | None:
        """How much more, to a tenth; None where there is no ratio."""
        if not self.old or self.new is None:
            return None
        return (Decimal(self.new - self.old) * 100 / self.old).quantize(Decimal("0.1"))


class Difference(NamedTuple):
    """All changes, and (provider, model) that only one side knows."""

    changed: list[Change]
    new: list[tuple[str, str]]
    gone: list[tuple[str, str]]


def compare(before: Side, after: Side, provider: str | None = None, model: str | None = None) -> Difference:
    """What is different, of everything or of one provider or model."""
    out = Difference([], [], [])
    for name in _models(before, after, provider, model):
        old, new = (_standard(side, *name) for side in (before, after))
        if old and new:
            out.changed.extend(_changes(before, after, *name))
        elif new:
            out.new.append(name)
        elif old:
            out.gone.append(name)
    return out


def _models(before: Side, after: Side, provider: str | None, model: str | None) -> list[tuple[str, str]]:
    """Every model that either side lists; a name that is asked for need not be listed."""
    books = (before.book, after.book)
    if provider and model:
        return [(provider, model)]
    providers = [provider] if provider else sorted({name for book in books for name in book.providers()})
    if model:
        return [(name, model) for name in providers]
    return [(name, listed) for name in providers for listed in sorted({m for book in books for m in book.models(name)})]


def _standard(side: Side, provider: str, model: str) -> bool:
    return isinstance(side.book.resolve(provider, model, side.day), Priced)


def _changes(before: Side, after: Side, provider: str, model: str) -> Iterator[Change]:
    contexts = [_STANDARD]
    for side in (before, after):
        contexts += [when for when in contexts_of(side.book, provider, model) if when not in contexts]
    for when in contexts:
        old, new = (cards(side, provider, model, when) for side in (before, after))
        for hours in sorted(old.keys() | new.keys()):
            context = ", ".join(filter(None, (spoken(when), hours)))
            for bucket, above, (was, now) in _steps(old.get(hours), new.get(hours)):
                yield Change(
                    provider=provider, model=model, context=context, bucket=bucket, above=above, old=was, new=now
                )


def contexts_of(book: PriceBook, provider: str, model: str) -> Iterable[Mapping[str, str]]:
    """The contexts that a model has prices of their own for, whenever."""
    facts = book.facts(provider, model)
    if facts is None:
        return []
    found, entries = facts
    told = [*(variant.when for variant in found.variants), *(entry.context for entry in entries)]
    return [dict(pairs) for pairs in dict.fromkeys(tuple(sorted(when.items())) for when in told if when)]


def context_of(when: Mapping[str, str]) -> Context:
    """A context as prices have it → as a call has it."""
    return Context(when.get("service_tier"), "batch" in when, when.get("speed"), when.get("region"))


def spoken(when: Mapping[str, str]) -> str:
    """`batch, service_tier flex`"""
    return ", ".join(name if name == "batch" else f"{name} {value}" for name, value in sorted(when.items()))


def cards(side: Side, provider: str, model: str, when: Mapping[str, str]) -> dict[str, RateCard]:
    """The cards of one context, by hours of the day ("" for all others); none where its price would be a guess."""
    found = side.book.resolve(provider, model, side.day, context_of(when))
    if not isinstance(found, Priced) or "no_price_for" in found.reason:
        return {}
    return {"": found.card} | {hours(window): card for window, card in found.windows}


def hours(window: tuple[int, int]) -> str:
    """Minutes of the day → `16:30–00:30 UTC`."""
    return "–".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in window) + " UTC"


def _steps(old: RateCard | None, new: RateCard | None) -> Iterator[tuple[str, int, Pair]]:
    """(bucket, above, old and new rate) wherever they differ and nothing larger says the same."""
    starts = sorted({0, *(old.starts if old else ()), *(new.starts if new else ())})
    pairs: dict[str, list[Pair]] = {name: [] for name in BUCKETS}
    for start in starts:
        rows = [card.row(start + 1) if card else (None,) * len(BUCKETS) for card in (old, new)]
        for name, was, now in zip(BUCKETS, *rows, strict=True):
            pairs[name].append((was, now))
    for name, steps in pairs.items():
        if steps != pairs.get(WHOLE.get(name, "")):
            for start, pair, below in zip(starts, steps, [None, *steps], strict=False):
                if pair[0] != pair[1] and pair != below:
                    yield name, start, pair
