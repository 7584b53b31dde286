"""What comes in: known before or not, room or none, on its way to the disk, and the answer to its sender."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from otel_llm_cost_exporter.entry import Entry, Overloaded

from .digests import Digests, digest_of
from .groups import Groups, Pending
from .limits import LATER, SOON, Limits
from .tally import Tally
from .trouble import Trouble

_CLOSING: Final = "the collector is shutting down"
_ENDED: Final = "the journal's thread has ended: start the collector again"
_SAFE: Final[Future[None]] = Future()
_SAFE.set_result(None)


class Intake:
    """Takes entries from many threads; `append` makes a group of them durable, `waiting` is what is not stored yet.

    Counts since it began: `appended`, and the `duplicates` that were set aside.
    """

    def __init__(
        self,
        limits: Limits,
        digests: Digests,
        trouble: Trouble,
        now: Callable[[], int],
        append: Callable[[list[Pending]], None],
        waiting: Callable[[], Tally],
    ) -> None:
        self.appended = Tally()
        self.duplicates = 0
        self._limits = limits
        self._digests = digests
        self._trouble = trouble
        self._now = now
        self._append = append
        self._waiting = waiting
        self._on_their_way: dict[bytes, Future[None]] = {}
        self._closing = False
        self._guard = threading.RLock()
        self._groups = Groups(self._commit)

    def take(self, entry: Entry) -> int:
        """As `Journal.take`."""
        digest = digest_of(entry)
        done = self._same(digest)
        if done is None:
            fresh = Pending(entry, digest)
            with self._guard:
                done = self._same(digest)
                if done is None:
                    done = self._start(fresh)
                    self._on_their_way[digest] = done
        return _durable(done)

    def append_again(self, entry: Entry) -> int:
        """As `Journal.append_again`."""
        fresh = Pending(entry, digest_of(entry))
        with self._guard:
            done = self._start(fresh)
        return _durable(done)

    def full(self) -> str:
        """Why nothing is taken, and what to do about it; empty where it is."""
        if self._closing:
            return _CLOSING
        return self._limits.full(1, self._waiting()) if self._groups.alive else _ENDED

    @property
    def queued_bytes(self) -> int:
        return self._groups.bytes

    @property
    def known(self) -> int:
        """How many digests."""
        return len(self._digests)

    def drain(self) -> None:
        """Take nothing more, and return when every sender has its answer."""
        with self._guard:
            self._closing = True
        self._groups.close()

    def _same(self, digest: bytes) -> Future[None] | None:
        """When what was sent before with this digest is durable; None where nothing was."""
        with self._guard:
            done = _SAFE if self._digests.knows(digest, self._now()) else self._on_their_way.get(digest)
            self.duplicates += done is not None
            return done

    def _start(self, fresh: Pending) -> Future[None]:
        """Put an entry on its way to the disk; Overloaded where there is no room."""
        if self._closing:
            raise Overloaded(_CLOSING, SOON)
        try:
            self._limits.check(fresh.tally.bytes, self._groups.bytes, self._waiting())
        except Overloaded as error:
            self._trouble.say("refused", f"requests are refused, their senders are told to come again: {error}")
            raise
        if not self._groups.put(fresh):
            raise Overloaded(_ENDED, LATER)
        return fresh.done

    def _commit(self, group: list[Pending]) -> None:
        """Make a group durable; once it is, it is known, and until it is, the same waits for it."""
        try:
            self._append(group)
        except BaseException:
            with self._guard:
                self._forget(group)
            raise
        with self._guard:
            for pending in group:
                self._digests.add(pending.digest, pending.received_ns)
                self.appended = self.appended.plus(pending.tally)
            self._forget(group)

    def _forget(self, group: list[Pending]) -> None:
        for pending in group:
            if self._on_their_way.get(pending.digest) is pending.done:
                del self._on_their_way[pending.digest]


def _durable(done: Future[None]) -> int:
    try:
        done.result()
    except OSError as error:
        text = f"the journal's disk does not take what is written: {error.strerror}. Make room on it, or mend it"
        raise Overloaded(text, LATER) from error
    except Exception as error:
        text = f"a fault in otel-llm-cost ({type(error).__name__}) keeps this out of the journal; its log says more"
        raise Overloaded(text, LATER) from error
    return 0
