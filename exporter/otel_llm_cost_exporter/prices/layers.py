"""Which layers made a rate card, and what each of them changed: the answer to "why this price".

The kernel puts layers on each other and keeps the result.  Here the same is done again one layer more at a time, in
the kernel's order (the data, entries for every call, the data's variants, entries for the context), and what is
different after each is that layer's part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from otel_llm_cost.pricing import Context
from otel_llm_cost.pricing.catalogue import Model, Price
from otel_llm_cost.pricing.finding import Finder
from otel_llm_cost.pricing.layers import asked, layer
from otel_llm_cost.pricing.money import Rate, Rates
from otel_llm_cost.pricing.names import spellings, vendor_of
from otel_llm_cost.pricing.overlay import Entry

from .data import Prices
from .diff import hours, spoken


class Layer(NamedTuple):
    """One source of a price, and the buckets whose rate it set (old and new; None is no rate)."""

    by: str
    """packaged, updated or installed data; or the origin of an overlay."""
    what: str
    source: str
    changed: Mapping[str, tuple[Rate | None, Rate | None]]


def layers(prices: Prices, provider: str, model: str, at: date, context: Context) -> list[Layer]:
    """The layers of the price of a day, or of a moment, lowest first; those that change nothing are left out.

    Empty where nothing is known of the model.
    """
    if isinstance(at, datetime) and at.tzinfo is not None:
        at = at.astimezone(UTC)
    day, minute = (at.date(), at.hour * 60 + at.minute) if isinstance(at, datetime) else (at, None)
    finder = Finder(prices.catalogue, prices.overlays)
    vendor = finder.provider(provider)
    found = finder.find(vendor, model, day)
    if found is None:
        return []
    entries = list(finder.entries(vendor, found, day))
    steps = _steps(
        prices, found.model, day, minute, asked(context), entries, own=found.model.provider == vendor_of(vendor)
    )
    out, before = _pointed(prices, vendor, model, day), dict[str, Rate]()
    for by, what, source, rates in steps:
        after = dict(rates)
        names = [name for name in after | before if before.get(name) != after.get(name)]
        changed = {name: (before.get(name), after.get(name)) for name in names}
        if changed or what.startswith("once a call"):
            out.append(Layer(by, what, source, changed))
        before = after
    return out


def _pointed(prices: Prices, vendor: str, model: str, day: date) -> list[Layer]:
    """The entry, if any, that says whose price a model has; the highest and latest."""
    names = [name for name, _ in spellings(model)]
    for overlay in reversed(prices.overlays):
        for entry in reversed(overlay.entries):
            sold = entry.provider in (vendor, vendor_of(vendor))
            if entry.same_as and sold and entry.holds(day) and entry.is_for(names):
                what = f"{told(entry)}, the same as {'/'.join(entry.same_as)}"
                return [Layer(f"{entry.origin} overlay", what, entry.source, {})]
    return []


Step = tuple[str, str, str, Rates]
"""`Layer`'s first three, and the rates after it."""


def _steps(
    prices: Prices,
    model: Model,
    day: date,
    minute: int | None,
    context: dict[str, str],
    entries: list[Entry],
    *,
    own: bool,
) -> Iterator[Step]:
    window = _window(model, minute)
    standard = [entry for entry in entries if not entry.context]
    special = [entry for entry in entries if entry.context]

    def rates(context: Mapping[str, str], entries: list[Entry]) -> Rates:
        return layer(model, day, context, entries, window=window, own=own).rates

    data = f"{prices.data} data"
    yield data, _listed(model, day, window), prices.catalogue.source, rates({}, [])
    for i, entry in enumerate(standard):
        yield f"{entry.origin} overlay", told(entry), entry.source, rates({}, standard[: i + 1])
    if context:
        yield data, f"variant for {spoken(context)}", prices.catalogue.source, rates(context, standard)
    for i, entry in enumerate(special):
        so_far = [one for one in entries if not one.context or one in special[: i + 1]]  # in their order: ranks count
        yield f"{entry.origin} overlay", told(entry), entry.source, rates(context, so_far)


def _window(model: Model, minute: int | None) -> Price | None:
    for price in model.windows() if minute is not None else ():
        first, last = price.window or (0, 0)
        if first <= (minute or 0) < last if first <= last else ((minute or 0) >= first or (minute or 0) < last):
            return price
    return None


def _listed(model: Model, day: date, window: Price | None) -> str:
    """Which of a model's listed prices holds."""
    if window is not None and window.window:
        return f"{model.provider}/{model.id}, {hours(window.window)}"
    dated = [price for price in model.prices if price.window is None and price.start and price.holds(day)]
    return f"{model.provider}/{model.id}" + (f", from {dated[-1].start}" if dated else "")


def told(entry: Entry) -> str:
    """Which entry it is, in words: `openai/gpt-4o* for batch, from 2026-07-01, times 0.9`."""
    parts = [f"{entry.provider}/{entry.model}" + (f" for {spoken(entry.context)}" if entry.context else "")]
    parts += [f"from {entry.valid_from}"] * (entry.valid_from is not None)
    parts += [f"before {entry.valid_to}"] * (entry.valid_to is not None)
    if entry.multiplier:
        parts.append(f"times {factor(entry.multiplier)}")
    if entry.backdate:
        parts.append("the data's first later price, back-dated")
    said = ", ".join(parts)
    return f"once a call: {', '.join(sorted(entry.once_per_call))} ({said})" if entry.once_per_call else said


def factor(ratio: tuple[int, int]) -> str:
    """A multiplier as it was written, in decimal: its denominator is a power of ten's divisor."""
    return format(Decimal(ratio[0]) / Decimal(ratio[1]), "f")
