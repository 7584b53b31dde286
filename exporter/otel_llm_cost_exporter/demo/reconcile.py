"""The emulator's ledger against the stored rows: what was served must be what is billed.

A logical call is a first try and its retries; the ledger has an entry for each, the store one row for all.  Where the
provider gives its answers an id, each is compared by itself, so that two faults cannot make up for each other; what
has no id, which is failures and embeddings, is compared in sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, Final

from otel_llm_cost.record import Usage

from .ledger import Entry

Key = tuple[str, str, str, str]
"""Provider, operation, model asked for, id of the answer."""

_FREE: Final = frozenset({"count_tokens", "fetch_response"})
"""Operations that cost nothing: they are stored and not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over logical calls; tokens are those that the provider told."""

    calls: int = 0
    errors: int = 0
    billed: int = 0
    batch: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    web_search_requests: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)})


_NAMES: Final = tuple(field.name for field in fields(Tally))


def query() -> str:
    """The SQL whose rows `stored` takes."""
    return files(__package__).joinpath("served.sql").read_text(encoding="utf-8")


def served(entries: Iterable[Entry]) -> dict[Key, Tally]:
    """What the emulator says it served.

    Which retry belongs to which first try is not known; but each logical call has one first try and at most one answer,
    so first tries without an answer are the calls that failed.
    """
    tallies: dict[Key, Tally] = {}
    for entry in entries:
        if not entry.operation:
            continue
        kind = (entry.vendor, entry.operation, entry.model)
        answered = entry.status < 400 and entry.outcome == "completed"
        failed = int(entry.attempt == 0) - int(answered)
        _add(tallies, (*kind, ""), _calls(entry, failed, errors=failed))
        if answered:
            _add(tallies, (*kind, entry.response_id), _calls(entry, 1) + _tokens(entry.usage or Usage()))
    return {key: tally for key, tally in tallies.items() if tally != Tally()}


def stored(rows: Iterable[Mapping[str, Any]]) -> dict[Key, Tally]:
    """What the store says: one row of `served.sql` for each call."""
    tallies: dict[Key, Tally] = {}
    for row in rows:
        key = (row["provider"], row["operation"], row["model"], row["answer"])
        _add(tallies, key, Tally(**{name: int(row[name]) for name in _NAMES if name != "calls"}, calls=1))
    return tallies


def differences(left: Mapping[Key, Tally], right: Mapping[Key, Tally]) -> list[str]:
    """One line for each number in which served (left) and stored (right) are not the same."""
    return [
        f"{' '.join(filter(None, key))}: {name} {_value(left, key, name)} served, {_value(right, key, name)} stored"
        for key in sorted(left.keys() | right.keys())
        for name in _NAMES
        if _value(left, key, name) != _value(right, key, name)
    ]


def _add(tallies: dict[Key, Tally], key: Key, more: Tally) -> None:
    tallies[key] = tallies.get(key, Tally()) + more


def _calls(entry: Entry, number: int, errors: int = 0) -> Tally:
    billed = 0 if entry.operation in _FREE else number
    return Tally(calls=number, errors=errors, billed=billed, batch=number if entry.batch else 0)


def _tokens(usage: Usage) -> Tally:
    return Tally(
        input_tokens=usage.input_tokens or 0,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_write_input_tokens or 0,
        cache_write_1h_tokens=usage.cache_write_1h_input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        reasoning_tokens=usage.reasoning_output_tokens or 0,
        audio_input_tokens=usage.audio_input_tokens or 0,
        image_input_tokens=usage.image_input_tokens or 0,
        web_search_requests=usage.web_search_requests or 0,
    )


def _value(tallies: Mapping[Key, Tally], key: Key, name: str) -> int:
    return int(getattr(tallies.get(key, Tally()), name))
