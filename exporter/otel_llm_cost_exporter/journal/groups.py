"""Group commit: many senders, one thread that writes.

While one group is on its way to the disk the next one gathers, so a lone request waits for nobody, and under load one
fdatasync serves all who came during the last.  Waiting on purpose for company was measured and gains nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from otel_llm_cost_exporter.entry import Entry

from .record import MARK_BYTES, before_body
from .tally import Tally

_log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 16 << 20
"""Bytes of a group: what one takes longer to write, all in it wait longer for."""


class Pending:
    """An entry on its way to the disk; `done` is set when it is durable, or with why it is not."""

    __slots__ = ("before", "body", "digest", "done", "received_ns", "tally")

    def __init__(self, entry: Entry, digest: bytes) -> None:
        self.before = before_body(entry, digest)
        self.body = entry.body
        self.digest = digest
        self.done: Future[None] = Future()
        self.received_ns = entry.received_ns
        self.tally = Tally(1, entry.spans, MARK_BYTES + len(self.before) + len(entry.body))


class Groups:
    """The queue and its thread; `commit` gets one group after the other and makes it durable, or raises.

    `bytes` counts what is not settled yet.
    """

    def __init__(self, commit: Callable[[list[Pending]], None]) -> None:
        self.bytes = 0
        self._commit = commit
        self._queue: deque[Pending] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="llm-cost-journal", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether somebody writes."""
        return self._thread.is_alive()

    def put(self, pending: Pending) -> bool:
        """Queue an entry; False where nothing is taken any more."""
        with self._changed:
            if self._closed:
                return False
            self._queue.append(pending)
            self.bytes += pending.tally.bytes
            self._changed.notify()
        return True

    def close(self) -> None:
        """Take nothing more, and return when all that waits is settled."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while group := self._gather():
                self._settle(group)
        finally:  # no sender may wait for a thread that is gone
            with self._changed:
                self._closed = True
                for pending in self._queue:
                    pending.done.set_exception(RuntimeError("the journal's thread has ended"))

    def _gather(self) -> list[Pending]:
        """All that waits, up to a bound; empty when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            group: list[Pending] = []
            size = 0
            while self._queue and (not group or size + self._queue[0].tally.bytes <= _MOST_AT_ONCE):
                group.append(self._queue.popleft())
                size += group[-1].tally.bytes
            return group

    def _settle(self, group: list[Pending]) -> None:
        try:
            self._commit(group)
        except Exception as error:  # noqa: BLE001  # the thread must outlive whatever it was; the senders are told
            if not isinstance(error, OSError):
                _log.error("%d requests are not journaled: a fault in otel-llm-cost", len(group), exc_info=error)
            self._tell(group, error)
        else:
            self._tell(group, None)

    def _tell(self, group: list[Pending], error: Exception | None) -> None:
        with self._changed:
            self.bytes -= sum(pending.tally.bytes for pending in group)
        for pending in group:
            if error is None:
                pending.done.set_result(None)
            else:
                pending.done.set_exception(error)
