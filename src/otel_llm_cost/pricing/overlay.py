"""Prices laid over the data: what it lacks, what it has wrong, and what you have negotiated.

An overlay is a JSON object, `{"date": "2026-11-20", "entries": [ENTRY…]}`.  Three may lie on each other, the user's
over the project's over the one that is part of this package (data/overlay.json, an example of everything here).
An entry is an object of these fields, prices and factors always as decimal text:

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
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any, Final

from .buckets import FEES, INDEX
from .money import PER_MILLION, PER_THOUSAND, decimal, parse
from .names import PROVIDERS

_CONTEXT: Final = ("service_tier", "batch", "speed", "region")
_FIELDS: Final = frozenset(
    (
        *("provider", "model", "valid_from", "valid_to", "context", "rates", "tiers", "fees", "once_per_call"),
        *("multiplier", "applies_to", "fills_gap", "backdate", "same_as", "source", "note"),
    )
)
_SAYS_SOMETHING: Final = frozenset(("rates", "tiers", "fees", "once_per_call", "multiplier", "backdate", "same_as"))


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """Entries of one origin (`packaged`, `project`, `user`); the later wins over the earlier."""

    entries: tuple[Entry, ...]
    origin: str
    date: str = ""

    @classmethod
    def decode(cls, raw: object, origin: str) -> Overlay:
        """An overlay from its JSON shape.  Raises ValueError naming the entry and the field that is wrong."""
        entries = raw.get("entries") if isinstance(raw, dict) else None
        if not isinstance(raw, dict) or not isinstance(entries, list):
            raise ValueError(  # noqa: TRY004  # one kind of error for all that a file can have wrong
                f'{origin} price overlay: expected an object {{"date": …, "entries": […]}}'
            )
        checked = tuple(_entry(f"{origin} price overlay, entry {i}", entry, origin) for i, entry in enumerate(entries))
        return cls(checked, origin, str(raw.get("date", "")))

    @classmethod
    def vendored(cls) -> Overlay:
        """The overlay that is part of this package."""
        return cls.decode(json.loads(files(__package__).joinpath("data", "overlay.json").read_bytes()), PACKAGED)


PACKAGED: Final = "packaged"


def _entry(where: str, raw: object, origin: str) -> Entry:
    if not isinstance(raw, dict):
        raise ValueError(f"{where}: expected an object")  # noqa: TRY004  # as above
    where = f"{where} ({raw.get('provider', '?')} {raw.get('model', '?')})"
    if unknown := raw.keys() - _FIELDS:
        raise ValueError(f"{where}: unknown field {min(unknown)!r}; the fields are {', '.join(sorted(_FIELDS))}")
    if not raw.keys() & _SAYS_SOMETHING:
        raise ValueError(f"{where}: one of {', '.join(sorted(_SAYS_SOMETHING))} is needed")
    read = {name: _field(where, name, value) for name, value in raw.items()}
    for name in ("provider", "model"):
        if name not in read:
            raise ValueError(f"{where}, field {name!r}: missing")
    read["rates"] = {**read.get("rates", {}), **read.pop("fees", {})}
    return Entry(**read, origin=origin)


def _field(where: str, name: str, value: Any) -> Any:
    try:
        return _READERS[name](value)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{where}, field {name!r}: {error}") from None


def _text(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("expected text")


def _provider(value: Any) -> str:
    name = _text(value).lower()
    return PROVIDERS.get(name, name)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("expected true or false")


def _context(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or (unknown := value.keys() - set(_CONTEXT)):
        raise ValueError(f"expected an object of {', '.join(_CONTEXT)}" + (f", not {unknown}" if value else ""))
    texts = {name: asked for name, asked in value.items() if name != "batch"}
    if "batch" in value and _flag(value["batch"]):
        return {**{name: _text(asked).lower() for name, asked in texts.items()}, "batch": "true"}
    return {name: _text(asked).lower() for name, asked in texts.items()}


def _bucket(name: Any, fee: bool | None = None) -> str:
    allowed = [known for known in INDEX if fee is None or (known in FEES) is fee]
    if name not in allowed:
        raise ValueError(f"unknown bucket {name!r}; the buckets are {', '.join(allowed)}")
    return str(name)


def _rates(value: Any) -> dict[str, int]:
    return {_bucket(name, fee=False): parse(price, PER_MILLION) for name, price in value.items()}


def _fees(value: Any) -> dict[str, int]:
    return {_bucket(name, fee=True): parse(price, PER_THOUSAND) for name, price in value.items()}


def _tiers(value: Any) -> tuple[tuple[int, dict[str, int]], ...]:
    tiers = tuple((tier["above"], _rates(tier["rates"])) for tier in value)
    starts = [above for above, _ in tiers]
    if not all(type(above) is int and above > 0 for above in starts) or starts != sorted(set(starts)):
        raise ValueError("expected rising whole numbers of tokens in 'above'")
    return tiers


def _multiplier(value: Any) -> tuple[int, int]:
    return decimal(value).as_integer_ratio()


def _same_as(value: Any) -> tuple[str, str]:
    provider, slash, model = _text(value).partition("/")
    if not slash or not model:
        raise ValueError('expected "provider/model"')
    return _provider(provider), model


def _buckets(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise TypeError("expected a list of buckets")
    return frozenset(_bucket(name) for name in value)


_READERS: Final[dict[str, Any]] = {
    "provider": _provider,
    "model": lambda value: _text(value).lower(),
    "valid_from": date.fromisoformat,
    "valid_to": date.fromisoformat,
    "context": _context,
    "rates": _rates,
    "fees": _fees,
    "tiers": _tiers,
    "once_per_call": _buckets,
    "multiplier": _multiplier,
    "applies_to": _buckets,
    "fills_gap": _flag,
    "backdate": _flag,
    "same_as": _same_as,
    "source": str,
    "note": str,
}
