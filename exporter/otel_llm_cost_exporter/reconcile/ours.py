"""What the store says was used and what it cost, by day, model and how it was served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple, Protocol

from otel_llm_cost.pricing.buckets import FEES, INDEX, PART, PARTS

from .records import Lane, lane, whole_day

_LONG: Final = {"long_anthropic": 200_000, "long_openai": 272_000}
"""Prompt tokens above which the vendor's exports speak of a long context."""
_ONE_CLASS: Final = {
    "reasoning": "output",
    "cache_write_5m": "cache_write",
    "cache_write_30m": "cache_write",
}
"""Classes that the exports do not tell apart from another."""
OTHER_MODELS: Final = "other_models"
TOOLS: Final = FEES | {OTHER_MODELS}
"""What is billed by the request, and work of other models: no tokens of the model itself."""
_COST_COLUMNS: Final = tuple(f"cost_{part}" for part in PARTS)


class Queries(Protocol):
    """The one thing needed of a store."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


class Holding(NamedTuple):
    """Units of one class: those with a price and what they cost (pico-dollars), and those without."""

    priced: int = 0
    value: Fraction = Fraction(0)
    unpriced: int = 0

    def __add__(self, other: Holding) -> Holding:  # type: ignore[override]  # of holdings, not of tuples
        return Holding(self.priced + other.priced, self.value + other.value, self.unpriced + other.unpriced)

    @property
    def units(self) -> int:
        return self.priced + self.unpriced


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls of one day and model, served and priced alike."""

    day: date
    provider: str
    model: str
    table: str
    """The vendor's usage table that they are in."""
    lane: Lane
    calls: int
    estimated: int
    """Calls whose usage is an estimate of ours."""
    holdings: tuple[tuple[str, Holding], ...]


@cache
def sql(name: str) -> str:
    """The text of one of the packaged queries."""
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def read_ours(
    store: Queries, providers: Sequence[str], first: date, last: date, projects: Sequence[str] = ()
) -> list[Calls]:
    """Counted calls of the UTC days from first to last; of these projects, if any are given."""
    period = {"since": whole_day(first).start, "until": whole_day(last).start + timedelta(days=1)}
    rows = store.query(sql("ours"), {**period, **_LONG, "providers": list(providers), "projects": list(projects)})
    return [_calls(row) for row in rows]


def first_days(store: Queries) -> dict[str, date]:
    """Provider → the day of the first call that was ever stored."""
    return {row["provider"]: row["day"] for row in store.query(sql("first_days"))}


def _calls(row: Mapping[str, Any]) -> Calls:
    provider, embedding = row["provider"], row["embedding"]
    return Calls(
        day=row["day"],
        provider=provider,
        model=row["model"],
        table="messages" if provider == "anthropic" else "embeddings" if embedding else "completions",
        lane=lane(
            row["tier"],
            batch=bool(row["batch"]) or row["tier"] == "batch",
            long=bool(row["long"]),
            speed=row["fast"],
            geo=row["geo"],
        ),
        calls=row["calls"],
        estimated=row["estimated"],
        holdings=tuple(_gathered(_held(row)).items()),
    )


def _gathered(held: Iterator[tuple[str, Holding]]) -> dict[str, Holding]:
    out: dict[str, Holding] = {}
    for of, holding in held:
        name = _ONE_CLASS.get(of, of)
        out[name] = out.get(name, Holding()) + holding
    return out


def _held(row: Mapping[str, Any]) -> Iterator[tuple[str, Holding]]:
    counts = {name: count for name, count in row["counts"].items() if count}
    if not row["priced"]:
        return ((name, Holding(unpriced=count)) for name, count in counts.items())
    if row["rates"]:
        return ((name, _at(count, row["rates"].get(name))) for name, count in counts.items())
    return _by_parts(row, counts)


def _at(count: int, rate: int | None) -> Holding:
    return Holding(unpriced=count) if rate is None else Holding(count, Fraction(count * rate))


def _by_parts(row: Mapping[str, Any], counts: Mapping[str, int]) -> Iterator[tuple[str, Holding]]:
    """Calls stored without their rates: the parts of the bill, each spread over its classes by their counts."""
    parts = {column: _pico(row[column]) for column in _COST_COLUMNS}
    classes = {column: [n for n in counts if n in INDEX and PARTS[PART[INDEX[n]]] == column[5:]] for column in parts}
    for column, amount in parts.items():
        whole = sum(counts[name] for name in classes[column])
        for name in classes[column]:
            yield name, Holding(counts[name], Fraction(amount * counts[name], whole))
        if amount and not whole:
            yield (OTHER_MODELS if column == "cost_tools" else column[5:]), Holding(1, Fraction(amount))


def _pico(amount: Decimal | None) -> int:
    return int((amount or Decimal(0)).scaleb(12))
