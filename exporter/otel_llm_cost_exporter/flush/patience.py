"""What may pass is waited out: a store that is away, a disk that is full."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from otel_llm_cost_exporter import gc_pause
from otel_llm_cost_exporter.journal import JournalError
from otel_llm_cost_exporter.store import StoreError

from .dead_letters import DeadLettersFull

_log = logging.getLogger(__name__)
T = TypeVar("T")

_MAY_PASS: Final = (StoreError, OSError, JournalError, DeadLettersFull, MemoryError)
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0


class Stopped(Exception):
    """There is no time left; what is not done is done by the next process."""


@dataclass(slots=True)
class FlushState:
    """What the flusher did since the start, and how it is."""

    batches: int = 0
    retries: int = 0
    last_seconds: float = 0.0
    """What the last batch took from the journal to the store."""
    away_since: float | None = None
    """Monotonic; since when nothing can be done."""
    trouble: str = ""
    """Why."""

    @property
    def away(self) -> float:
        """Seconds for which nothing could be stored."""
        since = self.away_since
        return 0.0 if since is None else time.monotonic() - since


class Patience:
    """Does things again until they are done, with growing, jittered pauses; `closing` and `give_up` end it."""

    def __init__(self, state: FlushState, closing: threading.Event) -> None:
        self.give_up = float("inf")
        """Monotonic seconds; moved up when it is time to close."""
        self._state = state
        self._closing = closing

    def __call__(self, do: Callable[[], T]) -> T:
        """What `do` gives, at last; raises what cannot pass, and Stopped at the end of time."""
        wait = _FIRST_PAUSE
        while True:
            try:
                done = do()
            except _MAY_PASS as error:
                if cannot_pass(error):
                    raise
                jittered = wait * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, not a secret
                self._note(error, jittered)
            else:
                self._state.away_since, self._state.trouble = None, ""
                return done
            self._pause(jittered)
            wait = min(2 * wait, _LONGEST_PAUSE)

    def _note(self, error: Exception, wait: float) -> None:
        state = self._state
        state.retries += 1
        state.away_since = state.away_since or time.monotonic()
        told = str(error) or type(error).__name__
        level = logging.WARNING if told == state.trouble else logging.ERROR
        state.trouble = told
        _log.log(level, "%s  What was acknowledged waits in the journal. Trying again in %.1f s.", told, wait)

    def _pause(self, seconds: float) -> None:
        """Raises Stopped where the time to close is over."""
        with gc_pause.resumed():
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        if not self._closing.wait(seconds):
            return
        time.sleep(max(0.0, min(seconds, 1.0, self.give_up - time.monotonic())))
        if time.monotonic() >= self.give_up:
            raise Stopped


def cannot_pass(error: Exception) -> bool:
    """Whether it is the calls that are at fault, so that half of them may be stored; a fault of ours is theirs too."""
    if isinstance(error, StoreError):
        return error.rows_at_fault
    return not isinstance(error, (*_MAY_PASS, Stopped))
