"""One writer, many senders: group commit.

An insert costs the store some 20 ms whatever its size, so requests do not insert.  They queue their calls and wait;
one thread takes what has gathered after a moment, or sooner when there is much, writes it as one batch and wakes
everyone whose calls are in it.  So what is acknowledged is stored.  The queue is bounded by rows: when it is full the
sender is told at once to come back later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

from .decode import Arrived
from .pipeline import Pipeline
from .store import StoreError

_log = logging.getLogger(__name__)


class Overloaded(Exception):
    """The queue is full or closed; come back in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Waiting(NamedTuple):
    calls: Sequence[Arrived]
    done: Future[int]


class Writer:
    """The writer thread and its queue; a `Sink`.

    `most_rows` closes a batch, `most_wait` (seconds) closes it too, `queue_rows` bounds what waits, and `answer_within`
    (seconds) is how long a sender waits before it is told that its calls may not be stored.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        most_rows: int = 10_000,
        most_wait: float = 0.2,
        queue_rows: int = 100_000,
        answer_within: float = 30.0,
    ) -> None:
        self._pipeline = pipeline
        self._most_rows = most_rows
        self._most_wait = most_wait
        self._queue_rows = queue_rows
        self._answer_within = answer_within
        self._queue: deque[_Waiting] = deque()
        self._rows = 0
        self._changed = threading.Condition()
        self._closing = False
        self._failure: tuple[float, str] | None = None
        self._thread = threading.Thread(target=self._run, name="llm-cost-writer", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether a new request would be refused."""
        return self._closing or self._rows >= self._queue_rows

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def failure(self) -> tuple[float, str] | None:
        """Seconds since the last write failed, and why; None once one has succeeded."""
        failure = self._failure
        return None if failure is None else (time.monotonic() - failure[0], failure[1])

    def write(self, calls: Sequence[Arrived]) -> int:
        """Queue the calls and wait until they are stored; the number that can never be.

        Raises Overloaded at once when the queue is full, StoreError when the store did not take them.
        """
        done: Future[int] = Future()
        with self._changed:
            if self.full:
                raise Overloaded("shutting down" if self._closing else f"{self._rows} calls are waiting to be stored")
            self._queue.append(_Waiting(calls, done))
            self._rows += len(calls)
            self._changed.notify_all()
        try:
            return done.result(self._answer_within)
        except TimeoutError:
            raise StoreError(f"the store did not take the calls within {self._answer_within:.0f} s") from None

    def close(self) -> None:
        """Refuse what is new, write what waits, end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while group := self._gather():
            self._flush(group)

    def _gather(self) -> list[_Waiting]:
        """The next batch: waits for a first request, then a moment for company.  Empty when closed and drained."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            if self._queue:
                self._changed.wait_for(lambda: self._rows >= self._most_rows or self._closing, self._most_wait)
            group: list[_Waiting] = []
            rows = 0
            while self._queue and rows < self._most_rows:
                group.append(self._queue.popleft())
                rows += len(group[-1].calls)
            return group

    def _flush(self, group: list[_Waiting]) -> None:
        calls = [call for waiting in group for call in waiting.calls]
        try:
            refused = self._pipeline.write_batch(calls)
        except StoreError as error:
            _log.error("%d calls are not stored, their senders are told to send again: %s", len(calls), error)
            self._fail(group, error)
        except Exception as error:  # noqa: BLE001  # the thread must outlive a mistake of ours; the senders are told
            _log.exception("%d calls are not stored because of a fault in otel-llm-cost", len(calls))
            self._fail(group, StoreError(f"internal error ({type(error).__name__})"))
        else:
            self._failure = None
            for waiting in group:
                waiting.done.set_result(sum(call.key in refused for call in waiting.calls))
        finally:
            with self._changed:
                self._rows -= len(calls)

    def _fail(self, group: list[_Waiting], error: StoreError) -> None:
        self._failure = (time.monotonic(), str(error))
        for waiting in group:
            waiting.done.set_exception(error)
