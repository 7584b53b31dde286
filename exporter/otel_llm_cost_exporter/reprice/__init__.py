"""History corrected: the calls of a period priced again by the prices in force now.

    planned = plan(store, book, Selection(since, until))    # nothing is changed yet
    planned.differences                                      # what would be
    carry_out(store, planned.run)

A run is planned first: its corrections are computed call by call and frozen in `reprice_plan`.  To carry it out they
are inserted into `price_corrections`, which keeps the old figures beside the new and by a materialized view moves the
rollup by the difference; then a mutation sets the rows of `llm_calls`.  Every step bears being done again: parts of
the frozen plan are inserted under tokens that never change, figures are set and not added.  So a run that broke off
is taken up where it is, and a second run over the same period finds nothing to do.  Calls that arrive meanwhile are
safe: a mutation touches only what is looked up by its ids.  Two runs must not be carried out at one time.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.reread import SELECT
from otel_llm_cost_exporter.rollups import Drift, NotNow, steady
from otel_llm_cost_exporter.rollups.under_way import Queries, refuse_beside_others
from otel_llm_cost_exporter.rollups.under_way import runs as history

from .corrections import MONEY, Correction, corrections, pico, to_columns

__all__ = ["NotNow", "Outcome", "Plan", "Rewrites", "Selection", "carry_out", "history", "plan", "sql", "take_up"]

_log = logging.getLogger(__name__)

_PART: Final = 20_000
"""Corrections of one insert."""
_CHUNK: Final = 200_000
"""Corrections of one mutation: the engine holds them in memory, about 700 bytes each."""
_OLD_MONEY: Final = tuple(f"old_{name}" for name in MONEY)


class Rewrites(Queries, Protocol):
    """What is needed of a store to correct."""

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[list[dict[str, Any]]]: ...
    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None: ...
    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Calls that began in [since, until), of one provider and one model or of any; a model by any of its names."""

    since: datetime
    until: datetime
    provider: str = ""
    model: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        return {"since": self.since, "until": self.until, "provider": self.provider, "model": self.model}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do.  `differences` has a line for each model and way that its price became known."""

    run: UUID
    selection: Selection
    price_version: str
    examined: int
    corrections: int
    left_alone: int
    """Calls stored before all that a price depends on was kept with them."""
    differences: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did, and the days of it on which rows and rollups do not agree: none, or something else is wrong."""

    run: UUID
    corrected: int
    drift: list[Drift]


def plan(store: Rewrites, book: PriceBook, selection: Selection) -> Plan:
    """Price the calls again and keep what would change; changes no figure."""
    run, at = uuid4(), time.time_ns() // 1_000_000
    examined = found = 0
    for rows in store.stream(sql("calls"), selection.parameters):
        examined += len(rows)
        part = corrections(book, rows, run, at)
        found += len(part)
        if part:
            store.insert("reprice_plan", to_columns(part), _token(part))
    _note(store, run, "planned", selection, book.version, found)
    return Plan(
        run=run,
        selection=selection,
        price_version=book.version,
        examined=examined,
        corrections=found,
        left_alone=store.query(sql("left_alone"), selection.parameters)[0]["calls"],
        differences=store.query(sql("differences"), {"run": run}),
    )


def carry_out(store: Rewrites, planned: Plan) -> Outcome:
    """Do what was planned.  Raises NotNow where calls are not what they were or another correction is under way."""
    refuse_beside_others(store)
    period = {"since": planned.selection.since, "until": planned.selection.until}
    if changed := store.query(sql("changed"), {"run": planned.run, **period})[0]["calls"]:
        raise NotNow(f"{changed:,} of the calls were changed since the plan was made.  Run it again.")
    _note(store, planned.run, "begun", planned.selection, planned.price_version, planned.corrections)
    return _finish(store, planned.run, planned.selection, planned.price_version)


def take_up(store: Rewrites) -> list[Outcome]:
    """Finish the runs that broke off."""
    broken_off = [row for row in history(store) if not row["done"]]
    for row in broken_off:
        _log.warning("finishing the run %s of %s, which broke off", row["run"], row["begun_at"])
    return [
        _finish(
            store,
            row["run"],
            Selection(row["since"], row["until"], row["provider"], row["model"]),
            row["price_version"],
        )
        for row in reversed(broken_off)
    ]


def _finish(store: Rewrites, run: UUID, selection: Selection, price_version: str) -> Outcome:
    corrected, before = 0, store.query(sql("stored"), {"run": run})[0]["corrections"]
    for part in _parts(row for rows in store.stream(sql("plan"), {"run": run}) for row in rows):
        corrected += len(part)
        if corrected < before:
            continue  # stored, and what came after it too: only the last part of a run that broke off can be half done
        frozen = [_in_pico(row) for row in part]
        store.insert("price_corrections", to_columns(frozen), _token(frozen))
    for chunk in store.query(sql("chunks"), {"run": run, "size": _CHUNK}):
        _set_figures(store, run, chunk)
    store.command("DROP DICTIONARY IF EXISTS reprice_corrections")
    _note(store, run, "done", selection, price_version, corrected)
    days = [row["day"] for row in store.query(sql("days"), {"run": run})]
    return Outcome(run=run, corrected=corrected, drift=steady(store, days))


def _set_figures(store: Rewrites, run: UUID, chunk: Mapping[str, Any]) -> None:
    """The ids and times are ours, so they are put into the statements as they are: DDL takes no parameters there."""
    said = {"run": str(UUID(str(run))), "first_ns": str(int(chunk["first_ns"])), "last_ns": str(int(chunk["last_ns"]))}
    for name in ("dictionary", "apply"):
        statement = sql(name)
        for placeholder, value in said.items():
            statement = statement.replace(f"{{{placeholder}}}", value)
        store.command(statement)


def _note(store: Rewrites, run: UUID, stage: str, selection: Selection, price_version: str, calls: int) -> None:
    period = {"since": _ns(selection.since), "until": _ns(selection.until)}
    row = {"run": run, "stage": stage, **selection.parameters, **period, "price_version": price_version, "calls": calls}
    store.insert("reprices", {name: [value] for name, value in row.items()}, f"{run} {stage}")


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1_000


def _parts(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Cut at the same places whatever the blocks of a stream are."""
    left = iter(rows)
    while part := list(islice(left, _PART)):
        yield part


def _in_pico(row: dict[str, Any]) -> Correction:
    return {**row, **{name: pico(row[name]) for name in (*MONEY, *_OLD_MONEY)}}


def _token(rows: Sequence[Correction]) -> str:
    digest = hashlib.sha256(str(rows[0]["run"]).encode())
    for row in rows:
        digest.update(row["trace_id"] + row["span_id"])
    return digest.hexdigest()


@cache
def sql(name: str) -> str:
    """The text of one of the packaged statements."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8").replace("{columns}", SELECT)
