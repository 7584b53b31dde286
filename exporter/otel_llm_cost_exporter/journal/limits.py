"""When the journal takes nothing more, and what a person is told then."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from otel_llm_cost_exporter.entry import Overloaded

from .disk import Disk
from .tally import Tally

SOON: Final = 1.0
LATER: Final = 5.0
"""Seconds after which a sender is to come again: a queue is gone sooner than a full disk."""
_MIB: Final = 1 << 20
_BELIEVED_FOR: Final = 0.2


class Room:
    """The free bytes of a disk, asked for at most five times a second: on a network disk that is a round trip."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._folder = folder
        self._asked = -_BELIEVED_FOR
        self._free = 0

    def free(self) -> int:
        now = time.monotonic()
        if now - self._asked >= _BELIEVED_FOR:
            self._free, self._asked = self._disk.free(self._folder), now
        return self._free


class Limits:
    """Bytes: `most_bytes` wait to be stored, `queue_bytes` wait for the disk, `keep_free` of it are left to others."""

    def __init__(self, room: Room, most_bytes: int, queue_bytes: int, keep_free: int) -> None:
        self.most_bytes = most_bytes
        self.room = room
        self._queue_bytes = queue_bytes
        self._keep_free = keep_free

    def check(self, size: int, queued: int, waiting: Tally) -> None:
        """Raise Overloaded where there is no room for so many bytes more."""
        if queued and queued + size > self._queue_bytes:
            raise Overloaded("the journal's disk does not keep up with what is sent: it needs a faster one", SOON)
        if full := self.full(size + queued, waiting):
            raise Overloaded(full, LATER)

    def full(self, size: int, waiting: Tally) -> str:
        """Why so many bytes are not taken, and what to do about it; empty where they are."""
        if waiting.bytes + size > self.most_bytes:
            return (
                f"{waiting.entries} requests ({waiting.bytes // _MIB} MiB) wait to be stored, and the journal may hold"
                f" {self.most_bytes // _MIB} MiB: see why the store does not take them, or allow the journal more"
            )
        try:
            free = self.room.free()
        except OSError as error:
            return f"the journal's disk does not say how much of it is free ({error.strerror}): check the disk"
        if free - size < self._keep_free:
            return (
                f"{free // _MIB} MiB are free on the journal's disk, of which {self._keep_free // _MIB} MiB are kept"
                " free: make room there, or give the journal another disk"
            )
        return ""
