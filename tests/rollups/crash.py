"""A process that mends or rebuilds October and dies before or after a statement, or says when it begins one.

python -m tests.rollups.crash DSN mend|rebuild die|say before|after WORDS
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from datetime import date
from typing import Any

from otel_llm_cost_exporter.rollups import ROLLUPS, mend, rebuild
from otel_llm_cost_exporter.store import Store


class Watched:
    """A store whose process dies, or speaks, at one statement."""

    def __init__(self, store: Store, act: str, when: str, words: str) -> None:
        self.query = store.query
        self._store, self._act, self._when, self._words = store, act, when, words

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        here = self._words in sql
        if here and self._when == "before":
            self._now()
        self._store.command(sql, parameters)
        if here and self._when == "after":
            self._now()

    def _now(self) -> None:
        if self._act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdout.write("now\n")
        sys.stdout.flush()


if __name__ == "__main__":
    dsn, way, act, when, words = sys.argv[1:]
    with Store.open(dsn, migrate=False) as opened:
        make = mend if way == "mend" else rebuild
        make(Watched(opened, act, when, words), ROLLUPS[0], date(2026, 10, 1))
