"""The compiled prices into the store: a whole set, and then the row that puts it in force.

Whoever prices by SQL sees the set of before or the new one.  A load that breaks off leaves rows that nobody reads, and
the next one does not store them again: every insert has a token made from what it brings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Protocol

from otel_llm_cost.pricing import PriceBook

from .compile import Compiled, Key, NameRow, compile_book
from .sheets import CardRow, RateRow, Sheet

MOST_ROWS: Final = 50_000
"""Rows of one insert."""
_DICTIONARIES: Final = ("llm_prices_dict", "llm_price_cards_dict", "llm_price_names_dict", "llm_price_load_dict")
"""In this order: what leads somewhere comes after what it leads to."""


class Tables(Protocol):
    """What is needed of a store."""

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None: ...

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did; `new` is False where the store had these prices in force already."""

    load: str
    price_version: str
    new: bool
    sheets: int
    """Sheets that were added."""
    names: int
    """Names that were added."""


_SEEN: Final = """
SELECT DISTINCT provider, name FROM
(
    SELECT
        if(provider = 'openai' AND operation = 'decision', 'openai-decisions', provider) AS provider,
        arrayJoin([request_model, response_model]) AS name
    FROM (SELECT DISTINCT provider, operation, request_model, response_model FROM llm_calls)
)
WHERE name != ''
"""
"""The names that calls have had."""
_IN_FORCE: Final = "SELECT load FROM llm_price_load_in_force"
_HAVE_SHEETS: Final = "SELECT DISTINCT price_provider, price_model FROM llm_price_cards WHERE load = {load:String}"
_HAVE_NAMES: Final = "SELECT DISTINCT provider, name FROM llm_price_names WHERE load = {load:String}"


def load(store: Tables, book: PriceBook, *, listed: bool = True, seen: Iterable[tuple[str, str]] = ()) -> Loaded:
    """Put a book's prices in force, and add the names that calls have had.  The same again changes nothing.

    Some seconds where the prices are new.  `listed` False leaves out what no call has used, `seen` are (provider as on
    spans, model) pairs to add to those.
    """
    compiled = compile_book(book, [*_seen(store), *seen], listed=listed)
    name = compiled.load
    new = [row["load"] for row in store.query(_IN_FORCE)] != [name]
    sheets = _missing_sheets(store, compiled)
    _insert(store, "llm_prices", name, (_rate(key, row) for key, sheet in sheets.items() for row in sheet.rates))
    _insert(store, "llm_price_cards", name, (_card(key, row) for key, sheet in sheets.items() for row in sheet.cards))
    names = _missing_names(store, compiled)
    _insert(store, "llm_price_names", name, map(_name, names))
    if new:
        _put_in_force(store, name, book.version)
    if new or names:
        for dictionary in _DICTIONARIES:
            store.query(f"SYSTEM RELOAD DICTIONARY {dictionary}")
    return Loaded(name, book.version, new, len(sheets), len({row[:2] for row in names}))


def _missing_sheets(store: Tables, compiled: Compiled) -> dict[Key, Sheet]:
    rows = store.query(_HAVE_SHEETS, {"load": compiled.load})
    have = {(row["price_provider"], row["price_model"]) for row in rows}
    return {key: compiled.sheet(key) for key in compiled.sheets() if key not in have}


def _missing_names(store: Tables, compiled: Compiled) -> list[NameRow]:
    have = {(row["provider"], row["name"]) for row in store.query(_HAVE_NAMES, {"load": compiled.load})}
    return [row for row in compiled.names if row[:2] not in have]


def _seen(store: Tables) -> list[tuple[str, str]]:
    return sorted((row["provider"], row["name"]) for row in store.query(_SEEN))


def _put_in_force(store: Tables, name: str, version: str) -> None:
    now = datetime.now(UTC)
    row = {"load": name, "price_version": version, "loaded_at": _micros(now)}
    store.insert("llm_price_loads", {column: [value] for column, value in row.items()}, f"{name} {now.isoformat()}")


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 10**6)


def _insert(store: Tables, table: str, load_name: str, rows: Iterable[dict[str, Any]]) -> None:
    for part in _batches(rows):
        columns = {"load": [load_name] * len(part)} | {name: [row[name] for row in part] for name in part[0]}
        token = hashlib.sha256(repr((table, load_name, part)).encode()).hexdigest()
        store.insert(table, columns, token)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    left = iter(rows)
    while part := list(islice(left, MOST_ROWS)):
        yield part


def _name(row: NameRow) -> dict[str, Any]:
    return _dated(row._asdict()) | {"known": list(row.known)}


def _card(key: Key, row: CardRow) -> dict[str, Any]:
    plain = _dated(row._asdict())
    del plain["hours"]
    hours = {
        "hours_from": [h.first for h in row.hours],
        "hours_to": [h.last for h in row.hours],
        "hours_priced_as": [h.priced_as for h in row.hours],
        "hours_expect_output": [int(h.expects_output) for h in row.hours],
    }
    return _keyed(key) | plain | hours


def _rate(key: Key, row: RateRow) -> dict[str, Any]:
    lists = {"above": list(row.above), "rates": list(row.rates)}
    return _keyed(key) | _dated(row._asdict()) | lists


def _keyed(key: Key) -> dict[str, Any]:
    return {"price_provider": key[0], "price_model": key[1]}


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    """The period as the columns have it."""
    period = row.pop("period")
    return row | {"valid_from": period.first, "last_day": period.last}
