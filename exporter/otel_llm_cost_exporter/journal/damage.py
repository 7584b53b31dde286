"""Damage inside a segment: bytes that were durable once and are no record now, as when a disk forgets.

What is damaged is never skipped in silence and never stops what is sound.  The next whole record is looked for, the
bytes up to it are copied to `<segment>-<offset>.damaged`, which stays until a person removes it, and a gap is written
in their place, so that no position changes and the next walk passes over it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from . import folder as folders
from .disk import read_at
from .record import GAP, HEAD_BYTES, gap, head_at, next_whole
from .segment import Broken, Found, Segment, opened, walk

_log = logging.getLogger(__name__)

SUFFIX: Final = ".damaged"


class Damage:
    """What was found damaged and set aside; `ranges` and `bytes` count what lies in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        aside = [path.stat().st_size for path in folder.glob(f"*{SUFFIX}")]
        self.ranges = len(aside)
        self.bytes = sum(aside)

    def sound(self, segment: Segment, start: int, end: int, *, whole: bool) -> Iterator[Found]:
        """The records between two borders of a segment; what is damaged among them is set aside."""
        with opened(segment) as descriptor:
            while True:
                try:
                    yield from walk(descriptor, segment.mark, start, end, whole=whole)
                except Broken as broken:
                    start = self.mend(segment, broken.offset, end)
                else:
                    return

    def mend(self, segment: Segment, bad: int, end: int) -> int:
        """Set aside what begins at `bad`; where the next record begins, or `end`."""
        with self._guard, opened(segment, os.O_RDWR) as descriptor:
            data = read_at(descriptor, end - bad, bad)
            head = head_at(data, segment.mark)
            if head is not None and head.kind == GAP:
                return bad + head.length  # another thread was here first
            length = next_whole(data, segment.mark) or len(data)
            _log.error(
                "the journal is damaged: bytes %d to %d of %s are no record. They may hold acknowledged requests, which"
                " are not stored now. What follows is sound; check the disk",
                bad,
                bad + length,
                segment.path,
            )
            try:
                self._set_aside(segment, descriptor, bad, data[:length])
            except OSError as error:
                _log.error("the damaged bytes could not be set aside, and stay where they are: %s", error)
            return bad + length if length else end

    def _set_aside(self, segment: Segment, descriptor: int, bad: int, data: bytes) -> None:
        aside = self._folder / f"{segment.number:012d}-{bad}{SUFFIX}"
        known = aside.exists()
        folders.replace(aside, data)
        if len(data) >= HEAD_BYTES:
            os.pwrite(descriptor, gap(segment.mark, len(data)), bad)
        else:
            os.ftruncate(descriptor, bad)  # too short for a gap: the last bytes of a file that is not written any more
        os.fsync(descriptor)
        if not known:
            self.ranges += 1
            self.bytes += len(data)
        _log.error("the damaged bytes are set aside in %s", aside)
