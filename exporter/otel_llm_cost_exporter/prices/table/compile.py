"""A price book → the rows of three tables: names, cards, rates.

Most names of a model share a sheet.  Those that an overlay means by name, and a model that two hosts sell at different
prices, have one of their own, told apart by what stands behind the model's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, Final, NamedTuple

from otel_llm_cost.pricing import PriceBook, Priced, Unpriced
from otel_llm_cost.pricing.overlay import Entry

from .listed import Listed
from .sheets import Period, Sheet, known_contexts, periods, sheet

SCHEMA: Final = 1
"""Part of what a load is known by: raise it where the same prices give other rows."""
Key = tuple[str, str]
"""(vendor, sheet)."""


class NameRow(NamedTuple):
    """What a name on spans leads to on these days: a sheet, and what that says of the price."""

    provider: str
    name: str
    period: Period
    price_provider: str
    price_model: str
    """The sheet."""
    model: str
    status: str
    reason: str
    known: tuple[str, ...]


@dataclass(slots=True)
class Compiled:
    """All names, and the sheets that they lead to; a sheet is made when it is asked for."""

    listed: Listed
    names: list[NameRow] = field(default_factory=list)
    _sheets: dict[Key, tuple[str, str]] = field(default_factory=dict)
    _keys: dict[tuple[Any, ...], Key] = field(default_factory=dict)
    _have: set[tuple[str, str]] = field(default_factory=set)
    _places: dict[int, int] = field(default_factory=dict)

    @property
    def load(self) -> str:
        """What this set of prices is known by; names may be added to it."""
        said = (SCHEMA, _release(), self.listed.book.version, *self.listed.entries)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:16]

    def sheets(self) -> dict[Key, tuple[str, str]]:
        """Every sheet, by a vendor and name that lead to it."""
        return dict(self._sheets)

    def sheet(self, key: Key) -> Sheet:
        """Its cards and rates: some milliseconds."""
        return sheet(self.listed, *self._sheets[key])

    def add_listed(self) -> None:
        """All that the book lists, under every name of the vendor."""
        for vendor, spellings in self.listed.vendors().items():
            for name in self.listed.names(vendor):
                self._add(vendor, name, spellings)

    def add_seen(self, provider: str, name: str) -> None:
        """A pair as a span has it."""
        said, lowered = provider.strip().lower(), name.strip().lower()
        if lowered:
            self._add(self.listed.vendor(said), lowered, (said,))

    def _add(self, vendor: str, name: str, spellings: Iterable[str]) -> None:
        new = [said for said in spellings if (said, name) not in self._have]
        self._have.update((said, name) for said in new)
        for row in self._rows(vendor, name) if new else ():
            self.names.extend(row._replace(provider=said) for said in new)

    def _rows(self, vendor: str, name: str) -> Iterator[NameRow]:
        """The name's rows, but for the provider."""
        models = self.listed.models(vendor, name)
        key = self._key(vendor, name) if models else ("", "")
        known = known_contexts(self.listed, vendor, name) if models else ()
        days = self.listed.days(vendor, name, of_names=True)
        said = {day: _said(self.listed.book.resolve(vendor, name, day)) for day in days}
        for period, (model, status, reason) in periods(said):
            yield NameRow("", name, period, *key, model, status, reason, known)

    def _key(self, vendor: str, name: str) -> Key:
        """The sheet that a name leads to: the same whatever else has been seen, for others may be loaded already."""
        told = self._told(vendor, name)
        if told not in self._keys:
            model = self.listed.models(vendor, name)[0]
            stem = model.id if model.provider == vendor else f"{model.provider}/{model.id}"
            plain = told == self._told(vendor, model.id)
            self._keys[told] = key = (vendor, stem if plain else f"{stem}#{_short(told)}")
            self._sheets[key] = (vendor, name)
        return self._keys[told]

    def _told(self, vendor: str, name: str) -> tuple[Any, ...]:
        """What names have in common that lead to one sheet."""
        facts = self.listed.book.facts(vendor, name)
        if facts is None or self.listed.dated(vendor, name):
            return vendor, name
        model, entries = facts
        same_as = self.listed.book.resolve(vendor, name, date.max)
        override = isinstance(same_as, Priced) and same_as.reason.startswith("same_as")
        return vendor, model.provider, model.id, tuple(map(self._place, entries)), override

    def _place(self, entry: Entry) -> int:
        """An entry by its place among all."""
        if not self._places:
            self._places.update({id(one): i for i, one in enumerate(self.listed.entries)})
        return self._places[id(entry)]


def compile_book(book: PriceBook, seen: Iterable[tuple[str, str]] = (), *, listed: bool = True) -> Compiled:
    """What the book lists, unless `listed` is False, and the (provider as on spans, model) pairs that were seen."""
    compiled = Compiled(Listed(book))
    if listed:
        compiled.add_listed()
    for provider, name in seen:
        compiled.add_seen(provider, name)
    return compiled


def _said(found: Priced | Unpriced) -> tuple[str, str, str]:
    """Model, status and reason that a name gives; whether the model has a rate is said by its card."""
    if isinstance(found, Priced):
        return found.model, found.status, found.reason
    return (found.model, "exact", "") if found.model else ("", "unknown", found.reason)


def _short(told: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:8]


def _release() -> str:
    try:
        return installed_version("otel-llm-cost")
    except PackageNotFoundError:
        return ""
