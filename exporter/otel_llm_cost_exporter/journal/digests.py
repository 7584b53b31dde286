"""Which requests were journaled lately, by the digest of what was sent.

A client whose connection broke before the answer sends the same request again, compressed anew but the same inside:
the digest of tenant and uncompressed body is known, and nothing is written twice.  Two tenants that send the same
bytes are two requests.

The memory is bounded in time and in number: two generations of digests, of which the older is forgotten whole when the
younger is full or old enough.  After a restart it is read from the segments; of a segment that is retired its digests
are kept in a small file, until the last of them is too old to matter.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from zlib import crc32

from otel_llm_cost_exporter.entry import Entry

from . import folder as folders

_log = logging.getLogger(__name__)

MOST_DIGESTS: Final = 500_000
"""Known at most; some 150 bytes of memory each."""
SUFFIX: Final = ".digests"
_DIGEST_BYTES: Final = 16
_MAGIC: Final = b"LLMCOSTD"
_KEPT: Final = struct.Struct("<16sQ")
_CRC: Final = struct.Struct("<I")


def digest_of(entry: Entry) -> bytes:
    """16 bytes: two requests of any journal collide with a chance of 2^-128 times their pairs."""
    tenant = entry.sender.tenant.encode()
    digest = hashlib.blake2b(len(tenant).to_bytes(4, "little") + tenant, digest_size=_DIGEST_BYTES)
    digest.update(entry.body)
    return digest.digest()


class Digests:
    """What is known, for `remember_ns` after it was received, and `most` at once: the oldest are forgotten first."""

    def __init__(self, remember_ns: int, most: int = MOST_DIGESTS) -> None:
        self._remember_ns = remember_ns
        self._half = max(1, most // 2)
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self._since = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def knows(self, digest: bytes, now_ns: int) -> bool:
        received = self._young.get(digest, self._old.get(digest))
        return received is not None and now_ns - received <= self._remember_ns

    def add(self, digest: bytes, received_ns: int) -> None:
        if len(self._young) >= self._half or received_ns - self._since > self._remember_ns:
            self._old, self._young, self._since = self._young, {}, received_ns
        self._young[digest] = received_ns


def keep(file: Path, known: Iterable[tuple[bytes, int]]) -> None:
    """Write digests, each with when it was received in ns since 1970, to a file; it is durable on return."""
    content = _MAGIC + b"".join(_KEPT.pack(*pair) for pair in known)
    folders.replace(file, content + _CRC.pack(crc32(content)))


def kept(file: Path) -> list[tuple[bytes, int]]:
    """What such a file holds; nothing, with a warning, where it is damaged."""
    data = file.read_bytes()
    content, checksum = data[: -_CRC.size], data[-_CRC.size :]
    if not content.startswith(_MAGIC) or _CRC.pack(crc32(content)) != checksum:
        _log.warning("%s is damaged: requests that are sent again may be journaled twice, which costs only space", file)
        return []
    return list(_KEPT.iter_unpack(content[len(_MAGIC) :]))
