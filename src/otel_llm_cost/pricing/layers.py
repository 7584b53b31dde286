"""From the data and the overlays to the rates of one model on one day in one context.

Standard rates first: the data's of the day, then every overlay's entries without a context, in rising rank.  Then
the context's: the data's variants, then the overlays' entries for it (rates, back-dated variants, multipliers).
What was asked for and nobody prices (a tier, a batch) is named: the standard rate is then a guess.  But capacity that
was bought beforehand is not billed by the call: what a token of it costs is written in a contract, so it has no price
here unless an overlay gives one.

Where an overlay has another standard than the list, a list price for a context is changed as the standard is, bucket by
bucket: a rate agreed on for all calls holds for batches and tiers, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from .catalogue import Model, Price
from .cost import Context
from .hours import rates_in
from .money import Rate, Rates, flat, scale, step_of, times
from .overlay import PACKAGED, Entry

STANDARD_TIERS: Final = frozenset(("", "default", "auto", "standard", "standard_only", "on_demand"))
VERTEX_PREFIX: Final = "on_demand_"
"""Vertex AI's `trafficType` writes its tiers so: ON_DEMAND_FLEX, ON_DEMAND_PRIORITY."""
STANDARD_SPEEDS: Final = frozenset(("", "standard", "normal", "default"))
NO_REGIONS: Final = frozenset(("", "global", "not_available"))

PREPAID: Final = {
    "anthropic": frozenset(("priority",)),
    "openai": frozenset(("scale",)),
    "google": frozenset(("provisioned_throughput",)),
    "aws": frozenset(("reserved",)),
}
"""Vendor → tiers that are capacity bought beforehand: Priority Tier, Scale Tier, Provisioned Throughput, Reserved."""


def asked(context: Context) -> dict[str, str]:
    """What a context asks for beyond the standard, in lower case.  A batch is a tier of its own, beside no other."""
    tier, speed, region = (str(said or "").lower() for said in (context.service_tier, context.speed, context.region))
    tier = tier.removeprefix(VERTEX_PREFIX)
    out: dict[str, str] = {}
    if context.batch or tier == "batch":
        out["batch"] = "true"
    elif tier not in STANDARD_TIERS:
        out["service_tier"] = tier
    if speed not in STANDARD_SPEEDS:
        out["speed"] = speed
    if region not in NO_REGIONS:
        out["region"] = region
    return out


@dataclass(slots=True)
class Layered:
    """Rates while layers are put on them."""

    rates: dict[str, Rate]
    asked: Mapping[str, str]
    covered: set[str] = field(default_factory=set)
    once: set[str] = field(default_factory=set)
    used: list[Entry] = field(default_factory=list)
    prepaid: bool = False
    """Served from capacity that is paid for by contract: there are no rates."""

    @property
    def overridden(self) -> bool:
        return any(entry.origin != PACKAGED for entry in self.used)

    @property
    def unpriced(self) -> list[str]:
        """Why the context's price is a guess; a region with no price of its own is no reason."""
        return [f"no_price_for_{name}" for name in self.asked if name not in self.covered and name != "region"]


def layer(
    model: Model, day: date, context: Mapping[str, str], entries: Iterable[Entry], *, window: Price | None, own: bool
) -> Layered:
    """The rates of a model.  `entries` are for this model and day; `own` is False when its vendor is another one."""
    entries = list(entries)
    layered = Layered(dict(rates_in(model, window, day, own=own)), context)
    data = listed = dict(layered.rates)
    for entry in entries:
        if not entry.context:
            _put(layered, entry)
            listed = dict(layered.rates) if entry.origin == PACKAGED else listed
    standard = dict(layered.rates)
    discounts = [entry for entry in entries if entry.multiplier is not None and not entry.context]
    if own:
        _put_variants(layered, model, day, (data, standard), discounts)
    for i, entry in enumerate(entries):
        if entry.context and entry.context.items() <= context.items():
            if entry.backdate:
                _put_backdated(layered, entry, model, day, standard)
            elif entry.origin == PACKAGED:
                _put_listed(layered, entry, (listed, standard), discounts)
            else:
                _put(layered, entry, [later for later in entries[i:] if later in discounts])
    if own and "service_tier" not in layered.covered and context.get("service_tier") in PREPAID.get(model.provider, ()):
        layered.prepaid = True
        layered.rates.clear()
    return layered


