"""How a segment leaves when all in it is stored: its digests are kept in a small file, then it is removed.

A crash between the two leaves both, and the next process does the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from . import digests
from .damage import Damage
from .record import ENTRY
from .segment import FIRST, Segment

_log = logging.getLogger(__name__)


class Retirement:
    """Retires segments one by one; digests older than `remember_ns` are not kept, nor is a file of only such."""

    def __init__(
        self, folder: Path, damage: Damage, remember_ns: int, now: Callable[[], int], at: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._damage = damage
        self._remember_ns = remember_ns
        self._now = now
        self._at = at
        self._newest: dict[Path, int] = {}
        """The last digest of each file, in ns since 1970."""
        for file in folder.glob(f"*{digests.SUFFIX}"):
            self._newest[file] = max((received_ns for _, received_ns in digests.kept(file)), default=0)

    def retire(self, segment: Segment) -> None:
        """Remove a segment; OSError where its digests could not be kept or it cannot be removed."""
        since = self._now() - self._remember_ns
        found = self._damage.sound(segment, FIRST, segment.end, whole=False)
        heads = (one.head for one in found if one.head.kind == ENTRY)
        known = [(head.digest, head.received_ns) for head in heads if head.received_ns >= since]
        if known:
            file = self._folder / f"{segment.number:012d}{digests.SUFFIX}"
            digests.keep(file, known)
            self._newest[file] = max(received_ns for _, received_ns in known)
        self._at("retiring")
        segment.path.unlink()
        self._forget(since)

    def _forget(self, since: int) -> None:
        for file in [file for file, newest in self._newest.items() if newest < since]:
            file.unlink(missing_ok=True)
            del self._newest[file]
