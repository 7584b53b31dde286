"""The API keys of a running collector.

A key that is created counts at once and one that is revoked within about a second, without a restart: the file is
looked at as often, and when somebody comes with a key that is not known, and read when it is another.  A file that has
become unreadable changes nothing: refusing everybody would lose calls, and letting everybody in is out of the
question.  But then a revocation is not heard either, so it is said as an error for as long as it lasts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from .files import KeysError, Stamp, read, stamp
from .keys import Key, matches, split

_log = logging.getLogger(__name__)

_LOOK_EVERY: Final = 1.0
_COMPLAIN_EVERY: Final = 60.0
_NO_KEYS: Final[Mapping[str, Key]] = MappingProxyType({})


class Rejected(Exception):
    """What was presented is no key in force.

    The text is all that the other side is told, the same whatever was wrong; `why` and `key` (the public id, empty
    where there is no such key) are for the log.
    """

    def __init__(self, why: str, key: str = "") -> None:
        super().__init__("the API key is unknown or revoked")
        self.why = why
        self.key = key


class Reader(NamedTuple):
    """Who may ask: the id of the key, and the projects whose calls it may see (None: all)."""

    key: str
    projects: tuple[str, ...] | None


class KeyRing:
    """The keys of a file, kept up with it; without a path there are none.  Safe to use from several threads.

    Raises KeysError where the file is there and cannot be used.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path = path
        self.fault: str | None = None
        """Why the keys in force may be older than the file; None where they are not."""
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._looked = clock()
        self._complained = float("-inf")
        self._stamp: Stamp | None = None
        self._keys = _NO_KEYS
        if path is not None:
            self._stamp = stamp(path)
            self._keys = {key.id: key for key in read(path)}

    def key(self, presented: str) -> Key:
        """The key in force that was presented; Rejected where it is none."""
        self._keep_up()
        form = split(presented)
        if form is None:
            raise Rejected("it has not the form of a key")
        identity, secret = form
        if identity not in self._keys and self.fault is None:
            self._keep_up(at_once=True)  # it may have been created a moment ago
        key = self._keys.get(identity)
        if not matches(key, secret) or key is None:
            raise Rejected("unknown" if key is None else "its secret is wrong", identity if key else "")
        state = key.state(self._now())
        if state != "active":
            raise Rejected(state, key.id)
        return key

    def reader(self, user: str | None, password: str | None) -> Reader:
        """Who asks, by HTTP Basic credentials: the password is a key that may read, the user its id or anything.

        Raises Rejected.  A key for one project reads that one and those that it may name.
        """
        del user
        key = self.key(password or "")
        if not key.may_read:
            raise Rejected("it may write, not read", key.id)
        return Reader(key.id, None if key.may_name is None else (key.project, *key.may_name))

    def active(self) -> int:
        """How many keys are in force."""
        self._keep_up()
        now = self._now()
        return sum(key.state(now) == "active" for key in self._keys.values())

    def _keep_up(self, *, at_once: bool = False) -> None:
        """Read the file if it is another than before; unless at once, one thread does, and not often."""
        if self.path is None or not (at_once or self._clock() - self._looked >= _LOOK_EVERY):
            return
        if not self._lock.acquire(blocking=at_once):
            return
        try:
            self._looked = self._clock()
            self._reread(self.path)
        finally:
            self._lock.release()

    def _reread(self, path: Path) -> None:
        found = stamp(path)
        if found == self._stamp and self.fault is None:
            return
        try:
            if found is None and self._stamp is not None:
                raise KeysError(f"{path}: it was there and is gone, or cannot be looked at. Put it back.")
            self._keys = {key.id: key for key in read(path)}
        except KeysError as error:
            self._complain(str(error))
            return
        if self.fault is not None or self._keys:
            _log.info("the API keys were read again: %d, from %s", len(self._keys), path)
        self._stamp, self.fault = found, None

    def _complain(self, fault: str) -> None:
        now = self._clock()
        if fault != self.fault or now - self._complained >= _COMPLAIN_EVERY:
            self._complained = now
            _log.error(
                "API keys that were revoked or created since are NOT in force: the last keys that could be read still"
                " count. %s",
                fault,
            )
        self.fault = fault
