"""`otel-llm-cost rollups`: whether the rollups are what the rows make, and mending those that are not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from otel_llm_cost_exporter.config import FROZEN, journal_folder

from .dead_letters import JournalOption
from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, emit
from .report import open_existing

if TYPE_CHECKING:
    from otel_llm_cost_exporter.rollups import Drift, Rollup
    from otel_llm_cost_exporter.store import Store

app = typer.Typer(help="Rollups beside the rows they are made of: compared, and built again.", no_args_is_help=True)


@app.command()
def check(
    store: StoreOption = DEFAULT_STORE,
    days: Annotated[int, typer.Option(min=1, max=3_660, help="The last so many days, today among them.")] = 31,
    as_json: JsonOption = False,
) -> None:
    """Compare every sum of the rollups with the rows.  Exit code 1 where they differ, or calls are counted twice."""
    from otel_llm_cost_exporter.rollups import copies, steady  # noqa: PLC0415  # heavy

    today = datetime.now(UTC).date()
    chosen = [today - timedelta(days=n) for n in range(days)]
    with open_existing(store) as opened:
        drift = _or_why(lambda: steady(opened, chosen))
        twice = copies(opened, chosen)
    told = {"drift": drift, "counted_twice": {day.isoformat(): calls for day, calls in twice.items()}}
    emit(told, as_json, lambda: _table(drift) if drift else "Rows and rollups agree.")
    if twice:
        remedy = f"otel-llm-cost settle --days {min((today - min(twice)).days + 2, 366)}"
        raise CommandError(f"{sum(twice.values()):,} calls are counted more than once.  Run: {remedy}")
    if drift:
        raise CommandError(f"{len(drift)} days differ.  Run: otel-llm-cost rollups rebuild")


@app.command()
def rebuild(
    store: StoreOption = DEFAULT_STORE,
    month: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m"], help="Every day of it.  [default: the days that differ]")
    ] = None,
    stopped: Annotated[bool, typer.Option("--stopped", help="Say that no collector writes to the server now.")] = False,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make rollups right again from the rows.  A collector does it by itself; here nothing may write meanwhile."""
    from otel_llm_cost_exporter.rollups import ROLLUPS, leftovers, sweep  # noqa: PLC0415  # heavy

    with open_existing(store) as opened:
        if not (stopped or opened.address.startswith("chdb:")):
            raise CommandError(
                "On a server a collector may be writing: what comes meanwhile would be missing from the rollup."
                "  Stop every collector and add --stopped; or leave it to the collector, which looks after its"
                " rollups by itself."
            )
        _refuse_beside_a_batch(journal or journal_folder(store))
        built = {rollup.name: _or_why(lambda rollup=rollup: _rebuild(opened, rollup, month)) for rollup in ROLLUPS}
        sweep(opened, leftovers(opened))
    emit(built, as_json, lambda: "\n".join(f"{name}: {_days(days)}" for name, days in built.items()))


def _refuse_beside_a_batch(journal: Path) -> None:
    """A batch that a collector left half stored would be in the rollup twice once it is taken up."""
    if (journal / FROZEN).exists():
        raise CommandError(
            f"a batch is under way in {journal}: let a collector with this journal finish it, and mend what differs."
        )


def _rebuild(store: Store, rollup: Rollup, month: datetime | None) -> list[date]:
    from otel_llm_cost_exporter.rollups import check as compare  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.rollups import mend  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.rollups import rebuild as build  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.rollups.shape import by_month, days_of, months  # noqa: PLC0415  # heavy

    if month is not None:
        return build(store, rollup, month.date())
    every = [day for stored in months(store, rollup) for day in days_of(stored)]
    differing = by_month(drift.day for drift in compare(store, every, [rollup]))
    return [day for days in differing for day in mend(store, rollup, days[0], days)]


def _or_why(do: Any) -> Any:
    from otel_llm_cost_exporter.rollups import NotNow  # noqa: PLC0415  # heavy

    try:
        return do()
    except NotNow as error:
        raise CommandError(str(error)) from error


def _days(days: list[date]) -> str:
    return f"{len(days)} days made right, {days[0]} to {days[-1]}" if days else "nothing to do"


def _table(drift: list[Drift]) -> RenderableType:
    table = Table("rollup", "day", "groups", "column", "rows", "rollup")
    for one in drift:
        for name in one.raw or ("",):
            sums = (str(side.get(name, "")) for side in (one.raw, one.kept))
            table.add_row(*map(escape, (one.rollup, one.day.isoformat(), f"{one.groups:,}", name, *sums)))
    return table
