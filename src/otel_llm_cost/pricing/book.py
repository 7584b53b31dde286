"""The price book: (provider, model, usage, day, context) → what it cost, in a few microseconds.

A rate card is compiled once for every (provider, model, day, context) and kept; the rest is a few integer
products.  The book does no I/O after it is loaded and never raises over what it is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from otel_llm_cost.record import Usage

from .bill import Priced, Unpriced, bill
from .buckets import quantities
from .card import RateCard, compile_card
from .catalogue import Catalogue, Model, Price
from .cost import STANDARD, Context, Cost, Status, unknown
from .finding import Finder, Found
from .layers import Layered, asked, layer
from .names import vendor_of
from .overlay import PACKAGED, Entry, Overlay

_CACHE_SIZE: Final = 4096


class PriceBook:
    """Dated prices of many vendors, under zero or more overlays.  Immutable but for its cache; safe to share."""

    def __init__(self, catalogue: Catalogue, overlays: tuple[Overlay, ...] = ()) -> None:
        self.catalogue = catalogue
        self.overlays = overlays
        self.finder = Finder(catalogue, overlays)
        self._cards: dict[tuple[Any, ...], Priced | Unpriced] = {}
        self.source = catalogue.source
        """What the data was made from, such as "genai-prices 0.2.3"."""
        self.dated = catalogue.date
        """The newest day on which the data says that a price was looked up."""
        self.version = _version(catalogue, overlays)
        """Names the prices in force: the data's version, the packaged overlay's date, a digest of any other."""

    @classmethod
    def vendored(cls) -> PriceBook:
        """The prices that are part of this package, with its own overlay."""
        return cls(Catalogue.vendored(), (Overlay.vendored(),))

    def with_overlay(self, overlay: Overlay | Mapping[str, Any], origin: str = "user") -> PriceBook:
        """This book under one more overlay (an `Overlay` or its JSON shape), which wins over those already there.

        Raises ValueError naming the entry and the field if the overlay is malformed.
        """
        known = overlay if isinstance(overlay, Overlay) else Overlay.decode(overlay, origin)
        return PriceBook(self.catalogue, (*self.overlays, known))

    def price(self, provider: str, model: str, usage: Usage | None, at: date, context: Context = STANDARD) -> Cost:
        """What a call cost on the (UTC) day `at`; a `datetime` also chooses between prices by time of day."""
        minute: int | None = None
        if type(at) is not date:
            at, minute = _utc(at)
        found = self._card(provider, model, at, context)
        counted = quantities(usage) if isinstance(usage, Usage) else "no_usage"
        if isinstance(found, Unpriced):
            return unknown(found.reason, self.version, found.model)
        if isinstance(counted, str):
            return unknown(counted, self.version, found.model)
        return bill(found, counted, minute, self.version)

    def resolve(self, provider: str, model: str, at: date, context: Context = STANDARD) -> Priced | Unpriced:
        """The card that a call would be priced by, or why there is none."""
        return self._card(provider, model, _utc(at)[0], context)

    def facts(self, provider: str, model: str) -> tuple[Model, tuple[Entry, ...]] | None:
        """All that is known of a model, whatever the day: dated prices and variants, and overlay entries."""
        name = self.finder.provider(provider)
        found = self.finder.find(name, model, None)
        return (found.model, tuple(self.finder.entries(name, found, None))) if found else None

    def providers(self) -> list[str]:
        """The ids of the data's providers."""
        return sorted(self.catalogue.providers)

    def models(self, provider: str) -> Iterator[str]:
        """The ids of a provider's models; none if the data does not have the provider."""
        known = self.catalogue.providers.get(vendor_of(self.finder.provider(provider)))
        return (model.id for model in known or ())

    def _card(self, provider: str, model: str, day: date, context: Context) -> Priced | Unpriced:
        """Compiled once and remembered; the memory is bounded by being emptied."""
        if not (isinstance(provider, str) and isinstance(model, str)):
            return Unpriced("unknown_model" if isinstance(provider, str) else "unknown_provider")
        key = (provider, model, day, context.service_tier, context.batch, context.speed, context.region)
        card = self._cards.get(key)
        if card is None:
            card = self._compile(self.finder.provider(provider), model, day, asked(context))
            if len(self._cards) >= _CACHE_SIZE:
                self._cards.clear()
            self._cards[key] = card
        return card

    def _compile(self, provider: str, name: str, day: date, context: Mapping[str, str]) -> Priced | Unpriced:
        found = self.finder.find(provider, name, day)
        if found is None:
            return Unpriced("unknown_model" if self.finder.knows(provider) else "unknown_provider")
        model = found.model
        entries = list(self.finder.entries(provider, found, day))
        own = model.provider == vendor_of(provider)

        def compiled(window: Price | None) -> tuple[Layered, RateCard]:
            layered = layer(model, day, context, entries, window=window, own=own)
            return layered, compile_card(model.provider, model.id, layered.rates, frozenset(layered.once))

        layered, card = compiled(None)
        if card.empty:
            return Unpriced("prepaid_tier" if layered.prepaid else "no_rates", model.provider, model.id)
        hours = tuple((price.window, compiled(price)[1]) for price in model.windows() if price.window is not None)
        windows = hours if any(other != card for _, other in hours) else ()
        status, reason = _status(found, layered)
        return Priced(status, reason, model.provider, model.id, self._source(layered), card, windows)

    def _source(self, layered: Layered) -> str:
        said = dict.fromkeys(f"{entry.origin} overlay: {entry.source or 'no source'}" for entry in layered.used)
        return "; ".join((self.source, *said))


def _version(catalogue: Catalogue, overlays: tuple[Overlay, ...]) -> str:
    said = [catalogue.source.replace(" ", "-")]
    for overlay in overlays:
        digest = hashlib.sha256(repr(overlay.entries).encode()).hexdigest()[:8]
        said.append(overlay.date if overlay.origin == PACKAGED else f"{overlay.origin}-{digest}")
    return "+".join(said)


def _utc(at: object) -> tuple[date, int | None]:
    """The UTC day of a moment, and its minute of the day where that is known.  What is no date at all is today."""
    if isinstance(at, datetime):
        moment = at if at.tzinfo is None or at.tzinfo is UTC else at.astimezone(UTC)
        return moment.date(), moment.hour * 60 + moment.minute
    return at if isinstance(at, date) else datetime.now(UTC).date(), None


def _status(found: Found, layered: Layered) -> tuple[Status, str]:
    reason = ",".join(filter(None, (found.reason, *layered.unpriced)))
    if layered.overridden:
        return "override", reason
    if layered.unpriced and found.status != "override":
        return "fallback", reason
    return found.status, reason
