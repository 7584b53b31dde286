"""One life of a collector in a process of its own, with trouble in it, up to its end or its death.

What is run is the real journal, flusher and embedded store.  Trouble stands where it would in the world: in front of
the store (it is away, its answer is lost, a view fails), under the journal (the disk is slow or full), and at the
points that journal and flusher name, where the process kills itself with SIGKILL.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from otel_llm_cost_exporter.entry import Entry, Overloaded
from otel_llm_cost_exporter.flush import Flusher
from otel_llm_cost_exporter.flush.frozen import Frozen, FrozenFile
from otel_llm_cost_exporter.journal import Journal
from otel_llm_cost_exporter.journal.disk import Disk
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.store import Store, StoreError

VIEW = "cost_hourly_mv"
SENDERS = 3
_HEALTHY = "count() AS calls"
_BROKEN = "count() + throwIf(count() > 0, 'the view fails') AS calls"


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """What goes wrong in a life; the numbers are how often, counted from its beginning."""

    kill_at: str = ""
    """A phase of the journal or the flusher, or `inserting`: somewhere within an insert."""
    kill_nth: int = 1
    away: int = 0
    lost: int = 0
    view: int = 0
    disk_full: int = 0
    slow_disk: float = 0.0
    freeze_full: int = 0


@dataclass(frozen=True, kw_only=True)
class Life:
    """What is sent, by number, and what goes wrong meanwhile."""

    sends: Sequence[int]
    troubles: Troubles = field(default_factory=Troubles)


def live(folder: str, bodies: Mapping[int, tuple[bytes, int]], life: Life, told: Connection, report: bool) -> None:
    """Run a life; `told` gets ("acknowledged", number), ("met", trouble), and at the end ("report", figures)."""
    if "LLM_COST_FAULT_LOG" not in os.environ:
        logging.disable(logging.CRITICAL)
    say = _Told(told)
    death = _Death(life.troubles, say)
    with Store.open(f"chdb://{folder}/db") as store:
        view = _View(store, Path(folder))
        troubled = TroubledStore(store, life.troubles, death, view, say)
        journal = Journal(
            Path(folder) / "journal", segment_bytes=4_000, keep_free=0, disk=_Disk(life.troubles, say), at=death
        )
        _troubled_freeze(life.troubles, say)
        flusher = Flusher(
            journal,
            lambda: (troubled, Pipeline(troubled, load_book())),
            Path(folder) / "journal",
            most_spans=40,
            most_wait=0.01,
            at=death,
        )
        flusher.start()
        _send(journal, bodies, life.sends, say)
        journal.drain()
        drained = flusher.close(60.0)
        journal.close()
        view.mend()
        if report:
            say("report", {"drained": drained, **_figures(store)})
    say("ended")


class _Told:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, *what: Any) -> None:
        with self._lock:
            self._connection.send(what)


class _Death:
    """Kills the process when it comes to a phase for the nth time."""

    def __init__(self, troubles: Troubles, say: _Told) -> None:
        self._troubles = troubles
        self._left = troubles.kill_nth
        self._lock = threading.Lock()

    def __call__(self, phase: str) -> None:
        if self.is_due(phase):
            os.kill(os.getpid(), signal.SIGKILL)

    def is_due(self, phase: str) -> bool:
        if phase != self._troubles.kill_at:
            return False
        with self._lock:
            self._left -= 1
            return self._left == 0


class TroubledStore:
    """A real store in front of which trouble stands."""

    def __init__(self, store: Store, troubles: Troubles, death: _Death, view: _View, say: _Told) -> None:
        self._store = store
        self._away, self._lost, self._view_fails = troubles.away, troubles.lost, troubles.view
        self._death = death
        self._view = view
        self._say = say

    def encode(self, table: str, columns: Mapping[str, Sequence[Any]]) -> bytes:
        return self._store.encode(table, columns)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        if self._away:
            self._away -= 1
            self._say("met", "away")
            raise StoreError("the store is away")
        return self._store.query(sql, parameters)

    def insert_block(self, table: str, names: Sequence[str], block: bytes, token: str) -> None:
        if self._death.is_due("inserting"):
            threading.Timer(len(token) % 7 * 0.002 + 0.001, os.kill, (os.getpid(), signal.SIGKILL)).start()
            self._store.insert_block(table, names, block, token)
            time.sleep(10)  # death is on its way
        if self._view_fails:
            self._view_fails -= 1
            self._fail_in_view(table, names, block, token)
        self._store.insert_block(table, names, block, token)
        if self._lost:
            self._lost -= 1
            self._say("met", "lost")
            raise StoreError("the answer of the store is lost")

    def _fail_in_view(self, table: str, names: Sequence[str], block: bytes, token: str) -> None:
        self._view.break_it()
        try:
            self._store.insert_block(table, names, block, token)
        except StoreError:
            self._say("met", "view")
            raise
        finally:
            self._view.mend()


class _View:
    """The rollup's view, which can be broken and mended, also by the next life."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        kept = folder / "view.sql"
        if not kept.exists():
            kept.write_text(
                store.query("SELECT as_select FROM system.tables WHERE name = {n:String}", {"n": VIEW})[0]["as_select"]
            )
        self._select = kept.read_text()
        self.mend()

    def break_it(self) -> None:
        self._modify(self._select.replace(_HEALTHY, _BROKEN))

    def mend(self) -> None:
        self._modify(self._select)

    def _modify(self, select: str) -> None:
        self._store.command(f"ALTER TABLE {VIEW} MODIFY QUERY {select}")


