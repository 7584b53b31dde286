"""A segment: one file of records, written at its end only, and read from any border of a record.

A name `000000000001-<mark in hex>.segment` says its number and its mark, so that not even the loss of the first block
takes the rest along.  The file opens with magic, version, number and mark:

    magic 8 | version 4 | number 8 | mark 8 | crc 4
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from . import folder as folders
from .disk import Disk, read_at
from .folder import JournalError
from .record import ENTRY, HEAD_BYTES, Head, head_at, is_whole, new_mark

VERSION: Final = 1
SUFFIX: Final = ".segment"
_MAGIC: Final = b"LLMCOSTJ"
_OPENING: Final = struct.Struct("<8sIQ8s")
_CRC: Final = struct.Struct("<I")
FIRST: Final = _OPENING.size + _CRC.size
"""The offset of the first record."""
_AHEAD_BYTES: Final = 64 << 10
_NAME: Final = re.compile(r"(\d{12,})-([0-9a-f]{16})\.segment")


class Position(NamedTuple):
    """A border between records: the number of a segment and the offset in its file, in bytes."""

    segment: int
    offset: int


@dataclass(slots=True)
class Segment:
    """`end`: as far as its records are durable, in bytes; beyond it nothing is read."""

    number: int
    path: Path
    mark: bytes
    end: int = FIRST


class Found(NamedTuple):
    """A record in a segment; `payload` is empty where only heads were asked for."""

    start: int
    head: Head
    payload: bytes

    @property
    def end(self) -> int:
        return self.start + self.head.length


class Broken(Exception):
    """No whole record begins at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def listed(folder: Path) -> list[Segment]:
    """The segments of a folder in their order, each with all of its file."""
    names = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    found = [Segment(int(name[1]), path, bytes.fromhex(name[2]), path.stat().st_size) for name, path in names if name]
    found.sort(key=lambda segment: segment.number)
    for one, other in pairwise(found):
        if one.number == other.number:
            raise JournalError(
                f"there are two segments {one.number} in {folder}: {one.path.name} and {other.path.name}. Move the one"
                " that does not belong to this journal out of the folder."
            )
    return found


def create(folder: Path, number: int, disk: Disk) -> tuple[Segment, int]:
    """A new segment without records, its name durable, and the descriptor to append with."""
    mark = new_mark()
    path = folder / f"{number:012d}-{mark.hex()}{SUFFIX}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(path, flags, folders.FILE_MODE)
    try:
        opening = _OPENING.pack(_MAGIC, VERSION, number, mark)
        disk.write(descriptor, [opening + _CRC.pack(crc32(opening))])
        folders.sync(folder)
    except BaseException:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return Segment(number, path, mark), descriptor


def version_of(segment: Segment) -> int | None:
    """The version a segment was written in; None where its opening is damaged."""
    with opened(segment) as descriptor:
        data = read_at(descriptor, FIRST, 0)
    if len(data) < FIRST or crc32(data[: _OPENING.size]) != _CRC.unpack_from(data, _OPENING.size)[0]:
        return None
    magic, version, _, _ = _OPENING.unpack_from(data)
    return int(version) if magic == _MAGIC else None


@contextmanager
def opened(segment: Segment, flags: int = os.O_RDONLY) -> Iterator[int]:
    descriptor = os.open(segment.path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Ahead:
    """A file read some way ahead: many small records cost one call of the kernel."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._data = b""
        self._start = 0

    def read(self, size: int, offset: int) -> bytes:
        first = offset - self._start
        if first < 0 or first + size > len(self._data):
            self._data = read_at(self._descriptor, max(size, _AHEAD_BYTES), offset)
            self._start, first = offset, 0
        return self._data[first : first + size]


def walk(descriptor: int, mark: bytes, start: int, end: int, *, whole: bool) -> Iterator[Found]:
    """The records between two borders, gaps among them; with their payloads where they are to be `whole`.

    Raises Broken at the first place where no record begins, or none that is whole.
    """
    ahead = _Ahead(descriptor)
    while start < end:
        head = head_at(ahead.read(HEAD_BYTES, start), mark)
        if head is None or start + head.length > end:
            raise Broken(start)
        payload = b""
        if whole and head.kind == ENTRY:
            payload = ahead.read(head.length - HEAD_BYTES, start + HEAD_BYTES)
            if not is_whole(head, payload):
                raise Broken(start)
        yield Found(start, head, payload)
        start += head.length
