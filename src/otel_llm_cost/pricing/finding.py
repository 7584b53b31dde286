"""From a vendor and a name to a model: exact, then another spelling, then a near relative, marked for what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from .catalogue import Catalogue, Model
from .cost import Status
from .names import PROVIDERS, relatives, spellings
from .overlay import PACKAGED, Entry, Overlay

_LONGEST_NAME = 512
Wanted = Callable[[Entry], bool]

Names = list[tuple[str, str]]
"""(name, why it is looked up), nearest first."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model, all names that overlay entries may know it by, and how the name that was asked for led to it."""

    model: Model
    names: tuple[str, ...]
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks names up in the data and in the overlays, which are in rising rank.

    `day` limits overlay entries to those in force; None means whenever.
    """

    catalogue: Catalogue
    overlays: tuple[Overlay, ...]

    def provider(self, name: str) -> str:
        """A vendor's id in the data, or the name itself in lower case."""
        lowered = name.strip().lower()
        known = PROVIDERS.get(lowered, lowered)
        dashed = known.replace("_", "-")
        return known if known in self.catalogue.providers or dashed not in self.catalogue.providers else dashed

    def knows(self, provider: str) -> bool:
        """Whether the data or an overlay has anything for a vendor."""
        entries = (entry for overlay in self.overlays for entry in overlay.entries)
        return provider in self.catalogue.providers or any(entry.provider == provider for entry in entries)

    def find(self, provider: str, model: str, day: date | None) -> Found | None:
        """The model that a name means at a vendor (an id of the data or an overlay's word for one)."""
        if len(model) > _LONGEST_NAME:
            return None
        names = spellings(model)
        said = tuple(name for name, _ in names)
        if (entry := self._first(provider, said, day, lambda e: e.same_as is not None)) and entry.same_as:
            other = self._in_data(entry.same_as[0], spellings(entry.same_as[1]))
            return other and replace(other, names=(*other.names, *said), status="override", reason="same_as")
        return self._known(provider, names, day) or self._guess(provider, model, day)

    def entries(self, provider: str, found: Found, day: date | None) -> Iterator[Entry]:
        """What the overlays say of a model, in rising rank.

        A host that sells another vendor's model has that vendor's list price for it, but its own tiers, and what the
        user has agreed on with the vendor is not agreed on with the host.
        """
        owner = found.model.provider
        for overlay in self.overlays:
            for entry in overlay.entries:
                listed = entry.origin == PACKAGED and not entry.context
                theirs = entry.provider == provider or (entry.provider == owner and listed)
                if theirs and entry.same_as is None and _in_force(entry, day) and entry.is_for(found.names):
                    yield entry

    def _in_data(self, provider: str, names: Names) -> Found | None:
        own = self.catalogue.providers.get(provider)
        if own is None:
            return None
        for host in (own, *(self.catalogue.providers[name] for name in own.fallback)):
            for name, reason in names:
                listed = host.named(name)
                if model := listed or host.matching(name):
                    why = reason or ("" if listed else "matched_by_pattern")
                    why = why if host is own else f"priced_as_{host.id}"
                    all_names = (model.id.lower(), *(n for n, _ in names))
                    return Found(model, all_names, "alias" if why else "exact", why)
        return None

    def _known(self, provider: str, names: Names, day: date | None) -> Found | None:
        return self._in_data(provider, names) or self._in_overlays(provider, names, day)

    def _guess(self, provider: str, model: str, day: date | None) -> Found | None:
        for name, reason in relatives(model):
            if found := self._known(provider, [(name, "")], day):
                return replace(found, status="fallback", reason=reason)
        return None

    def _in_overlays(self, provider: str, names: Names, day: date | None) -> Found | None:
        said = tuple(name for name, _ in names)
        for name, reason in names:
            if entry := self._first(provider, (name,), day, lambda e: e.prices_tokens):
                why = reason or ("" if entry.model == name else "matched_by_pattern")
                model = Model(provider, name if entry.model == "*" else entry.model)
                return Found(model, said, "alias" if why else "exact", why)
        return None

    def _first(self, provider: str, names: Iterable[str], day: date | None, wanted: Wanted) -> Entry | None:
        for overlay in reversed(self.overlays):
            for entry in reversed(overlay.entries):
                if entry.provider == provider and wanted(entry) and _in_force(entry, day) and entry.is_for(names):
                    return entry
        return None


def _in_force(entry: Entry, day: date | None) -> bool:
    return day is None or entry.holds(day)
