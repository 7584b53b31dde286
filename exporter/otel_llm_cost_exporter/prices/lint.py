"""What a file with prices says in vain: entries that no call can ever meet, though each is well-formed.

Whether a model exists is judged by the data in force, so that a finding may go away with newer data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatchcase

from otel_llm_cost.pricing import Overlay, PriceBook, Priced
from otel_llm_cost.pricing.layers import asked
from otel_llm_cost.pricing.names import vendor_of
from otel_llm_cost.pricing.overlay import Entry

from .data import Prices
from .diff import context_of
from .files import Finding, Level, OverlayFile, dotted, examine
from .text import Document


def findings(file: OverlayFile, prices: Prices) -> tuple[Finding, ...]:
    """Everything to mend in a file that is to lie over `prices`, in the order of its lines."""
    overlay, document, faults = examine(file)
    if overlay is None:
        return faults
    overlays = (*prices.overlays, overlay)
    everything = tuple(entry for laid in overlays for entry in laid.entries)
    linter = _Linter(overlay, document, file, PriceBook(prices.catalogue, overlays), everything)
    return tuple(sorted(linter.findings(), key=lambda finding: (finding.line, finding.column)))


@dataclass(frozen=True, slots=True)
class _Linter:
    overlay: Overlay
    document: Document
    file: OverlayFile
    book: PriceBook
    """The prices in force with the file in question over them."""
    everything: tuple[Entry, ...]
    """The entries of all overlays."""

    def findings(self) -> Iterator[Finding]:
        entries = self.overlay.entries
        for i, entry in enumerate(entries):
            later = next((j for j in range(i + 1, len(entries)) if _hides(entries[j], entry)), None)
            if later is not None:
                line = self.document.mark(("entries", later)).line
                message = f"the entry on line {line} sets all of this again for every such call: keep one"
                yield self._finding(i, ("model", message, "never applies"))
            for vain in _vain(entry, self.everything, self.book):
                yield self._finding(i, vain)

    def _finding(self, i: int, vain: Vain) -> Finding:
        field, message, level = vain
        path = ("entries", i, field)
        return Finding(self.file.path, *self.document.mark(path), dotted(path), message, level)


Vain = tuple[str, str, Level]
"""The field at fault, what is wrong, how much."""


def _vain(entry: Entry, entries: Sequence[Entry], book: PriceBook) -> Iterator[Vain]:
    yield from _context(entry)
    if entry.same_as is not None:
        yield from _deployment(entry, entries, book)
    else:
        yield from _subject(entry, entries, book)


def _context(entry: Entry) -> Iterator[Vain]:
    """Contexts that no call is in: the standard ones go without saying, and some words are brought into one form."""
    when = dict(entry.context)
    arrives = asked(context_of(when))
    for name, value in when.items():
        if arrives.get(name) != value:
            said = "is how a call is served that says nothing: leave it out"
            if name in arrives:
                said = f"arrives as {arrives[name]!r}: write that"
            elif value == "batch":
                said = 'is no tier: write "batch": true'
            yield "context", f"{name} {value!r} {said}", "never applies"


def _deployment(entry: Entry, entries: Sequence[Entry], book: PriceBook) -> Iterator[Vain]:
    provider, model = entry.same_as or ("", "")
    if (provider, model.lower()) == (entry.provider, entry.model):
        yield "same_as", "it is the same as itself: take the entry out", "never applies"
        return
    if isinstance(book.resolve(entry.provider, _probe(entry.model), _day(entry, book)), Priced):
        return
    message = f"the data has no price of {provider}/{model}{_near(book, provider, model)}"
    for other in entries:
        if other.same_as and other.provider == provider and fnmatchcase(model.lower(), other.model):
            ends = "/".join(other.same_as)
            message = f"{provider}/{model} is itself the same as {ends}, and chains are not followed: name a model"
    yield "same_as", message, "never applies"


def _subject(entry: Entry, entries: Sequence[Entry], book: PriceBook) -> Iterator[Vain]:
    """Whether there is such a model at such a provider."""
    known = book.providers()
    if vendor_of(entry.provider) not in known:
        near = get_close_matches(entry.provider, known, 1, 0.8)
        meant = f"did you mean {near[0]!r}?" if near else "give it rates, or name a provider: otel-llm-cost prices show"
        own = [o for o in entries if o.provider == entry.provider and (o.prices_tokens or o.same_as)]
        if not own:
            yield "provider", f"nothing prices {entry.provider!r}, nor does this entry; {meant}", "never applies"
        elif near:
            yield "provider", f"{entry.provider!r} is taken for a server or gateway of your own; {meant}", "hint"
    elif not entry.prices_tokens and not _has_model(entry, entries, book):
        near_model = _near(book, entry.provider, entry.model)
        message = f"{entry.provider} has no such model in the data, and the entry has no rates of its own{near_model}"
        yield "model", message, "never applies"


def _has_model(entry: Entry, entries: Sequence[Entry], book: PriceBook) -> bool:
    """Whether a name or pattern can meet a model: of the data, or one that another entry prices."""
    if entry.model == "*" or any(fnmatchcase(name.lower(), entry.model) for name in book.models(entry.provider)):
        return True
    others = (o for o in entries if o is not entry and o.provider == entry.provider and (o.prices_tokens or o.same_as))
    if any(fnmatchcase(o.model, entry.model) or fnmatchcase(entry.model, o.model) for o in others):
        return True
    # a host's own list is not all it sells: some fall back on another vendor's
    names = (name for provider in book.providers() for name in book.models(provider))
    elsewhere = (name for name in names if fnmatchcase(name.lower(), entry.model))
    return any(_listed(book, entry.provider, name) for name in (_probe(entry.model), *elsewhere))


def _listed(book: PriceBook, provider: str, model: str) -> bool:
    return book.facts(provider, model) is not None


def _probe(pattern: str) -> str:
    """A name that a pattern fits: itself without its stars."""
    return pattern.replace("*", "").strip() or pattern


def _day(entry: Entry, book: PriceBook) -> date:
    return entry.valid_from or book.dated


def _near(book: PriceBook, provider: str, model: str) -> str:
    near = get_close_matches(model.lower(), list(book.models(provider)), 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _hides(later: Entry, entry: Entry) -> bool:
    """Whether every call that an entry is for meets the later one too, and the later sets all that the entry sets."""
    if not _covers(later.model, entry.model) or later.provider != entry.provider or not _longer(later, entry):
        return False
    if later.same_as or entry.same_as:
        return bool(later.same_as and entry.same_as)
    same_layer = later.context.items() <= entry.context.items() and bool(later.context) == bool(entry.context)
    sets = entry.rates.keys() | {name for _, rates in entry.tiers for name in rates}
    if entry.multiplier or entry.backdate or later.fills_gap or not same_layer:
        return False
    return sets <= later.rates.keys() and entry.once_per_call <= later.once_per_call


def _covers(pattern: str, other: str) -> bool:
    """Whether all names that fit the other pattern fit this one; only where that is plain to see."""
    plain = not set(other) & set("*?[") or not set(pattern) & set("?[")
    return pattern == other or (plain and fnmatchcase(other, pattern))


def _longer(later: Entry, entry: Entry) -> bool:
    """Whether a period is within another."""
    begins = later.valid_from is None or (entry.valid_from is not None and later.valid_from <= entry.valid_from)
    ends = later.valid_to is None or (entry.valid_to is not None and later.valid_to >= entry.valid_to)
    return begins and ends
