"""Every name that the prices list, and the days on which an answer of the book may change.

A vendor has several names on spans (`gcp.gemini`, `gcp.vertex_ai`, …) and a host that sells other vendors' models has
their names beside its own.  Names that only a pattern or a rule fits (dated snapshots, ARNs, fine-tuned models) are
not listed: they are added when a call has been seen with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.pricing.catalogue import Model
from otel_llm_cost.pricing.hours import turning_days
from otel_llm_cost.pricing.layers import PREPAID
from otel_llm_cost.pricing.names import PROVIDERS, vendor_of
from otel_llm_cost.pricing.names import spellings as model_spellings
from otel_llm_cost.pricing.overlay import Entry
from otel_llm_cost_exporter.dialects import PROVIDERS as ON_SPANS

FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(2149, 6, 6)
"""The last that a column of type Date holds."""
_AHEAD: Final = timedelta(days=400)
"""How far past the date of the data prices are known that change with the day of the week."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What can be listed of a book."""

    book: PriceBook

    @property
    def entries(self) -> Iterator[Entry]:
        """The entries of all overlays."""
        return (entry for overlay in self.book.overlays for entry in overlay.entries)

    def vendors(self) -> dict[str, tuple[str, ...]]:
        """A vendor's id in the prices → what it may be called on a span, the id among them."""
        known = {*self.book.providers(), *(entry.provider for entry in self.entries)}
        out = {name: {name, name.replace("-", "_")} for name in known}
        for said in (*PROVIDERS, *ON_SPANS, *ON_SPANS.values()):
            out.get(self.vendor(said), set()).add(said)
        return {name: tuple(sorted(said)) for name, said in sorted(out.items())}

    def vendor(self, said: str) -> str:
        """The id of a vendor by any of its names."""
        return self.book.finder.provider(said)

    def names(self, vendor: str) -> list[str]:
        """Every model's name that is listed at a vendor or at one whose models it sells, in lower case."""
        providers = self.book.catalogue.providers
        own, sellers = vendor_of(vendor), (vendor, vendor_of(vendor))
        found = {entry.model for entry in self.entries if entry.provider in sellers and not _is_pattern(entry.model)}
        for host in (own, *(providers[own].fallback if own in providers else ())):
            found.update(providers[host].names if host in providers else ())
        return sorted({name.strip().lower() for name in found})

    def models(self, vendor: str, name: str) -> list[Model]:
        """The models that a name has ever led to: one, or more where overlays say so by days."""
        facts = [self.book.facts(vendor, name)]
        facts += [self.book.facts(*entry.same_as) for entry in self.dated(vendor, name) if entry.same_as]
        return [fact[0] for fact in facts if fact is not None]

    def dated(self, vendor: str, name: str) -> list[Entry]:
        """The entries that say for some days only which model a name means."""
        said = [spelling for spelling, _ in model_spellings(name)]
        return [
            entry
            for entry in self.entries
            if entry.provider in (vendor, vendor_of(vendor))
            and (entry.valid_from or entry.valid_to)
            and (entry.same_as or entry.prices_tokens)
            and entry.is_for(said)
        ]

    def days(self, vendor: str, name: str, *, of_names: bool = False) -> list[date]:
        """The days from which on a price may be another, or only what a name means; the first of all among them."""
        models = self.models(vendor, name)
        bounds = (d for entry in self._said_of(vendor, name) for d in (entry.valid_from, entry.valid_to))
        starts = (price.start for model in models for price in (*model.prices, *model.variants) if not of_names)
        hourly = () if of_names else models
        turns = (day for model in hourly for day in turning_days(model, self.book.dated + _AHEAD))
        return sorted({FIRST_DAY, *turns, *filter(None, (*bounds, *starts))})

    def _said_of(self, vendor: str, name: str) -> list[Entry]:
        """The entries that may touch the price of what a name leads to."""
        facts = self.book.facts(vendor, name)
        if facts is not None and not self.dated(vendor, name):
            return list(facts[1])
        theirs = {vendor, vendor_of(vendor), *(model.provider for model in self.models(vendor, name))}
        return [entry for entry in self.entries if entry.provider in theirs]

    def contexts(self, vendor: str, name: str) -> set[tuple[str, str]]:
        """All of (`service_tier`, `speed` or `region`, value) that something is priced for."""
        models = self.models(vendor, name)
        own = [model for model in models if model.provider == vendor_of(vendor)]
        said = [dict(entry.context) for entry in self._said_of(vendor, name)]
        said += [dict(variant.when) for model in own for variant in model.variants]
        prepaid = {("service_tier", tier) for tier in PREPAID.get(vendor_of(vendor), ()) if own}
        return {pair for context in said for pair in context.items()} | prepaid


def _is_pattern(model: str) -> bool:
    return not {"*", "?", "["}.isdisjoint(model)
