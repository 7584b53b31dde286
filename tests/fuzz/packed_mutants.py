"""Compressed bodies with something wrong in them, and what is known of each: what it holds, or how it is refused."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from backports import zstd

from otel_llm_cost_exporter.receive.compression import MOST_MEMBERS
from otel_llm_cost_exporter.receive.outcome import Status

PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda body: gzip.compress(body, 1),
    "deflate": lambda body: zlib.compress(body, 1),
    "zstd": lambda body: zstd.compress(body, 1),
}
_LARGE: Final = bytes(30_000_000)
BOMBS: Final = {name: pack(_LARGE) for name, pack in PACKERS.items()}
_STRANGE: Final = ("br", "gzip, gzip", "gzip;q=1", "rot13", "snappy", "x" * 500, "compress")
_TRAILING: Final = (b"\x00", b"garbage", bytes(600), b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


class Packed(NamedTuple):
    """What is sent under a Content-Encoding.

    `inside` is what a right decompression gives; where it is None `status` is the answer, or nobody can tell (None).
    """

    body: bytes
    encoding: str
    inside: bytes | None
    status: Status | None = None


def packed(draw: Random, body: bytes) -> Packed:
    """The body, compressed in a right or a wrong way."""
    name = draw.choice(list(PACKERS))
    return draw.choice(_WAYS)(draw, body, name, PACKERS[name])


_Pack = Callable[[bytes], bytes]


def _right(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    return Packed(pack(body), draw.choice((name, name.upper(), f" {name} ")), body)


def _members(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    at = draw.randrange(len(body) + 1)
    return Packed(pack(body[:at]) + pack(b"") + pack(body[at:]), name, body)


def _too_many(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    return Packed(pack(b"") * draw.choice((MOST_MEMBERS, 3000)) + pack(body), name, None, Status.UNDECODABLE)


def _cut(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    whole = pack(body)
    return Packed(whole[: draw.randrange(1, len(whole))], name, None, Status.UNDECODABLE)


def _trailing(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    return Packed(pack(body) + draw.choice(_TRAILING), name, None, Status.UNDECODABLE)


def _misnamed(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    other = draw.choice([one for one in PACKERS if one != name])
    return Packed(pack(body), other, None, Status.UNDECODABLE)


def _unnamed(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    del name
    found = pack(body)
    return Packed(found, draw.choice(("", "identity")), found)


def _strange(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    del name
    return Packed(pack(body), draw.choice(_STRANGE), None, Status.UNSUPPORTED)


def _bomb(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    before = pack(body) if draw.random() < 0.5 else b""
    return Packed(before + BOMBS[name], name, None, Status.TOO_LARGE)


def _flip(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    changed = bytearray(pack(body))
    for _ in range(draw.choice((1, 1, 4))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return Packed(bytes(changed), name, None)


def _junk(draw: Random, body: bytes, name: str, pack: _Pack) -> Packed:
    """A right beginning and then anything."""
    return Packed(pack(body)[:4] + draw.randbytes(draw.randrange(200)), name, None)


_WAYS: Final = (
    *(_right, _right, _right, _members, _too_many, _cut, _trailing, _misnamed, _unnamed, _strange, _flip, _flip, _junk),
    _bomb,
)
