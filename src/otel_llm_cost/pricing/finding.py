"""From a vendor and a name to a model: exact, then another spelling, then a near relative, marked for what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from .catalogue import Catalogue, Model
from .cost import Status
from .names import PROVIDERS, is_arn, moves, relatives, spellings, vendor_of
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
        """A vendor's id in the data, one of `names.SHOPS`, or the name itself in lower case."""
        lowered = name.strip().lower()
        known = PROVIDERS.get(lowered, lowered)
        dashed = known.replace("_", "-")
        return known if known in self.catalogue.providers or dashed not in self.catalogue.providers else dashed

    def knows(self, provider: str) -> bool:
        """Whether the data or an overlay has anything for a vendor."""
        entries = (entry for overlay in self.overlays for entry in overlay.entries)
        known = vendor_of(provider) in self.catalogue.providers
        return known or any(entry.provider == provider for entry in entries)

    def find(self, provider: str, model: str, day: date | None) -> Found | None:
        """The model that a name means at a vendor (an id of the data or an overlay's word for one).

        Without a day a name means what it means now, or meant last.
        """
        if len(model) > _LONGEST_NAME:
            return None
        names = spellings(model)
        said = tuple(name for name, _ in names)
        if entry := self._first(provider, said, day, _points if day else _points_still):
            return self._same_as(entry, said)
        found = self._known(provider, names, day) or self._guess(provider, model, day)
        if found is None and day is None and (entry := self._first(provider, said, None, _points)):
            return self._same_as(entry, said)
        return found

    def entries(self, provider: str, found: Found, day: date | None) -> Iterator[Entry]:
        """What the overlays say of a model, in rising rank.

        A host that sells another vendor's model has that vendor's list price for it, but its own tiers, and what the
        user has agreed on with the vendor is not agreed on with the host.  What holds for a vendor holds in its shops.
        """
        owner, sellers = found.model.provider, (provider, vendor_of(provider))
        for overlay in self.overlays:
            for entry in overlay.entries:
                listed = entry.origin == PACKAGED and not entry.context
                theirs = entry.provider in sellers or (entry.provider == owner and listed)
                if theirs and entry.same_as is None and _in_force(entry, day) and entry.is_for(found.names):
                    yield entry

    def _same_as(self, entry: Entry, said: tuple[str, ...]) -> Found | None:
        """The model that an entry points to; ours points where the vendor did."""
        provider, model = entry.same_as or ("", "")
        other = self._in_data(provider, spellings(model))
        status: Status = "alias" if entry.origin == PACKAGED else "override"
        return other and replace(other, names=(*other.names, *said), status=status, reason="same_as")

    def _in_data(self, provider: str, names: Names) -> Found | None:
        own = self.catalogue.providers.get(vendor_of(provider))
        if own is None:
            return None
        for host in (own, *(self.catalogue.providers[name] for name in own.fallback)):
            for name, reason in names:
                listed = host.named(name)
                if model := listed or (None if is_arn(name) else host.matching(name)):
                    why = reason or _why(name, model, listed=listed is not None)
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
                model = Model(vendor_of(provider), name if entry.model == "*" else entry.model)
                return Found(model, said, "alias" if why else "exact", why)
        return None

    def _first(self, provider: str, names: Iterable[str], day: date | None, wanted: Wanted) -> Entry | None:
        sellers = (provider, vendor_of(provider))
        for overlay in reversed(self.overlays):
            for entry in reversed(overlay.entries):
                if entry.provider in sellers and wanted(entry) and _in_force(entry, day) and entry.is_for(names):
                    return entry
        return None


def _points(entry: Entry) -> bool:
    return entry.same_as is not None


def _points_still(entry: Entry) -> bool:
    return entry.same_as is not None and entry.valid_to is None


def _why(name: str, model: Model, *, listed: bool) -> str:
    """Why a name of the data is not the model's own: where it points moves on, and the data knows where it does now."""
    if not listed:
        return "matched_by_pattern"
    return "moving_name" if moves(name) and name != model.id.lower() else ""


def _in_force(entry: Entry, day: date | None) -> bool:
    return day is None or entry.holds(day)
