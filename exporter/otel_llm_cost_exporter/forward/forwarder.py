"""Enriched spans onward, beside the road to the store and never in its way.

Two threads.  One takes the batches that are stored and writes the bills on their spans; the other sends, and waits
where the target is slow or away.  Two queues, both bounded: that of batches by their spans, for the calls in them take
much memory and the first thread is quick; that of requests ready to be sent by their bytes.  What there is no room for
is dropped and counted.

All of this is for eyes: what is billed is in the store.  So a batch that was under way as a process ended goes onward
from the next one without its bills, what waited to be sent does not, and what the target took without our hearing of it
is there twice.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
import uuid
from collections import deque
from types import TracebackType
from typing import Final, Self

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm_cost_exporter.entry import Entry

from .batch import Bills, Forwardable
from .enrich import enrich
from .queue import Queue
from .split import MOST_BYTES, Part, pack
from .tally import ForwardCounts, Tally
from .target import Target
from .wire import Answer, Wire, wire_to

_log = logging.getLogger(__name__)

_MOST_UNREAD: Final = 100_000
"""Spans of stored batches that wait to be enriched; a call among them takes about 3 KB."""
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0


def delay_before(attempt: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: doubled each time up to a limit, and scattered; what is asked for at least."""
    backoff = min(math.ldexp(_FIRST_DELAY, min(attempt, 16)), _LONGEST_DELAY)
    scattered = backoff * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
    return max(scattered, retry_after + scattered / 10) if retry_after is not None else scattered


class Forwarder:
    """Runs from construction to `close`.

    `queue_bytes` is what waits to be sent at most, `patience` how many seconds one request is offered again before it
    gives way to the next, `timeout` how many seconds one attempt may take.
    """

    def __init__(
        self,
        target: Target,
        *,
        queue_bytes: int = 64 << 20,
        patience: float = 300.0,
        timeout: float = 10.0,
        wire: Wire | None = None,
    ) -> None:
        self.instance = uuid.uuid4().hex
        """The mark on what this process forwards."""
        self._patience = patience
        self._timeout = timeout
        self._wire = wire or wire_to(target)
        self._queue = Queue(queue_bytes)
        self._tally = Tally(str(target))
        self._batches: deque[Forwardable] = deque()
        self._unread_spans = 0
        self._arrived = threading.Condition()
        self._closing = threading.Event()
        self._over = threading.Event()
        self._deadline = math.inf
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("llm-cost-enrich", self._enrich_all), ("llm-cost-forward", self._send_all))
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, batch: Forwardable) -> None:
        """Take a stored batch, or drop it; returns at once and never raises."""
        spans = sum(entry.spans for entry in batch.entries)
        with self._arrived:
            why_not = self._why_not(spans)
            if not why_not:
                self._batches.append(batch)
                self._unread_spans += spans
                self._arrived.notify()
        if why_not:
            self._tally.drop(why_not, spans)

    def _why_not(self, spans: int) -> str:
        """Why a batch is not taken, or nothing; one is always taken where none waits."""
        if self._closing.is_set():
            return "closed"
        room = not self._unread_spans or self._unread_spans + spans <= _MOST_UNREAD
        return "" if room else "queue_full"

    def counts(self) -> ForwardCounts:
        """What became of everything so far."""
        return self._tally.counts(self._unread_spans + self._queue.spans, self._queue.size)

    def close(self, timeout: float = 5.0) -> None:
        """Send what waits, for at most `timeout` seconds, and say what was left."""
        with self._arrived:
            if self._closing.is_set():
                return
            self._deadline = time.monotonic() + timeout
            self._closing.set()
            self._arrived.notify()
        for thread in self._threads:
            thread.join(max(0.0, self._left()))
        self._over.set()
        self._wire.close()
        if left := self._unread_spans + self._queue.spans:
            self._tally.drop("closed", left)
        self._tally.say(last=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _left(self) -> float:
        """Seconds until all must be done with: for ever, unless it is being closed."""
        return self._deadline - time.monotonic()

    def _enrich_all(self) -> None:
        with suppress_instrumentation():
            while self._enrich_next():
                self._tally.say()
            self._queue.close()

    def _enrich_next(self) -> bool:
        """Work on the next batch; False where there will be none."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._batches or self._closing.is_set())
            if not self._batches or self._left() <= 0:
                return False
            batch = self._batches.popleft()
        bills = Bills.of(batch)
        for entry in batch.entries:
            self._enrich(entry, bills)
            with self._arrived:
                self._unread_spans -= entry.spans
        return True

    def _enrich(self, entry: Entry, bills: Bills) -> None:
        if not self._queue.has_room(len(entry.body)):
            self._tally.drop("queue_full", entry.spans)
            return
        try:
            made = enrich(entry, bills, self.instance)
        except Exception as error:  # noqa: BLE001  # a fault of ours costs a request its way onward, and nothing else
            self._tally.drop("fault", entry.spans, type(error).__name__)
            return
        self._tally.leave_out("seen", made.seen)
        self._tally.leave_out("looped", made.looped)
        if made.spans and not self._queue.put(Part(made.body, made.spans)):
            self._tally.drop("queue_full", made.spans)

    def _send_all(self) -> None:
        with suppress_instrumentation():
            while parts := self._queue.take(MOST_BYTES):
                for request in pack(parts):
                    if not self._deliver(request):
                        return
                    self._queue.settle(spans=request.spans)
                self._queue.settle(size=sum(len(part.body) for part in parts))
                self._tally.say()

    def _deliver(self, request: Part) -> bool:
        """Send until the fate of a request is known; False where there is no time left to find it out."""
        if len(request.body) > MOST_BYTES:
            self._tally.drop("too_large", request.spans)
            return True
        began, attempt = time.monotonic(), 0
        while (left := self._left()) > 0:
            answer = self._send(request, min(self._timeout, left))
            if not answer.again:
                self._take_note(request, answer)
                return True
            if time.monotonic() - began > self._patience:
                self._tally.drop("gave_up", request.spans, answer.why)
                return True
            delay = min(delay_before(attempt, answer.retry_after), self._patience)
            attempt += 1
            self._tally.away(answer.why, delay)
            self._pause(delay)
        return False

    def _send(self, request: Part, timeout: float) -> Answer:
        try:
            return self._wire.send(request.body, timeout)
        except Exception as error:  # noqa: BLE001  # as above: the thread goes on with the next request
            return Answer(False, why=f"{type(error).__name__} in otel-llm-cost")

    def _take_note(self, request: Part, answer: Answer) -> None:
        if not answer.taken:
            self._tally.drop("refused", request.spans, answer.why)
            return
        rejected = min(answer.rejected, request.spans)
        self._tally.send(request.spans - rejected)
        self._tally.back()
        if rejected:
            self._tally.drop("rejected", rejected)

    def _pause(self, delay: float) -> None:
        """Wait, but for the end; the news that it is near is worth one attempt at once."""
        until = self._over if self._closing.is_set() else self._closing
        until.wait(max(0.0, min(delay, self._left())))
