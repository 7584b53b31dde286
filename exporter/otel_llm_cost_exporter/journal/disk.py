"""What the journal asks of the disk, in one place, so that a test can make it slow, full or broken."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

_MOST_BUFFERS: Final = 1000
"""POSIX admits 1,024 buffers in one writev on Linux (IOV_MAX)."""
_BLOCK: Final = 4096
_ATTEMPTS: Final = 3


_sync = getattr(os, "fdatasync", os.fsync)
"""macOS has no fdatasync."""


class Disk:
    """The calls that can fail because a disk is full or broken; each raises OSError."""

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> None:
        """Append all of the buffers."""
        for first in range(0, len(buffers), _MOST_BUFFERS):
            _write_all(descriptor, buffers[first : first + _MOST_BUFFERS])

    def sync(self, descriptor: int) -> None:
        """Return when the contents are on the disk."""
        _sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def free(self, folder: Path) -> int:
        """Bytes that this user may still write there."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """So many bytes from there, fewer at the end of the file.

    Blocks that the disk cannot give back are asked for again and then are zeros, which no checksum takes for a record.
    """
    try:
        return _read(descriptor, size, offset)
    except OSError as error:
        _log.warning("cannot read %d bytes at %d (%s): reading block by block", size, offset, error.strerror)
    size = min(size, max(0, os.fstat(descriptor).st_size - offset))
    blocks = range(offset, offset + size, _BLOCK)
    return b"".join(_block(descriptor, min(_BLOCK, offset + size - at), at) for at in blocks)


def _read(descriptor: int, size: int, offset: int) -> bytes:
    """One call can give less than asked for, and never more than 2 GiB."""
    data = os.pread(descriptor, size, offset)
    while len(data) < size and (more := os.pread(descriptor, size - len(data), offset + len(data))):
        data += more
    return data


def _block(descriptor: int, size: int, offset: int) -> bytes:
    for _ in range(_ATTEMPTS):
        try:
            return _read(descriptor, size, offset)
        except OSError as error:
            _log.error("cannot read %d bytes at %d: %s", size, offset, error.strerror)
    return bytes(size)


def _write_all(descriptor: int, buffers: Sequence[bytes]) -> None:
    """One call can take less than given: at 2 GiB, and before a disk is full."""
    left: list[bytes | memoryview] = list(buffers)
    while left:
        written = os.writev(descriptor, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = memoryview(left[0])[written:]
