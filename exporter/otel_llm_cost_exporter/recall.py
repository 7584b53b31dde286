"""What the store already has of calls that arrive: an earlier process or another one may have stored them.

The window of `dedupe` remembers what its own process stored lately.  What it does not know is looked up: `call_keys`
holds, for every stored call, eight bytes of each name that it goes by (its span id, its parent's, its provider and
response id), sorted, so that thousands of names are looked up in milliseconds.  A key that is found says only when a
call began; the calls of those moments are read, and the window compares names in full.

Calls that two processes store at the same moment do not see each other.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final, Protocol

from .decode import Arrived
from .reread import SELECT, arrived
from .rows import LONGEST_TEXT

_MOST: Final = 5_000
"""Ids or moments of one question: a server takes a megabyte of parameters."""
_MOST_KEYS: Final = 12_000
"""Keys of one parameter: a server takes 128 KiB of each."""
_KEYS: Final = ("keys_1", "keys_2", "keys_3", "keys_4")
"""Parameters of one question for keys: it costs about the same for many keys as for few."""
_DAYS: Final = 2
"""How long after a call another telling of it is still expected; `billed` has no such limit."""

_NO_SPAN: Final = bytes(8)
_TURNED: Final = bytes(range(255, -1, -1))
"""Every byte with its bits turned: a span id so turned stands for the spans below it."""


class _Packed:
    """Keys as one text, which a query unpacks.

    The driver writes a list number by number, and escapes a text character by character; of what is neither it takes
    the text as it is, and base64 has nothing to escape.
    """

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._text = b64encode(b"".join(keys)).decode()

    def __str__(self) -> str:
        return self._text


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
    moments = {
        row["ts_ns"]
        for part in _parts(list(_keys(calls)), _MOST_KEYS * len(_KEYS))
        for row in store.query(_sql("moments"), {**_packed(part), "count": len(part), "days": _DAYS})
    }
    return _at(store, moments)


def begun(store: Asks, calls: Iterable[Arrived]) -> list[Stored]:
    """Stored calls that began when one of these did: these very ones among them, whatever `call_keys` has of them.

    It reads rows and not keys, which takes longer and sees what was stored long ago, or by an insert that broke off
    before its views.
    """
    return _at(store, {call.start_ns for call in calls})


def _at(store: Asks, moments: Iterable[int]) -> list[Stored]:
    return [
        found
        for part in _parts(sorted(moments))
        for found in _stored(store.query(_sql("at"), {"first": part[0], "last": part[-1], "moments": part}))
    ]


def billed(store: Asks, ids: Sequence[str]) -> list[Stored]:
    """The calls that were billed under these response ids, whenever that was."""
    return [found for part in _parts(ids) for found in _stored(store.query(_sql("billed"), {"ids": part}))]


def _keys(calls: Iterable[Arrived]) -> set[bytes]:
    """As the view `call_keys_mv` has them: these very spans, those below them, those above them, their responses."""
    found: dict[str, set[bytes]] = {}
    for call in calls:
        keys = found.setdefault(call.tenant, set())
        keys.add(call.span_id)
        keys.add(call.span_id.translate(_TURNED))
        keys.add(call.parent_span_id)
        keys.update(call.ancestors)
        if response := call.call.response.id:
            provider = (call.call.request.provider or "")[:LONGEST_TEXT]
            keys.add(_hashed(f"{provider}\0{response[:LONGEST_TEXT]}".encode(errors="surrogatepass")))
    return {key for tenant, keys in found.items() for key in _of(tenant, keys - {_NO_SPAN})}


def _of(tenant: str, keys: set[bytes]) -> set[bytes]:
    """The keys of a tenant, which nobody else's calls can have."""
    salt = tenant.encode() + b"\0"
    return {_hashed(salt + key) for key in keys} if tenant else keys


def _hashed(name: bytes) -> bytes:
    return hashlib.md5(name, usedforsecurity=False).digest()[:8]


def _packed(keys: Sequence[bytes]) -> dict[str, _Packed]:
    starts = range(0, len(_KEYS) * _MOST_KEYS, _MOST_KEYS)
    return {name: _Packed(keys[start : start + _MOST_KEYS]) for name, start in zip(_KEYS, starts, strict=True)}


def _stored(rows: Iterable[Mapping[str, Any]]) -> list[Stored]:
    return [(arrived(row), row["counted_reason"]) for row in rows]


def _parts(things: Sequence[Any], most: int = _MOST) -> Iterator[Sequence[Any]]:
    return (things[start : start + most] for start in range(0, len(things), most))


@cache
def _sql(name: str) -> str:
    text = files(__package__).joinpath("recall_sql", f"{name}.sql").read_text(encoding="utf-8")
    return text.replace("{columns}", SELECT)