class _Disk(Disk):
    def __init__(self, troubles: Troubles, say: _Told) -> None:
        self._full, self._slow = troubles.disk_full, troubles.slow_disk
        self._say = say

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> None:
        if self._full:
            self._full -= 1
            self._say("met", "disk_full")
            os.write(descriptor, b"".join(buffers)[:7])  # a disk that fills takes what still fits
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(descriptor, buffers)

    def sync(self, descriptor: int) -> None:
        if self._slow:
            self._say("met", "slow_disk")
            time.sleep(self._slow)
        super().sync(descriptor)


def _troubled_freeze(troubles: Troubles, say: _Told) -> None:
    left = [troubles.freeze_full]
    whole = FrozenFile.write

    def full(file: FrozenFile, batch: Frozen) -> None:
        if left[0]:
            left[0] -= 1
            say("met", "freeze_full")
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(file, batch)

    FrozenFile.write = full  # type: ignore[assignment, method-assign]


def _send(journal: Journal, bodies: Mapping[int, tuple[bytes, int]], sends: Sequence[int], say: _Told) -> None:
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in sends:
        waiting.put(number)

    def sender() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            body, spans = bodies[number]
            try:
                journal.take(Entry(body, time.time_ns(), spans))
            except Overloaded:
                continue  # as a sender that gives up; it sends again in another life
            say("acknowledged", number)

    senders = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()


def _figures(store: Store) -> dict[str, Any]:
    by_hour = "toStartOfHour(ts, 'UTC') AS hour, if(response_model != '', response_model, request_model) AS model"
    return {
        "raw": store.query(
            "SELECT lower(hex(span_id)) AS span, count() AS n FROM llm_calls WHERE counted GROUP BY span"
        ),
        "unique": store.query(
            f"SELECT {by_hour}, count() AS calls, sum(cost) AS cost, sum(input_tokens) AS tokens FROM"  # noqa: S608
            " (SELECT * FROM llm_calls WHERE counted LIMIT 1 BY trace_id, span_id) GROUP BY hour, model ORDER BY ALL"
        ),
        "rollup": store.query(
            "SELECT hour, model, sum(calls) AS calls, sum(cost) AS cost, sum(input_tokens) AS tokens"
            " FROM cost_hourly GROUP BY hour, model HAVING calls != 0 OR cost != 0 ORDER BY ALL"
        ),
    }
