"""Whether the collector can do its work, asked of the parts that do it.

Ready means that a request sent now would be accepted.  A part that is not vital makes the collector degraded, which is
ready all the same: a store that is away while the journal has room, for instance.  Who routes requests would take a
collector that is not ready out of rotation, and with every collector before that store out, senders would drop after
seconds what the journals could have kept for hours.

Parts are asked side by side, each in a thread of its own, and what has not answered in time is told as that.  A part
that hangs is not asked again while it does, so probes cannot pile up threads.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from otel_llm_cost_exporter import logs
from otel_llm_cost_exporter.store import StoreError

_WITHIN: Final = 2.5
"""Seconds for all parts together: a probe waits three, and the answer has to get there."""


class Check(NamedTuple):
    """How one part is; `detail` for a person, and needed where it is not well."""

    ok: bool
    detail: str = ""


class Part(NamedTuple):
    """A part to ask.  `vital`: without it no request can be accepted."""

    name: str
    ask: Callable[[], Check]
    vital: bool = True


@dataclass(frozen=True, slots=True)
class Health:
    """What the parts said, by name; those in `vital` decide whether it is ready.  `counters`: since the start."""

    checks: dict[str, Check]
    vital: frozenset[str] = frozenset()
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return all(check.ok for name, check in self.checks.items() if name in self.vital)

    @property
    def status(self) -> str:
        """`ready`, `degraded` or `not ready`."""
        if not self.ready:
            return "not ready"
        return "ready" if all(check.ok for check in self.checks.values()) else "degraded"

    @property
    def reasons(self) -> list[str]:
        """What is not well, what is vital first."""
        ill = [name for name, check in self.checks.items() if not check.ok]
        return [f"{name}: {self.checks[name].detail}" for name in sorted(ill, key=lambda name: name not in self.vital)]

    def with_check(self, name: str, check: Check) -> Health:
        """The same and one more check, of something vital."""
        return Health(self.checks | {name: check}, self.vital | {name}, self.counters)

    def as_json(self, *, brief: bool = False) -> dict[str, Any]:
        """For a person or a probe; brief for those who may not see more than how it is."""
        if brief:
            return {"status": self.status}
        checks = {name: check._asdict() for name, check in self.checks.items()}
        return {"status": self.status, "reasons": self.reasons, "checks": checks, "counters": self.counters}


class Checkup:
    """Asks the parts; answers within `within` seconds whatever they do.  Safe to call from several threads."""

    def __init__(
        self,
        parts: Sequence[Part],
        counters: Callable[[], dict[str, int]] = dict,
        *,
        within: float = _WITHIN,
    ) -> None:
        self._parts = tuple(parts)
        self._counters = counters
        self._within = within
        self._vital = frozenset(part.name for part in parts if part.vital)
        self._asked: dict[str, Future[Check]] = {}
        self._lock = threading.Lock()

    def __call__(self) -> Health:
        deadline = time.monotonic() + self._within
        asked = [(part, self._ask(part)) for part in self._parts]
        checks = {part.name: self._answer(future, deadline) for part, future in asked}
        return Health(checks, self._vital, self._counters())

    def _ask(self, part: Part) -> Future[Check]:
        with self._lock:
            asked = self._asked.get(part.name)
            if asked is not None and not asked.done():
                return asked
            future = self._asked[part.name] = Future()
        threading.Thread(target=_run, args=(part, future), name=f"llm-cost-check-{part.name}", daemon=True).start()
        return future

    def _answer(self, future: Future[Check], deadline: float) -> Check:
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return Check(False, f"no answer within {self._within:g} s")


def _run(part: Part, future: Future[Check]) -> None:
    try:
        future.set_result(part.ask())
    except Exception as error:  # noqa: BLE001  # a part that cannot be asked is not well, which is an answer
        future.set_result(Check(False, f"it cannot be asked: {logs.where(error)}"))


def store_part(ping: Callable[[], None], *, vital: bool = False) -> Part:
    """The store, by a query that raises StoreError where it does not answer; says since when it is away.

    Vital only where nothing stands between the request and the store.
    """
    away_since: list[datetime] = []

    def ask() -> Check:
        try:
            ping()
        except StoreError as error:
            if not away_since:
                away_since.append(datetime.now(UTC))
            return Check(False, f"away since {away_since[0]:%Y-%m-%d %H:%M:%S} UTC: {error}")
        away_since.clear()
        return Check(True)

    return Part("store", ask, vital)


def disk_part(folder: Path, needed: int, *, vital: bool = True) -> Part:
    """The disk under a folder, which must have so many bytes free."""

    def ask() -> Check:
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            return Check(False, f"{folder}: {error.strerror or error}")
        told = f"{free / 2**20:,.0f} MiB free"
        if free >= needed:
            return Check(True, told)
        return Check(False, f"{told} under {folder}, {needed / 2**20:,.0f} MiB are needed: make room there")

    return Part("disk", ask, vital)


def keys_part(fault: Callable[[], str | None]) -> Part:
    """The file with the API keys; `fault` says why the keys in force may be older than it."""

    def ask() -> Check:
        told = fault()
        return Check(told is None, told or "")

    return Part("keys", ask, vital=False)
