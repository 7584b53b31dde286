"""The vendored price data, read: providers, their models, how a name finds its model, and its dated prices.

The file is made from the PyPI package genai-prices by `otel_llm_cost_exporter.prices.data`; its shape, in JSON:

    {"schema": 1, "source": "genai-prices 0.2.3", "date": "2026-11-03", "providers": {ID: {"fallback": [ID…],
      "models": [[MODEL, CLAUSE, [[WHEN, RATES]…], [[CONTEXT, WHEN, RATES]…]]…]}}}

CLAUSE is null (the model's id is its only name) or [operator, operand…] with the operators = ^ $ * ~ for equals,
starts with, ends with, contains, regular expression, and | & over clauses.  WHEN is null, a first day, or a daily
interval "HH:MM-HH:MM" in UTC.  RATES maps a bucket to pico-dollars a unit, or to [base, start, rate, …] where the
rate grows with the prompt.  Of several prices the last that holds wins; of several variants the first, per bucket.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final

from .money import Rate, Rates

SCHEMA: Final = 1
DATA_FILE: Final = "prices.json.xz"


@dataclass(frozen=True, slots=True)
class Price:
    """Rates and when they hold: from the day `start`, within `window` (minutes of the UTC day, may wrap)."""

    rates: Rates
    start: date | None = None
    window: tuple[int, int] | None = None
    when: Mapping[str, str] = field(default_factory=dict)
    """For a variant: the contexts it is for, such as {"batch": "true"}."""

    def holds(self, day: date) -> bool:
        return self.start is None or day >= self.start


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one provider.  `prices` are in rising precedence, `variants` in falling."""

    provider: str
    id: str
    prices: tuple[Price, ...] = ()
    variants: tuple[Price, ...] = ()

    def standard(self, day: date) -> Rates:
        """The rates of a day, leaving daily intervals aside; the first price if none holds; empty if there is none."""
        dated = [price for price in self.prices if price.window is None]
        for price in reversed(dated):
            if price.holds(day):
                return price.rates
        return dated[0].rates if dated else {}

    def windows(self) -> tuple[Price, ...]:
        """Prices that hold only for hours of the day, highest precedence first."""
        return tuple(price for price in reversed(self.prices) if price.window is not None)


class Provider:
    """The models of one provider, found by name.  Rates are decoded when a model is first asked for."""

    def __init__(self, id: str, raw: Mapping[str, Any]) -> None:  # noqa: A002  # the data's own word
        self.id = id
        self.fallback: tuple[str, ...] = tuple(raw["fallback"])
        self._raw: list[list[Any]] = raw["models"]
        self._models: dict[int, Model] = {}

    @cached_property
    def names(self) -> dict[str, int]:
        """Every name that a model is listed under, in lower case; a listed name goes before another model's id."""
        names: dict[str, int] = {}
        for i, (_, clause, *_rest) in enumerate(self._raw):
            for name in _listed(clause):
                names.setdefault(name.lower(), i)
        for i, (model_id, *_rest) in enumerate(self._raw):
            names.setdefault(model_id.lower(), i)
        return names

    @cached_property
    def _patterns(self) -> list[tuple[int, Any]]:
        return [(i, clause) for i, (_, clause, *_rest) in enumerate(self._raw) if clause and not _only_names(clause)]

    def named(self, name: str) -> Model | None:
        """The model that lists this very name."""
        found = self.names.get(name)
        return None if found is None else self._model(found)

    def matching(self, name: str) -> Model | None:
        """The first model one of whose patterns fits."""
        return next((self._model(i) for i, clause in self._patterns if _fits(clause, name)), None)

    def __iter__(self) -> Iterator[Model]:
        return (self._model(i) for i in range(len(self._raw)))

    def _model(self, i: int) -> Model:
        if i not in self._models:
            model_id, _, prices, variants = self._raw[i]
            self._models[i] = Model(
                self.id,
                model_id,
                tuple(_price({}, when, rates) for when, rates in prices),
                tuple(_price(context, when, rates) for context, when, rates in variants),
            )
        return self._models[i]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All of the data, and where it is from."""

    source: str
    date: date
    providers: Mapping[str, Provider]

    @classmethod
    def decode(cls, raw: Mapping[str, Any]) -> Catalogue:
        """The data from its JSON shape.  Raises ValueError if its schema is not the one understood here."""
        if raw.get("schema") != SCHEMA:
            raise ValueError(f"price data has schema {raw.get('schema')!r}, expected {SCHEMA}: reinstall otel-llm-cost")
        providers = {name: Provider(name, provider) for name, provider in raw["providers"].items()}
        return cls(raw["source"], date.fromisoformat(raw["date"]), providers)

    @classmethod
    def vendored(cls) -> Catalogue:
        """The data that is part of this package."""
        return cls.decode(json.loads(lzma.decompress(files(__package__).joinpath("data", DATA_FILE).read_bytes())))


def _price(context: Mapping[str, str], when: str | None, rates: Mapping[str, Any]) -> Price:
    decoded = {bucket: _rate(rate) for bucket, rate in rates.items()}
    if when is None:
        return Price(decoded, when=context)
    if len(when) == len("2026-01-01"):
        return Price(decoded, start=date.fromisoformat(when), when=context)
    first, last = (int(t[:2]) * 60 + int(t[3:]) for t in when.split("-"))
    return Price(decoded, window=(first, last), when=context)


def _rate(raw: int | list[int]) -> Rate:
    if isinstance(raw, int):
        return ((0, raw),)
    return ((0, raw[0]), *zip(raw[1::2], raw[2::2], strict=True))


def _listed(clause: Any) -> Iterator[str]:
    """The names that a clause says in full."""
    if clause and clause[0] == "=":
        yield clause[1]
    elif clause and clause[0] == "|":
        for part in clause[1:]:
            yield from _listed(part)


def _only_names(clause: Any) -> bool:
    return clause[0] == "=" or (clause[0] == "|" and all(_only_names(part) for part in clause[1:]))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _fits(clause: Any, name: str) -> bool:
    operator, *operands = clause
    if operator in "|&":
        fits = (_fits(part, name) for part in operands)
        return any(fits) if operator == "|" else all(fits)
    if operator == "~":
        return _compiled(operands[0]).search(name) is not None
    wanted: str = operands[0].lower()
    if operator == "*":
        return wanted in name
    if operator == "^":
        return name.startswith(wanted)
    return name.endswith(wanted) if operator == "$" else name == wanted
