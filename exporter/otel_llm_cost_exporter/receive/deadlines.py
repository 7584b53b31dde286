"""An end to waits of which each lasts the same time at most, watched by one thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Deadlines:
    """What is not over after `within` seconds has its `end` called.  The thread begins with the first wait."""

    def __init__(self, within: float) -> None:
        self._within = within
        self._waits: deque[tuple[float, list[Callable[[], object]]]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watched(self, end: Callable[[], object]) -> Iterator[None]:
        """A wait; once it is over, nothing is called any more."""
        still = [end]
        with self._changed:
            self._waits.append((time.monotonic() + self._within, still))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="llm-cost-deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            still.clear()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waits)
                due, still = self._waits.popleft()
            if still and (left := due - time.monotonic()) > 0:
                time.sleep(left)
            for end in still[:1]:
                end()
