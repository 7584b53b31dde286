"""The end of the journal, where one thread writes.

A group is one write and one fdatasync.  Where either fails nothing of the group counts: the file is cut back to where
it was durable.  After a failed fdatasync the kernel may have dropped the pages and call them clean, so that the next
one succeeds without having written them (see "Can Applications Recover from fsync Failures?", USENIX ATC 2020): that
file is never written again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from .disk import Disk
from .groups import Pending
from .segment import FIRST, Segment, create

_log = logging.getLogger(__name__)


class Appender:
    """Writes groups to segments of about `segment_bytes`, each begun when its first group comes."""

    def __init__(
        self, folder: Path, next_number: int, segment_bytes: int, disk: Disk, at: Callable[[str], None]
    ) -> None:
        self.syncs = 0
        self._folder = folder
        self._next = next_number
        self._segment_bytes = segment_bytes
        self._disk = disk
        self._at = at
        self._open: tuple[Segment, int] | None = None
        self._end = FIRST

    def append(self, group: Sequence[Pending]) -> tuple[Segment, int]:
        """Write a group: its segment and its end there.  It is durable on return; OSError where nothing of it is."""
        size = sum(pending.tally.bytes for pending in group)
        segment, descriptor = self._with_room(size)
        try:
            self._write(segment.mark, descriptor, group)
            self._at("appended")
        except BaseException:
            self._back(descriptor)
            raise
        try:
            self.syncs += 1
            self._disk.sync(descriptor)
            self._at("synced")
        except BaseException:
            self._back(descriptor)
            self.seal()
            raise
        self._end += size
        return segment, self._end

    def seal(self) -> None:
        """Write no more to the segment; one without a record is removed."""
        if self._open is None:
            return
        segment, descriptor = self._open
        self._open = None
        os.close(descriptor)
        if self._end == FIRST:
            segment.path.unlink(missing_ok=True)

    def is_current(self, segment: Segment) -> bool:
        return self._open is not None and self._open[0] is segment

    def _with_room(self, size: int) -> tuple[Segment, int]:
        if self._open is not None and self._end > FIRST and self._end + size > self._segment_bytes:
            self.seal()
        if self._open is None:
            self._next += 1  # before it is used: no two files may ever have one number
            self._open = create(self._folder, self._next - 1, self._disk)
            self._end = FIRST
        return self._open

    def _write(self, mark: bytes, descriptor: int, group: Sequence[Pending]) -> None:
        buffers: list[bytes] = []
        for pending in group:
            buffers += (mark, pending.before, pending.body)
        self._disk.write(descriptor, buffers)

    def _back(self, descriptor: int) -> None:
        """Cut off what is not durable, or leave the segment."""
        try:
            self._disk.truncate(descriptor, self._end)
        except OSError as error:
            _log.error("cannot cut a failed write off the journal, a new segment is begun: %s", error.strerror)
            self.seal()
