"""What a folder holds when a process opens it, however the last one ended.

A process that dies in the middle of a write leaves the beginning of a record at the end of the last segment.  Nobody
was told that it was taken, so it is cut off, which is logged.  Whatever else is not whole may have been acknowledged:
`damage` sets that aside.  A segment is never appended to by a second process.
"""

from __future__ import annotations

import logging
import os
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from . import digests, head
from .damage import SUFFIX as SET_ASIDE
from .damage import Damage
from .digests import Digests
from .disk import read_at
from .folder import JournalError
from .record import ENTRY, HEAD_BYTES, head_at
from .segment import FIRST, VERSION, Broken, Position, Segment, listed, opened, version_of, walk
from .tally import Tally, tally

_log = logging.getLogger(__name__)


class Recovered(NamedTuple):
    """The state of a folder: `next_number` is that of the next segment, `waiting` what is not stored yet."""

    segments: list[Segment]
    head: Position
    next_number: int
    waiting: Tally


def recover(folder: Path, damage: Damage, known: Digests) -> Recovered:
    """Make a folder whole, and learn the digests that it holds."""
    _sweep(folder)
    segments = [segment for segment in listed(folder) if not _is_empty(segment)]
    for segment in segments:
        _check_version(segment)
    _miss(segments)
    kept = sorted(folder.glob(f"*{digests.SUFFIX}"))
    for file in kept:
        for digest, received_ns in digests.kept(file):
            known.add(digest, received_ns)
    noted = head.read(folder)
    waiting = Tally()
    for segment in segments:
        if segment is segments[-1]:
            _cut(segment, damage)
        waiting = waiting.plus(_learn(segment, damage, known, noted))
    first = Position(segments[0].number, FIRST) if segments else Position(0, 0)
    numbers = [segment.number for segment in segments] + [int(file.stem) for file in kept]
    last = max([*numbers, noted.segment if noted else 0])
    return Recovered(segments, noted or first, last + 1, waiting)


def _learn(segment: Segment, damage: Damage, known: Digests, noted: Position | None) -> Tally:
    """Walk a segment once, for its digests and for what of it waits."""
    waiting = []
    for found in damage.sound(segment, FIRST, segment.end, whole=False):
        if found.head.kind == ENTRY:
            known.add(found.head.digest, found.head.received_ns)
        if noted is None or Position(segment.number, found.start) >= noted:
            waiting.append(found.head)
    segment.end = segment.path.stat().st_size
    return tally(waiting)


def _cut(segment: Segment, damage: Damage) -> None:
    """Leave whole records only in the last segment; `damage` has what was no torn write."""
    with opened(segment, os.O_RDWR) as descriptor:
        start = FIRST
        while (broken := _broken(descriptor, segment, start)) is not None:
            data = read_at(descriptor, segment.end - broken, broken)
            if _is_torn(data, segment.mark):
                _log.warning(
                    "cut a torn write of %d bytes off %s: nobody was told it was taken", len(data), segment.path
                )
                os.ftruncate(descriptor, broken)
                os.fsync(descriptor)
                segment.end = broken
                return
            start = damage.mend(segment, broken, segment.end)


def _broken(descriptor: int, segment: Segment, start: int) -> int | None:
    """Where the first record that is not whole begins."""
    try:
        for _ in walk(descriptor, segment.mark, start, segment.end, whole=True):
            pass
    except Broken as broken:
        return broken.offset
    return None


def _is_torn(data: bytes, mark: bytes) -> bool:
    """Whether a file ends with the beginning of a record: so a killed process leaves it, and a full disk."""
    head = head_at(data, mark)
    return len(data) < HEAD_BYTES or (head is not None and head.length > len(data))


def _is_empty(segment: Segment) -> bool:
    """Whether a process died before the first record of a segment, which is removed then."""
    if segment.end > FIRST:
        return False
    segment.path.unlink()
    return True


def _check_version(segment: Segment) -> None:
    version = version_of(segment)
    if version is None:
        _log.error("the opening of %s is damaged; its records are read nevertheless", segment.path)
    elif version > VERSION:
        raise JournalError(
            f"{segment.path} was written by a newer version of otel-llm-cost (format {version}; this one knows"
            f" {VERSION}). Run that version until the journal is empty, or give this one another folder."
        )


def _miss(segments: list[Segment]) -> None:
    """Numbers are skipped where a disk failed, so a hole is no proof of a loss, but it is not passed in silence."""
    for one, other in pairwise(segments):
        if other.number > one.number + 1:
            _log.warning(
                "there is no segment between %s and %s: none was written, because the disk failed, or it was removed",
                one.path.name,
                other.path.name,
            )


def _sweep(folder: Path) -> None:
    """Remove what was being written when a process died: it was not yet in its place."""
    for written in ("head", f"*{digests.SUFFIX}", f"*{SET_ASIDE}"):
        for unfinished in folder.glob(f"{written}.tmp"):
            unfinished.unlink()
