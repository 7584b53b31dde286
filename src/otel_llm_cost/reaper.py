"""Ends calls from a thread of its own, and what is still open when the program ends.

A collected stream ends wherever the garbage collector strikes, possibly inside a lock that ending a span needs: the
thread would wait for itself.  So such an end is only put in a queue (`SimpleQueue.put` is reentrant, made for
destructors).  Thread and queue are the interpreter's own, taken when this module is imported: gevent may replace what
`threading` starts later, and a green thread that waits in a native queue stops every other.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import weakref
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from .quiet import quietly
from .record import Outcome


class Open(Protocol):
    """What ends, at the latest with the program."""

    def close(self, outcome: Outcome | None = None) -> None:
        """End it, if it has not ended."""


_ends: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_open: Final[weakref.WeakSet[Open]] = weakref.WeakSet()
_PATIENCE: Final = 30.0
"""Seconds that the end of a program waits for results of batches that are still being read."""
_starting = threading.Lock()
_process = 0


def watch(call: Open) -> None:
    """A stream is open: it ends with the program, if not before."""
    _open.add(call)
    start()


def start() -> None:
    """Makes sure that this process (a fork has none of its parent's threads) has its thread."""
    global _process
    if _process == os.getpid():
        return
    with _starting:
        if _process == os.getpid():
            return
        if not _process:
            atexit.register(_end_of_program)  # runs before the SDK's own, which is registered earlier
        start_new_thread(_run, ())
        _process = os.getpid()


def leave(end: Callable[[], None]) -> None:
    """Have `end` called elsewhere, soon.  Safe in a destructor."""
    _ends.put(end)


def _forget() -> None:
    """A forked child: what was left to its parent's thread is its parent's, and so may be who holds the lock."""
    global _ends, _starting
    _ends, _starting = queue.SimpleQueue(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _run() -> None:
    while True:
        end = _ends.get()
        with quietly("end a collected call"):
            end()
        del end  # it may be long until there is another


def _end_of_program() -> None:
    with quietly("end open calls"), suppress(queue.Empty):
        for call in list(_open):
            call.close("abandoned")
        if _process == os.getpid():  # our thread is at work: what it has begun is to be finished, then what waits
            finished = allocate_lock()
            finished.acquire()
            _ends.put(finished.release)
            finished.acquire(timeout=_PATIENCE)
        while True:
            _ends.get_nowait()()
