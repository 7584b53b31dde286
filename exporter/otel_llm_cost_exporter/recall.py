"""What the store already has of calls that arrive: an earlier process or another one may have stored them.

The window of `dedupe` remembers what its own process stored lately.  What it does not know is looked up: `call_keys`
holds, for every stored call, eight bytes of each name that it goes by (its span id, its parent's, its provider and
response id), sorted, so that thousands of names are looked up in milliseconds.  A key that is found says only when a
call began; the calls of those moments are read, and the window compares names in full.

Calls that two processes store at the same moment do not see each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, Protocol

from .decode import Arrived
from .reread import SELECT, arrived
from .rows import LONGEST_TEXT

_MOST: Final = 5_000
"""Keys, ids or moments of one question: a server takes a megabyte of parameters."""
_DAYS: Final = 2
"""How long after a call another telling of it is still expected; `billed` has no such limit."""

_BELOW: Final = (1 << 64) - 1
"""A span id with every bit turned stands for the spans below it."""

Stored = tuple[Arrived, str]
"""A stored call and why it was set aside (empty: it was counted)."""


class Asks(Protocol):
    """What is needed of a store here."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


def latest(store: Asks, size: int) -> list[Stored]:
    """The calls that were stored last, `size` of them at most, the oldest first."""
    return _stored(store.query(_sql("latest"), {"size": size}))[::-1]


def kept(store: Asks, calls: Iterable[Arrived]) -> list[Stored]:
    """Stored calls that share a name with one of these, and perhaps others that began at the same moment."""
    keys = sorted({key for call in calls for key in _keys(call)})
    moments = {
        row["ts_ns"] for part in _parts(keys) for row in store.query(_sql("moments"), {"keys": part, "days": _DAYS})
    }
    return [
        found
        for part in _parts(sorted(moments))
        for found in _stored(store.query(_sql("at"), {"first": part[0], "last": part[-1], "moments": part}))
    ]


def billed(store: Asks, ids: Sequence[str]) -> list[Stored]:
    """The calls that were billed under these response ids, whenever that was."""
    return [found for part in _parts(ids) for found in _stored(store.query(_sql("billed"), {"ids": part}))]


def _keys(call: Arrived) -> Iterator[int]:
    """As the view `call_keys_mv` has them: this very span, those below it, those above it, its response."""
    own = int.from_bytes(call.span_id, "little")
    yield from (own, own ^ _BELOW)
    for span in {call.parent_span_id, *call.ancestors}:
        if any(span):
            yield int.from_bytes(span, "little")
    if response := call.call.response.id:
        provider = (call.call.request.provider or "")[:LONGEST_TEXT]
        name = f"{provider}\0{response[:LONGEST_TEXT]}".encode(errors="surrogatepass")
        yield int.from_bytes(hashlib.md5(name, usedforsecurity=False).digest()[:8], "little")


def _stored(rows: Iterable[Mapping[str, Any]]) -> list[Stored]:
    return [(arrived(row), row["counted_reason"]) for row in rows]


def _parts(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (things[start : start + _MOST] for start in range(0, len(things), _MOST))


@cache
def _sql(name: str) -> str:
    text = files(__package__).joinpath("recall_sql", f"{name}.sql").read_text(encoding="utf-8")
    return text.replace("{columns}", SELECT)
