"""Days of a rollup made right: by what they lack, or by building them again.

`mend` adds to a rollup the difference to what its rows make, in one insert: it is there or not, wherever a process
dies, the tokens of earlier inserts stay, and replicas get it like any insert.  A state (AggregateFunction) has no
difference: a rollup with one is rebuilt.

`rebuild` makes a month aside: the days that stay are copied from the rollup, the others are made by its view from the
rows; then the partition is replaced.  The engine puts the new parts in before it takes the old out, and a process that
is killed in that millisecond leaves both.  So the table aside, named for rollup and month, is dropped last: one that is
there while nobody rebuilds marks a month to look at, see `leftovers`.

What must not happen meanwhile is a write.  Calls that arrive between the looking and the writing would be lost to the
rollup, or added twice.  And a batch whose rows are stored while its view failed is still to be tried again: that would
add to the rollup what it has been given from the rows already, for the engine knows by tokens what it inserted, and a
replicated one forgets even those of a partition that is replaced.  So who has a collector gives its `pause`: a lock
that is only to be had while no batch is under way, from its first try to its last, a batch that was found unfinished at
the start among them.

Days of which no row is stored are left as they are: the rollup is kept longer than the rows, and is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import Any
from uuid import uuid4

from .check import differing
from .declared import ROLLUPS, Rollup
from .shape import Shape, days_of, filled, listed, shape
from .under_way import Changes, NotNow, Queries, refuse_beside_others

Pause = Callable[[], AbstractContextManager[Any]]
"""Gives a context in which nothing is written; its value is False where it is to be tried again later."""


def rebuild(
    store: Changes, rollup: Rollup, month: date, days: Iterable[date] | None = None, *, pause: Pause = nullcontext
) -> list[date]:
    """Build these days of the month again (None: every day) and return those that were: the ones that have rows.

    Raises NotNow while a correction of history is under way, or where the pause cannot be had.
    """
    with pause() as held:
        made, chosen = _ready(store, rollup, month, days, held)
        if chosen:
            _build_aside(store, rollup, made, chosen)
            refuse_beside_others(store)  # one may have begun since, in another process
            _replace(store, rollup, month)
        return chosen


def mend(
    store: Changes, rollup: Rollup, month: date, days: Iterable[date] | None = None, *, pause: Pause = nullcontext
) -> list[date]:
    """Make these days of the month right, the cheap way where there is one; else as `rebuild`."""
    if not shape(store, rollup).additive:
        return rebuild(store, rollup, month, days, pause=pause)
    with pause() as held:
        made, chosen = _ready(store, rollup, month, days, held)
        if chosen:
            _add_difference(store, rollup, made, chosen)
        return chosen


def catch_up(store: Changes, rollup: Rollup, made: Shape | None = None) -> None:
    """On a replica, wait until it has what the others have: rows and rollup travel apart."""
    if (made or shape(store, rollup)).replicated:
        for table in (rollup.source, rollup.name):
            store.command(f"SYSTEM SYNC REPLICA {table}")


def leftovers(store: Queries, rollups: Sequence[Rollup] = ROLLUPS) -> dict[str, date]:
    """Tables of rebuilds that did not end → their month: it is to be checked, and then they are to be swept."""
    names = (row["name"] for rollup in rollups for row in store.query(filled("asides"), {"rollup": rollup.name}))
    return {name: date(int(name[-6:-2]), int(name[-2:]), 1) for name in names}


def sweep(store: Changes, names: Iterable[str]) -> None:
    """Drop what `leftovers` found."""
    for name in names:
        store.command(f"DROP TABLE IF EXISTS {name} SYNC")


def _ready(
    store: Changes, rollup: Rollup, month: date, days: Iterable[date] | None, held: Any
) -> tuple[Shape, list[date]]:
    """The rollup's shape, and which of the days can be made from rows; NotNow where it is not the time for it."""
    if held is False:
        raise NotNow("A batch is being stored.  Try again when it is through.")
    refuse_beside_others(store)
    made = shape(store, rollup)
    catch_up(store, rollup, made)
    stored = _with_rows(store, rollup, days_of(month))
    return made, stored if days is None else sorted(set(stored).intersection(days))


def _add_difference(store: Changes, rollup: Rollup, made: Shape, days: Sequence[date]) -> None:
    """Under a token of its own: the same difference may be right to add twice, a day apart."""
    statement = filled(
        "mend",
        rollup=rollup.name,
        columns=listed((*made.dimensions, *made.sums)),
        dimensions=listed(made.dimensions),
        lacking=", ".join(f"raw{n} - kept{n}" for n in range(len(made.sums))),
        differing=differing(rollup, made),
        token=str(uuid4()),
    )
    store.command(statement, {"days": list(days)})


def _with_rows(store: Queries, rollup: Rollup, days: Sequence[date]) -> list[date]:
    statement = filled("stored_days", time=f"`{rollup.source_time}`", source=rollup.source)
    return [row["day"] for row in store.query(statement, {"days": days})]


def _aside(rollup: Rollup, month: date) -> str:
    return f"{rollup.name}_rebuilt_{month:%Y%m}"


def _build_aside(store: Changes, rollup: Rollup, made: Shape, days: Sequence[date]) -> None:
    pieces = {"aside": _aside(rollup, days[0]), "rollup": rollup.name, "time": f"`{rollup.time}`"}
    sweep(store, [pieces["aside"]])
    store.command(filled("aside", **pieces, engine="AggregatingMergeTree", partition=made.partition, order=made.order))
    bound = {"days": list(days), "month": int(f"{days[0]:%Y%m}")}
    store.command(filled("aside_kept", **pieces), bound)
    store.command(filled("aside_rebuilt", **pieces, columns=listed(made.columns), select=made.select), bound)


def _replace(store: Changes, rollup: Rollup, month: date) -> None:
    """An empty partition takes nobody's place, so where no group is left the old one is dropped."""
    aside = _aside(rollup, month)
    if store.query(f"SELECT 1 FROM {aside} LIMIT 1"):  # noqa: S608  # a name of ours
        store.command(f"ALTER TABLE {rollup.name} REPLACE PARTITION ID '{month:%Y%m}' FROM {aside}")
    else:
        store.command(f"ALTER TABLE {rollup.name} DROP PARTITION ID '{month:%Y%m}'")
    sweep(store, [aside])
