"""The one writer: a thread that takes batch after batch from the journal and lets go of none before it is stored.

What may pass is waited out, for as long as it takes; meanwhile the journal takes what arrives, up to its limit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from otel_llm_cost_exporter import gc_pause
from otel_llm_cost_exporter.entry import Overloaded
from otel_llm_cost_exporter.journal import Journal, Position
from otel_llm_cost_exporter.pipeline import Pipeline

from .dead_letters import DeadLetters
from .frozen import FrozenFile
from .patience import FlushState, Patience, Stopped
from .road import Batch, Road, Stores

_log = logging.getLogger(__name__)

_LOOK_EVERY: Final = 0.25
"""Seconds between two looks at what else there is to do: letters to replay, the end."""


def _nothing(_: Any) -> None:
    """Nobody is told."""


_OVERTIME: Final = 1.0
"""Seconds to notice that it is time to end."""


class Flusher:
    """A thread from `start` to `close`.

    `connect` gives a store and the pipeline that writes to it, or raises StoreError, and is then asked again.
    `folder` is for the batch under way and the dead letters.  `most_spans` closes a batch, and so does `most_wait`
    (seconds).  `stored` is told of each batch that is stored.  `at` is called at the points of PHASES.
    """

    def __init__(
        self,
        journal: Journal,
        connect: Callable[[], tuple[Stores, Pipeline]],
        folder: Path,
        *,
        most_spans: int = 20_000,
        most_wait: float = 1.0,
        stored: Callable[[Batch], None] = _nothing,
        at: Callable[[str], None] = _nothing,
    ) -> None:
        self.state = FlushState()
        self.dead_letters = DeadLetters(folder / "dead")
        self._journal = journal
        self._connect = connect
        self._frozen = FrozenFile(folder)
        self._most_spans = most_spans
        self._most_wait = most_wait
        self._stored = stored
        self._at = at
        self._closing = threading.Event()
        self._patience = Patience(self.state, self._closing)
        self._put_off = ""
        """Why letters cannot be replayed now."""
        self._busy = threading.Lock()
        self._went_on = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="llm-cost-flusher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @contextmanager
    def paused(self, within: float = 5.0) -> Iterator[bool]:
        """Nothing is under way between the journal and the store while this is held.

        Gives False where that could not be had within so many seconds, for a batch waits for its store, and where the
        flusher has ended, which may have left one.
        """
        held = self._busy.acquire(timeout=within)
        try:
            yield held and self.alive
        finally:
            if held:
                self._busy.release()

    def wait_until(self, position: Position, timeout: float | None = None) -> bool:
        """Wait until all before a position of the journal is stored; False if that took too long."""
        with self._went_on:
            self._went_on.wait_for(lambda: self._journal.head >= position or not self.alive, timeout)
        return self._journal.head >= position

    def close(self, patience: float = 10.0) -> bool:
        """Store what the journal has, for at most about `patience` seconds; False where something is left in it.

        It may be `alive` even then, where a store took an insert and does not answer: journal and store must be left
        as they are, for it uses both.
        """
        self._patience.give_up = time.monotonic() + patience
        self._closing.set()
        self._thread.join(patience + _OVERTIME)
        return self._journal.head >= self._journal.tail

    def _run(self) -> None:
        try:
            with self._busy:
                road = self._patience(self._begin)
            self._tell()
            while self._gather():
                with self._busy, gc_pause.paused():
                    self._patience(lambda: road.flush(self._most_spans))
                self._tell()
        except Stopped:
            pass
        except BaseException:
            _log.critical("the flusher has ended for a fault in otel-llm-cost: restart the collector", exc_info=True)
            raise
        finally:
            self._tell()

    def _tell(self) -> None:
        with self._went_on:
            self._went_on.notify_all()

    def _begin(self) -> Road:
        """Open the store and, first of all, finish what an earlier process had under way."""
        store, pipeline = self._connect()
        road = Road(
            journal=self._journal,
            store=store,
            pipeline=pipeline,
            frozen=self._frozen,
            dead_letters=self.dead_letters,
            patience=self._patience,
            state=self.state,
            stored=self._stored,
            at=self._at,
        )
        road.take_up()
        pipeline.recall(store)
        return road

    def _gather(self) -> bool:
        """Wait until there is a batch's worth or the first of it has waited long enough; False when it is time to end.

        Letters that are to be replayed go into the journal here.
        """
        while not self._journal.wait(_LOOK_EVERY):
            self._replay()
            if self._closing.is_set():
                return self._journal.wait(0.0)
        self._replay()
        if not self._closing.is_set():
            self._journal.wait(self._most_wait, spans=self._most_spans)
        return time.monotonic() < self._patience.give_up

    def _replay(self) -> None:
        try:
            for name, letter in self.dead_letters.marked():
                self._journal.append_again(letter.entry)
                self.dead_letters.remove(name)
        except (Overloaded, OSError) as error:
            if str(error) != self._put_off:
                _log.warning("a dead letter cannot be replayed now, and will be later: %s", error)
            self._put_off = str(error)
        else:
            self._put_off = ""
