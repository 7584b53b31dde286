"""Times in which the cyclic garbage collector does not run.

A batch of calls is some hundred thousand tuples that live until it is stored, and none of them is part of a cycle.  The
collector does not know that: it goes through all of them again and again while they are made, which takes as long as
a third of the work itself.  What is dropped is freed by its reference count all the same.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0
_was_on = True


@contextmanager
def paused() -> Iterator[None]:
    """Nothing is collected while the block runs, in the whole process; for work that ends within seconds.

    What the block makes should be dropped within it: the collector goes through all that is left when it runs again.
    """
    global _pauses, _was_on
    with _lock:
        if _pauses == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if _pauses == 0 and _was_on:
                gc.enable()


@contextmanager
def resumed() -> Iterator[None]:
    """Within a pause: what is collected in this block is collected; for where one waits for others."""
    with _lock:
        wanted = _pauses > 0 and _was_on
        if wanted:
            gc.enable()
    try:
        yield
    finally:
        with _lock:
            if wanted and _pauses > 0:
                gc.disable()


def settle() -> None:
    """Leave out of every later collection what is there now; to be called once, when a process is ready to serve.

    Modules, the price book and the engine's tables stay until the end, and there is a lot of them.
    """
    gc.collect()
    gc.freeze()
