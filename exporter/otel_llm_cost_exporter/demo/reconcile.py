"""The emulator's ledger against the stored rows: what was served must be what is billed.

A logical call is a first try and its retries; the ledger has an entry for each, the store one row for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .ledger import Entry

Key = tuple[str, str]
"""Operation and model asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over logical calls; tokens are those that the provider told."""

    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)})


def served(entries: Iterable[Entry]) -> dict[Key, Tally]:
    """What the emulator says it served.

    Each request adds one to the errors if it failed, and each retry takes one off again: what is left counts the
    calls whose last try failed.
    """
    tallies: dict[Key, Tally] = {}
    for entry in entries:
        key = (entry.operation, entry.model)
        tallies[key] = tallies.get(key, Tally()) + _tally(entry)
    return tallies


def _tally(entry: Entry) -> Tally:
    retry = entry.attempt > 0
    failed = entry.status >= 400 or entry.outcome == "cut"
    usage = entry.usage
    return Tally(
        calls=0 if retry else 1,
        errors=int(failed) - int(retry),
        input_tokens=(usage.input_tokens or 0) if usage else 0,
        cache_read_tokens=(usage.cache_read_input_tokens or 0) if usage else 0,
        output_tokens=(usage.output_tokens or 0) if usage else 0,
        reasoning_tokens=(usage.reasoning_output_tokens or 0) if usage else 0,
    )


def stored(rows: Iterable[Mapping[str, Any]]) -> dict[Key, Tally]:
    """What the store says: rows with the names of `Tally`, one for each operation and model."""
    names = [field.name for field in fields(Tally)]
    return {(row["operation"], row["model"]): Tally(**{name: row[name] for name in names}) for row in rows}


def differences(left: Mapping[Key, Tally], right: Mapping[Key, Tally]) -> list[str]:
    """One line for each number in which served (left) and stored (right) are not the same."""
    return [
        f"{' '.join(filter(None, key))}: {field.name} {_value(left, key, field.name)} served,"
        f" {_value(right, key, field.name)} stored"
        for key in sorted(left.keys() | right.keys())
        for field in fields(Tally)
        if _value(left, key, field.name) != _value(right, key, field.name)
    ]


def _value(tallies: Mapping[Key, Tally], key: Key, name: str) -> int:
    return int(getattr(tallies.get(key, Tally()), name))
