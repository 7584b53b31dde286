"""The journal itself: entries go in at the tail, are read from the head, and leave when all before it is stored."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from otel_llm_cost_exporter.entry import Entry

from . import folder as folders
from . import head as heads
from .appender import Appender
from .damage import Damage
from .digests import Digests
from .disk import Disk
from .folder import JournalError
from .groups import Pending
from .intake import Intake
from .limits import Limits, Room
from .recovery import recover
from .retirement import Retirement
from .segment import Position
from .shelf import Read, Shelf
from .state import JournalState
from .trouble import Trouble

PHASES: Final = ("appended", "synced", "advancing", "advanced", "retiring")
"""Where `at` is called: after a write and before its fdatasync; after that and before the senders are told; before the
head is replaced; after that and before segments retire; when the digests of a segment are kept and before it goes."""

_CANNOT_READ: Final = ("cannot read the journal", "Start the collector again when its disk is mended")
_CANNOT_NOTE: Final = ("the journal cannot note what is stored", "Make room on its disk, or mend it")


def _nothing(_: str) -> None:
    """Where no fault is tested."""


class Journal:
    """A `Sink` whose entries survive the process and the power.

    What holds: an entry whose `take` has returned is on the disk, and is read until `advance` has passed it, by this
    process or a later one.  Within a process nothing is read that has not become durable.  After a crash an entry may
    be read whose sender heard nothing, or that it failed; and all since the last durable `advance` is read again.
    Entries are read in the order in which they became durable.

    Bytes: `most_bytes` may wait to be stored, and at most a segment of `segment_bytes` more lies on the disk;
    `keep_free` of the disk are left to others; `queue_bytes` wait in memory for the disk.  A request is known again for
    `remember` seconds.  `now` is in ns since 1970.  All methods may be called from any thread.

    JournalHeld where another process has the folder, JournalError where it cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int = 4 << 30,
        segment_bytes: int = 64 << 20,
        keep_free: int = 512 << 20,
        queue_bytes: int = 256 << 20,
        remember: float = 900.0,
        at: Callable[[str], None] = _nothing,
        now: Callable[[], int] = time.time_ns,
        disk: Disk | None = None,
    ) -> None:
        disk, remember_ns = disk or Disk(), int(remember * 1e9)
        self._holding = _held(folder)
        self._folder = folder
        self._at = at
        self._damage = Damage(folder)
        digests = Digests(remember_ns)
        try:
            with folders.explained(folder):
                found = recover(folder, self._damage, digests)
                self._retirement = Retirement(folder, self._damage, remember_ns, now, at)
        except BaseException:
            os.close(self._holding)
            raise
        self._shelf = Shelf(found.segments, self._damage)
        self._limits = Limits(Room(disk, folder), most_bytes, queue_bytes, keep_free)
        self._trouble = Trouble(folder)
        self._changed = threading.Condition()
        """Guards all that follows; notified when there is something to read, and when the journal closes."""
        self._head = found.head
        self._waiting = found.waiting
        self._closing = self._closed = False
        self._advancing = threading.Lock()
        self._appender = Appender(folder, found.next_number, segment_bytes, disk, at)
        self._retire()
        self._intake = Intake(self._limits, digests, self._trouble, now, self._append, lambda: self._waiting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def head(self) -> Position:
        """All before it is stored."""
        return self._head

    @property
    def tail(self) -> Position:
        """All before it is durable."""
        return max(self._head, self._shelf.tail)

    def take(self, entry: Entry) -> int:
        """Return 0 when the entry is durable, or was before; Overloaded where it is to be sent again later."""
        return self._intake.take(entry)

    def append_again(self, entry: Entry) -> int:
        """As `take`, of an entry that may be known and is to be stored nevertheless."""
        return self._intake.append_again(entry)

    def wait(self, timeout: float | None, *, spans: int = 0) -> bool:
        """Until something waits after the head, of so many spans at least, or no more comes: whether anything waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._holds(spans), timeout)
            return self._holds(0)

    def read(
        self,
        *,
        most_spans: int,
        most_bytes: int = 64 << 20,
        start: Position | None = None,
        end: Position | None = None,
    ) -> Read:
        """Durable entries from the head, or from `start`: at least one where there is one.

        Stops with the entry that makes `most_spans` or `most_bytes` full.  Where `end` is given it stops there and
        nowhere else, so that a range that was read once is read again the same, whatever the bounds are now.
        JournalError where a segment is gone or cannot be opened.
        """
        damaged = self._damage.ranges
        with self._trouble.told("read", *_CANNOT_READ):
            read = self._shelf.read(start or self._head, end, most_spans, most_bytes)
        self._count_again(damaged)
        return read

    def advance(self, to: Position) -> None:
        """Note durably that all before `to` is stored, and let go of the segments that are.

        JournalError where it cannot be noted: advance again later.  Going back changes nothing.  What is lost of it in
        a crash is only read again.
        """
        with self._advancing:
            if self._closed:
                raise JournalError("the journal is closed")
            if to <= self._head:
                return
            if to > self.tail:
                raise ValueError(f"{to} is after all that is durable")
            damaged = self._damage.ranges
            with self._trouble.told("read", *_CANNOT_READ):
                to, passed = self._shelf.passed(self._head, to)
            self._at("advancing")
            with self._trouble.told("head", *_CANNOT_NOTE):
                heads.write(self._folder, to)
            with self._changed:
                self._head = to
                self._waiting = self._waiting.minus(passed)
            self._count_again(damaged)
            self._at("advanced")
            self._retire()

    def state(self) -> JournalState:
        """How things stand."""
        free = self._free()
        oldest = self._shelf.first(self._head)
        with self._changed:
            error, error_age = self._trouble.last
            return JournalState(
                full=self._intake.full(),
                waiting=self._waiting,
                oldest_ns=oldest.received_ns if oldest else None,
                queued_bytes=self._intake.queued_bytes,
                most_bytes=self._limits.most_bytes,
                free_bytes=free,
                appended=self._intake.appended,
                duplicates=self._intake.duplicates,
                syncs=self._appender.syncs,
                segments=len(self._shelf),
                digests=self._intake.known,
                damaged=self._damage.ranges,
                damaged_bytes=self._damage.bytes,
                error=error,
                error_age=error_age,
            )

    def drain(self) -> None:
        """Take nothing more, and return when all that was being taken is durable; reading and advancing go on."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._intake.drain()

    def close(self) -> None:
        """Drain, and leave the folder to another process."""
        self.drain()
        with self._advancing:
            if not self._closed:
                self._closed = True
                self._appender.seal()
                os.close(self._holding)

    def _append(self, group: list[Pending]) -> None:
        """Make a group durable, and let it be read."""
        try:
            segment, end = self._appender.append(group)
        except OSError as error:
            self._trouble.failed("write", f"the journal's disk does not take what is written: {error.strerror}")
            raise
        self._trouble.over("write")
        with self._changed:
            self._shelf.put(segment, end)
            for pending in group:
                self._waiting = self._waiting.plus(pending.tally)
            self._changed.notify_all()

    def _holds(self, spans: int) -> bool:
        return self._waiting.entries > 0 and self._waiting.spans >= spans

    def _retire(self) -> None:
        """What cannot go now goes the next time."""
        for segment in self._shelf.before(self._head):
            if self._appender.is_current(segment):
                break
            try:
                self._retirement.retire(segment)
            except FileNotFoundError:  # somebody was faster; its digests are lost, which costs only space
                self._trouble.say("gone", f"{segment.path.name} is gone already")
            except OSError as error:
                self._trouble.failed("retire", f"cannot remove {segment.path.name}, which is stored: {error.strerror}")
                return
            self._shelf.remove(segment)
        self._trouble.over("retire")

    def _count_again(self, damaged: int) -> None:
        """What was lost to damage found since then does not wait any more."""
        if self._damage.ranges != damaged:
            with self._changed:
                self._waiting = self._shelf.left(self._head)

    def _free(self) -> int:
        try:
            return self._limits.room.free()
        except OSError:
            return 0  # `full` says so


def _held(folder: Path) -> int:
    with folders.explained(folder):
        folders.make(folder)
        return folders.hold(folder)
