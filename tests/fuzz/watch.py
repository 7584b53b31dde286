"""What is watched while mutants come: the log, and the memory of this process."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .hostile import SECRET

SEED: Final = int(os.environ.get("LLM_COST_FUZZ_SEED", "0")) or time.time_ns() % 10**9
"""Set LLM_COST_FUZZ_SEED to the number that a failing run has printed, and the same is drawn."""


def memory() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE")


class Lines(logging.Handler):
    """Keeps what must not be logged: errors, and text of users."""

    def __init__(self, but: str) -> None:
        super().__init__(logging.INFO)
        self._but = but
        self.errors: list[str] = []
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        told = f"{record.levelname} {record.name}: {record.getMessage()[:500]}"
        if record.levelno > logging.WARNING and not record.name.startswith(self._but):
            self.errors.append(told + (f" {record.exc_info[1]!r}" if record.exc_info else ""))
        if SECRET in told and not record.name.endswith(".pipeline"):  # which names models, whatever they are called
            self.leaks.append(told)


@contextmanager
def log_watched(but: str = "nobody") -> Iterator[None]:
    """Nothing above a warning is logged within (`but` by this logger), and nothing of what was asked of a model."""
    lines, root = Lines(but), logging.getLogger()
    root.addHandler(lines)
    try:
        yield
    finally:
        root.removeHandler(lines)
    assert (lines.errors[:5], lines.leaks[:5]) == ([], [])