def _put(layered: Layered, entry: Entry, discounts: Iterable[Entry] = ()) -> None:
    """One entry on the rates; `discounts` are those of higher rank, which a price of its own for a context has too."""
    if entry.fills_gap and entry.context.keys() <= layered.covered:
        return
    for name, price in entry.rates.items():
        layered.rates[name] = flat(price)
    for above, prices in entry.tiers:
        for name, price in prices.items():
            below = tuple(step for step in layered.rates.get(name, flat(price)) if step[0] < above)
            layered.rates[name] = (*below, (above, price))
    _discount(layered.rates, _names(entry), discounts)
    if entry.multiplier is not None:
        for name in entry.applies_to & layered.rates.keys():
            layered.rates[name] = times(layered.rates[name], *entry.multiplier)
    layered.once |= entry.once_per_call
    layered.covered |= entry.context.keys()
    layered.used.append(entry)


def _put_listed(layered: Layered, entry: Entry, standards: tuple[Rates, Rates], discounts: Iterable[Entry]) -> None:
    """A list price for a context; `standards` are the list's and the one in force."""
    before = len(layered.used)
    _put(layered, entry)
    if len(layered.used) > before:
        _adjust(layered.rates, _names(entry), standards, discounts)


def _names(entry: Entry) -> set[str]:
    """The buckets whose rate an entry sets."""
    return {*entry.rates, *(name for _, prices in entry.tiers for name in prices)}


def _adjust(
    rates: dict[str, Rate], names: Iterable[str], standards: tuple[Rates, Rates], discounts: Iterable[Entry]
) -> None:
    """List prices in proportion to the standard in force; a discount is for those, too, that have no standard."""
    listed, standard = standards
    for name in names:
        if name in listed and name in standard:
            rates[name] = _in_proportion(rates[name], listed[name], standard[name])
        else:
            _discount(rates, (name,), discounts)


def _discount(rates: dict[str, Rate], names: Iterable[str], discounts: Iterable[Entry]) -> None:
    for entry in discounts:
        for name in entry.applies_to.intersection(names):
            rates[name] = times(rates[name], *(entry.multiplier or (1, 1)))


def _put_variants(
    layered: Layered, model: Model, day: date, standards: tuple[Rates, Rates], discounts: Iterable[Entry]
) -> None:
    """What the data has for a context; `standards` are the data's and the one in force."""
    fixed: set[str] = set()
    for variant in model.variants:
        if variant.holds(day) and variant.when.items() <= layered.asked.items():
            layered.rates.update({name: rate for name, rate in variant.rates.items() if name not in fixed})
            fixed |= variant.rates.keys()
            layered.covered |= variant.when.keys()
    _adjust(layered.rates, fixed, standards, discounts)


def _put_backdated(layered: Layered, entry: Entry, model: Model, day: date, standard: Rates) -> None:
    """Variants that the data dates from the day they were looked up, taken to have held before."""
    if entry.context.keys() <= layered.covered:
        return
    later = [v for v in model.variants if v.start is not None and v.start > day and v.when == entry.context]
    if not later:
        return
    first = min(later, key=lambda variant: variant.start or day)
    anchor = model.standard(first.start or day)
    for name, rate in first.rates.items():
        layered.rates[name] = _in_proportion(rate, anchor.get(name), standard.get(name))
    layered.covered |= entry.context.keys()
    layered.used.append(entry)


def _in_proportion(rate: Rate, anchor: Rate | None, standard: Rate | None) -> Rate:
    """rate × standard / anchor at every step; the rate itself where there is nothing to compare."""
    if anchor is None or standard is None or anchor == standard:
        return rate
    starts = sorted({start for steps in (rate, anchor, standard) for start, _ in steps})
    return tuple((start, _share(rate, anchor, standard, start + 1)) for start in starts)


def _share(rate: Rate, anchor: Rate, standard: Rate, prompt: int) -> int:
    divisor = step_of(anchor, prompt)
    price = step_of(rate, prompt)
    return scale(price, step_of(standard, prompt), divisor) if divisor else price
