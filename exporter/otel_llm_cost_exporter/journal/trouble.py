"""What fails, until it succeeds again: for the health checks, and now and then for the log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .folder import JournalError

_log = logging.getLogger(__name__)

_SAY_EVERY: Final = 10.0
"""Seconds between two lines of the log about one kind of trouble."""


class Trouble:
    """The last failure of each kind that is not over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._failed: dict[str, tuple[float, str]] = {}
        self._said: dict[str, float] = {}

    def say(self, kind: str, text: str) -> None:
        """Tell the log, unless it heard of trouble of this kind a moment ago."""
        now = time.monotonic()
        with self._guard:
            if now - self._said.get(kind, -_SAY_EVERY) < _SAY_EVERY:
                return
            self._said[kind] = now
        _log.error("%s (%s)", text, self._folder)

    def failed(self, kind: str, text: str) -> None:
        with self._guard:
            self._failed[kind] = (time.monotonic(), text)
        self.say(kind, text)

    def over(self, kind: str) -> None:
        with self._guard:
            self._failed.pop(kind, None)

    @contextmanager
    def told(self, kind: str, what: str, remedy: str) -> Iterator[None]:
        """Where the disk fails at this, a JournalError says so, and it is trouble until this succeeds."""
        try:
            yield
        except OSError as error:
            text = f"{what}: {error.strerror}. {remedy}"
            self.failed(kind, text)
            raise JournalError(text) from error
        self.over(kind)

    @property
    def last(self) -> tuple[str, float | None]:
        """What failed last and how many seconds ago; nothing where all is well."""
        with self._guard:
            when, text = max(self._failed.values(), default=(0.0, ""))
        return text, time.monotonic() - when if text else None
