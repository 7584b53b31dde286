"""One entry as bytes.

    mark 8 | crc of the head 4 | crc of the payload 4 | kind 1, zeros 3 | length 4 | length of the sender 4 | spans 4
    | received, ns since 1970 8 | digest 16 || sender as JSON | body as it came

All numbers are little-endian; the part before `||` is the head, and `length` counts all of a record.  The head has a
checksum of its own, so that a walk from head to head needs no payload and never leaves the true borders.

The mark is eight random bytes that all records of one segment begin with.  After damage the next record is found by
it, and what a sender writes into a body cannot pass for a record with another's sender: it does not know the mark.

A gap takes the place of damaged bytes: a head whose payload is not looked at.
"""

from __future__ import annotations

import json
import secrets
import struct
from functools import lru_cache
from typing import Final, NamedTuple
from zlib import crc32

from otel_llm_cost_exporter.entry import Entry, Sender

MARK_BYTES: Final = 8
ENTRY: Final = 1
GAP: Final = 2

_CRC: Final = struct.Struct("<I")
_REST: Final = struct.Struct("<IB3xIIIQ16s")
"""What the checksum of the head covers."""
_CRC_END: Final = MARK_BYTES + _CRC.size
HEAD_BYTES: Final = _CRC_END + _REST.size


class Head(NamedTuple):
    """What is known of a record without its payload; `length` is that of the whole record in bytes."""

    payload_crc: int
    kind: int
    length: int
    sender_bytes: int
    spans: int
    received_ns: int
    digest: bytes


def new_mark() -> bytes:
    return secrets.token_bytes(MARK_BYTES)


def before_body(entry: Entry, digest: bytes) -> bytes:
    """A record without its mark and its body, which stand before and after this."""
    sender = _dumped(entry.sender)
    payload_crc = crc32(entry.body, crc32(sender))
    length = HEAD_BYTES + len(sender) + len(entry.body)
    return _sealed(_REST.pack(payload_crc, ENTRY, length, len(sender), entry.spans, entry.received_ns, digest)) + sender


def gap(mark: bytes, length: int) -> bytes:
    """The head of a gap of so many bytes in all."""
    return mark + _sealed(_REST.pack(0, GAP, length, 0, 0, 0, b""))


def head_at(data: bytes, mark: bytes, offset: int = 0) -> Head | None:
    """The head of the record that begins there; None where none does."""
    rest = data[offset + _CRC_END : offset + HEAD_BYTES]
    if not data.startswith(mark, offset) or len(rest) < _REST.size:
        return None
    if crc32(rest) != _CRC.unpack_from(data, offset + MARK_BYTES)[0]:
        return None
    return Head(*_REST.unpack(rest))


def is_whole(head: Head, payload: bytes) -> bool:
    """Whether a payload is what was written behind this head; that of a gap is nobody's."""
    return head.kind != ENTRY or (len(payload) == head.length - HEAD_BYTES and crc32(payload) == head.payload_crc)


def entry_of(head: Head, payload: bytes) -> Entry:
    """The entry of a whole record."""
    sender = _loaded(payload[: head.sender_bytes])
    return Entry(payload[head.sender_bytes :], head.received_ns, head.spans, sender)


def next_whole(data: bytes, mark: bytes) -> int | None:
    """Where the first whole record after the first byte begins."""
    at = data.find(mark, 1)
    while at >= 0:
        head = head_at(data, mark, at)
        if head is not None and is_whole(head, data[at + HEAD_BYTES : at + head.length]):
            return at
        at = data.find(mark, at + 1)
    return None


def _sealed(rest: bytes) -> bytes:
    return _CRC.pack(crc32(rest)) + rest


@lru_cache(maxsize=1024)
def _dumped(sender: Sender) -> bytes:
    return json.dumps(sender._asdict(), separators=(",", ":")).encode()


@lru_cache(maxsize=1024)
def _loaded(text: bytes) -> Sender:
    said = json.loads(text)
    may_name = said["may_name"]
    return Sender(said["key"], said["project"], None if may_name is None else tuple(may_name))
