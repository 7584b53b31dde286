"""The reconciler at work in the collector: what batches touched is checked every few minutes, and mended.

A day is dirty once a batch has touched it and is clean once it was found in order after that.  The first look at it
holds nobody up; where it finds a drift, the second is taken with the flusher paused, and what both saw alike is
believed, mended and told as an error: something made it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Final, Self

from otel_llm_cost_exporter.store import StoreError

from .check import Drift, check, copies, same
from .declared import ROLLUPS, Rollup
from .rebuild import Pause, catch_up, leftovers, mend, sweep
from .shape import by_month, days_of
from .under_way import Changes, NotNow, refuse_beside_others

_log = logging.getLogger(__name__)

_SHARE: Final = 20
"""Looking takes one part in so many of the time at most."""
_LONGEST_WAIT: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class State:
    """What was found.  `drift` is what the last round had to mend, in pico-dollars by rollup, and `groups` how much."""

    checked_at: datetime | None = None
    drift: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    copies: int = 0
    """Calls that are counted more than once, of the days that were looked at last."""
    mended: int = 0
    """Days of rollups that were mended since the start."""
    failures: int = 0
    """Rounds in a row that could not be ended."""
    waiting: int = 0
    """Days still to be looked at."""


def _today() -> date:
    return datetime.now(UTC).date()


class Watch:
    """Checks and mends in a thread of its own, from `start` to `close`; a context manager does both.

    Give it a store of its own (a second handle of the same): a look takes seconds where there is much, and a store
    answers one query at a time.  `pause` is as in `rebuild`; `every` is in seconds.
    """

    def __init__(
        self,
        store: Changes,
        pause: Pause,
        *,
        every: float = 300.0,
        rollups: Sequence[Rollup] = ROLLUPS,
        today: Callable[[], date] = _today,
    ) -> None:
        self._store = store
        self._pause = pause
        self._every = every
        self._rollups = {rollup.name: rollup for rollup in rollups}
        now = today()
        self._dirty = {now, now - timedelta(days=1)}
        self._state = State()
        self._copies: dict[date, int] = {}
        self._told = ""
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollups", daemon=True)

    def mark(self, days: Iterable[date]) -> None:
        """UTC days that a batch has touched; to be called after its insert, also if that failed."""
        with self._guard:
            self._dirty.update(days)

    def state(self) -> State:
        """What was found so far."""
        with self._guard:
            return replace(self._state, copies=sum(self._copies.values()), waiting=len(self._dirty))

    def start(self) -> None:
        """Begin with a first round at once."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing further; to be called before the flusher ends, which may leave a batch unfinished."""
        self._stop.set()

    def close(self, within: float | None = None) -> bool:
        """Stop after the statement that is running; False where that took longer than so many seconds."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join(within)
        return not self._thread.is_alive()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def round(self) -> None:
        """Look at every dirty day once and mend what differs.  What could not be done stays dirty.

        Raises NotNow, or StoreError.
        """
        with self._guard:
            days, self._dirty = self._dirty, set()
        found: list[Drift] = []
        try:
            left = leftovers(self._store, list(self._rollups.values()))
            days = days.union(*(days_of(month) for month in left.values()))
            for month in by_month(days):
                if self._stop.is_set():
                    return
                found += self._look(month)
                days = days.difference(month)
            with self._guard:
                again = {day.replace(day=1) for day in self._dirty}
            sweep(self._store, [name for name, month in left.items() if month not in again])
        finally:
            self.mark(days)
        self._note(found)

    def _look(self, days: Sequence[date]) -> list[Drift]:
        self._note_copies(days)
        found = check(self._store, days, list(self._rollups.values()))
        return self._confirm(found) if found else []

    def _confirm(self, found: Sequence[Drift]) -> list[Drift]:
        """What a look with nothing else under way sees alike is mended; the rest may have been a batch."""
        days = {drift.day for drift in found}
        refuse_beside_others(self._store)
        with self._pause() as held:
            if held is False:
                raise NotNow("A batch is being stored: a drift is looked at again later.")
            if self._stop.is_set():
                self.mark(days)
                return []
            for name in {drift.rollup for drift in found}:
                catch_up(self._store, self._rollups[name])
            seen = check(self._store, days, list(self._rollups.values()))
            believed = same(found, seen)
            self.mark({drift.day for drift in seen if drift not in believed})
            self._mend(believed)
        return believed

    def _mend(self, believed: Sequence[Drift]) -> None:
        for rollup in self._rollups.values():
            days = [drift.day for drift in believed if drift.rollup == rollup.name]
            if days:
                built = mend(self._store, rollup, days[0], days)
                self._tell(rollup, believed, built)
                with self._guard:
                    self._state = replace(self._state, mended=self._state.mended + len(built))

    def _tell(self, rollup: Rollup, believed: Sequence[Drift], built: Sequence[date]) -> None:
        for drift in believed:
            if drift.rollup == rollup.name:
                done = "it is mended" if drift.day in built else "it is left, for no row of that day is stored"
                _log.error("%s: %s", drift, done)

    def _note(self, found: Sequence[Drift]) -> None:
        drift: dict[str, int] = dict.fromkeys(self._rollups, 0)
        groups: dict[str, int] = dict.fromkeys(self._rollups, 0)
        for one in found:
            drift[one.rollup] += one.pico(self._rollups[one.rollup].money)
            groups[one.rollup] += one.groups
        with self._guard:
            self._state = replace(self._state, checked_at=datetime.now(UTC), drift=drift, groups=groups)

    def _note_copies(self, days: Sequence[date]) -> None:
        seen = copies(self._store, days)
        for day, number in seen.items():
            if self._copies.get(day) != number:
                _log.warning("%d calls of %s are counted more than once. Run: otel-llm-cost settle", number, day)
        with self._guard:
            self._copies = {day: n for day, n in self._copies.items() if day not in days} | seen

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            failed = not self._try_round()
            took = time.monotonic() - began
            with self._guard:
                failures = self._state.failures + 1 if failed else 0
                self._state = replace(self._state, failures=failures)
            wait = max(self._every * 2.0 ** min(failures, 10), _SHARE * took)
            self._stop.wait(min(wait, max(_LONGEST_WAIT, self._every)) * random.uniform(0.9, 1.1))  # noqa: S311  # jitter

    def _try_round(self) -> bool:
        try:
            self.round()
        except (StoreError, NotNow) as error:
            self._put_off(str(error))
            return False
        except Exception:  # noqa: BLE001  # the thread must outlive a fault of ours
            _log.exception("the rollups could not be checked for a fault in otel-llm-cost")
            return False
        self._told = ""
        return True

    def _put_off(self, why: str) -> None:
        if why != self._told:
            _log.warning("the rollups are checked later: %s", why)
        self._told = why
