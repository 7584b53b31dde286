"""Prices laid over the data: what it lacks, what it has wrong, and what you have negotiated.

An overlay is an object, `{"date": "2026-11-20", "entries": [ENTRY…]}`.  Several may lie on each other: the one that
is part of this package (data/overlay.json, an example of everything here), over it the project's, the user's, that of
the environment, that of a command.  An entry is an object of these fields, prices and factors as decimal text or
whole numbers, never floats:

    provider       a vendor as the data or OpenTelemetry names it, or the host name of a server of your own
    model          a model's id or name, or a shell pattern ("ft:gpt-4.1-2025*", "*")
    valid_from     first day, optional         valid_to    first day no longer, optional
    context        optional, all must hold: {"service_tier": "flex", "batch": true, "speed": "fast", "region": "us"}
    rates          USD per million tokens: {"input": "2.50", "cache_read": "1.25", "output": "10"}
    tiers          [{"above": 200000, "rates": {…}}]: rates of a prompt of more tokens than that
    fees           USD per 1,000 requests: {"web_search": "10"}
    once_per_call  ["grounding"]: such requests are billed at most once a call
    multiplier     "0.5": times the rates of the tokens (a batch or negotiated discount, a regional uplift)
    applies_to     ["input", "output"]: the buckets that the multiplier is for; all of the tokens' by default
    fills_gap      true: the multiplier is used only where no rate for its context is published
    backdate       true: rates that the data lists for this context from a later day on held before, too,
                   in proportion to the standard rate of the day
    same_as        "openai/gpt-4o": the price of another model, for deployments and gateways
    source, note   where the figure is from (required in the packaged overlay), and why the entry is needed

Buckets of `rates` and `fees` are those of `buckets.BUCKETS`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Final

from .buckets import FEES, INDEX
from .overlay_reader import Place, Problem, entry_fields

PACKAGED: Final = "packaged"
_TOP: Final = ("date", "entries", "source", "note")


class OverlayError(ValueError):
    """An overlay with faults; `problems` has every one of them and where it is."""

    def __init__(self, origin: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{origin} price overlay{told(problem)}" for problem in self.problems))


def told(problem: Problem) -> str:
    """A problem in words, for whoever has plain objects and no file: `, entry 3, field 'rates.input': …`."""
    path = problem.path
    entry = ""
    if len(path) > 1 and path[0] == "entries":
        entry, path = f", entry {path[1]}", path[2:]
    named = f", field {'.'.join(map(str, path))!r}" if path else ""
    return f"{entry}{named}: {problem.message}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Entry:
    """One entry, checked.  Rates are pico-dollars a unit, the multiplier a ratio of integers."""

    provider: str
    model: str
    origin: str
    valid_from: date | None = None
    valid_to: date | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, int] = field(default_factory=dict)
    tiers: tuple[tuple[int, Mapping[str, int]], ...] = ()
    once_per_call: frozenset[str] = frozenset()
    multiplier: tuple[int, int] | None = None
    applies_to: frozenset[str] = frozenset(INDEX) - FEES
    fills_gap: bool = False
    backdate: bool = False
    same_as: tuple[str, str] | None = None
    source: str = ""
    note: str = ""

    def __repr__(self) -> str:
        """What it says of prices, the same in every process: a digest of this names a version of the prices.

        Words and line numbers change no price, and a set has another order in every process.
        """
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("source", "note")}
        return repr({name: sorted(value) if isinstance(value, frozenset) else value for name, value in said.items()})

    def holds(self, day: date) -> bool:
        return (self.valid_from is None or day >= self.valid_from) and (self.valid_to is None or day < self.valid_to)

    def is_for(self, names: Iterable[str]) -> bool:
        """Whether one of a model's names is meant."""
        return any(fnmatchcase(name, self.model) for name in names)

    @property
    def prices_tokens(self) -> bool:
        """Whether it can stand for a model that nobody else knows."""
        return not self.rates.keys() <= FEES


@dataclass(frozen=True, slots=True)
class Overlay:
    """Entries of one origin (`packaged`, `project`, `user`, …); the later wins over the earlier."""

    entries: tuple[Entry, ...]
    origin: str
    date: str = ""

    @classmethod
    def decode(cls, raw: object, origin: str) -> Overlay:
        """An overlay from plain objects.  Raises OverlayError with everything that is wrong with them."""
        problems: list[Problem] = []
        overlay = _overlay(raw, origin, Place((), problems))
        if problems:
            raise OverlayError(origin, problems)
        return overlay

    @classmethod
    def vendored(cls) -> Overlay:
        """The overlay that is part of this package."""
        return cls.decode(json.loads(files(__package__).joinpath("data", "overlay.json").read_bytes()), PACKAGED)


def _overlay(raw: object, origin: str, top: Place) -> Overlay:
    entries = raw.get("entries") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(entries, list):
        top.wrong('expected an object {"date": …, "entries": […]}')
        return Overlay((), origin)
    for name in raw:
        if name not in _TOP:
            top.unknown("field", name, _TOP)
    place = top.into("entries")
    checked = [_entry(entry, origin, place.into(i)) for i, entry in enumerate(entries)]
    return Overlay(tuple(entry for entry in checked if entry is not None), origin, str(raw.get("date", "")))


def _entry(raw: object, origin: str, place: Place) -> Entry | None:
    if not isinstance(raw, dict):
        place.wrong("expected an object with 'provider', 'model' and what they cost")
        return None
    before = len(place.problems)
    read = entry_fields(raw, place)
    if len(place.problems) > before:
        return None
    read["rates"] = {**read.get("rates", {}), **read.pop("fees", {})}
    return Entry(**read, origin=origin)
