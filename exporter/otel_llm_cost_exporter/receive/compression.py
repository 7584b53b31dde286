"""Bodies, decompressed within a limit: a bomb stops at the limit instead of filling the memory."""

from __future__ import annotations

import sys
import zlib
from typing import Any, Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class TooLarge(Exception):
    """The body is larger than the limit once decompressed."""


class UnknownEncoding(ValueError):
    """A Content-Encoding that is not spoken here."""


class _Decompressor(Protocol):
    """The part of zlib's and zstd's decompressors that is used: feed bytes, take at most so many."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


_ENCODINGS: Final[dict[str, Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": lambda: zlib.decompressobj(wbits=15),
    "zstd": zstd.ZstdDecompressor,
}


MOST_MEMBERS: Final = 16
"""Compressed streams one after another in one body.  Senders write one; each costs a copy of all that follows it."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before compression.  TooLarge over `limit` bytes, UnknownEncoding, ValueError if broken."""
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in _ENCODINGS:
        raise UnknownEncoding(f"Content-Encoding {name[:40]!r} is not supported: send gzip, zstd, deflate or none")
    try:
        return _members(body, _ENCODINGS[name], limit)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise ValueError(f"the body is no {name}: {error}") from error


def _members(body: bytes, new: Any, limit: int) -> bytes:
    """Both formats allow several compressed streams after one another."""
    out = bytearray()
    for _ in range(MOST_MEMBERS):
        member: _Decompressor = new()
        out += member.decompress(body, limit + 1 - len(out))
        if len(out) > limit:
            raise TooLarge
        if not member.eof:
            raise EOFError("it ends too soon")
        body = member.unused_data
        if not body:
            return bytes(out)
    raise EOFError(f"more than {MOST_MEMBERS} compressed streams follow one another")
