"""`otel-llm-cost reprice`: the calls of a period priced again by the prices in force now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from otel_llm_cost_exporter.report import within

from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, console, emit, money
from .report import FORMATS, open_existing

if TYPE_CHECKING:
    from otel_llm_cost_exporter.reprice import Outcome, Plan

_COLUMNS = ("model", "provider", "price was", "calls", "old", "new", "difference")


def reprice(
    since: Annotated[datetime | None, typer.Option("--from", formats=FORMATS, help="First moment, in UTC.")] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=FORMATS, help="First moment no longer in.  [default: now]")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    model: Annotated[str, typer.Option(help="One model, by any of its names.  [default: all]")] = "",
    provider: Annotated[str, typer.Option(help="One provider.  [default: all]")] = "",
    overlay: Annotated[Path | None, typer.Option("--overlay", help="Prices of your own, over all others.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Show what was corrected before, and nothing else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Price the calls of a period again by the prices in force now, in rows and rollups; old figures are kept.

    Nothing is changed before the difference has been shown and agreed to.  Once done, doing it again changes nothing.
    """
    from otel_llm_cost_exporter.reprice import NotNow, Selection, carry_out, plan, take_up  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.reprice import history as runs  # noqa: PLC0415  # heavy

    if history:
        with open_existing(store) as opened:
            before = runs(opened)
        emit(before, as_json, lambda: _history_lines(before))
        return
    if as_json and not (yes or dry_run):
        raise CommandError("With --json nobody can be asked: add --yes, or --dry-run to see what would change.")
    selection = Selection(*_period(since, until), provider, model)
    with open_existing(store) as opened:
        broken_off = [run for run in runs(opened) if not run["done"]]
        if broken_off and dry_run and not as_json:
            console.print("A run has broken off. Without --dry-run it is finished first, which changes this plan.")
        unfinished = [] if dry_run else take_up(opened)
        planned = plan(opened, _book(overlay), selection)
        if not as_json:
            console.print(_plan_table(planned))
        done = None
        if planned.corrections and not dry_run:
            if not yes:
                typer.confirm(f"Correct {planned.corrections:,} calls?", abort=True)
            try:
                done = carry_out(opened, planned)
            except NotNow as error:
                raise CommandError(str(error)) from error
    _tell(planned, done, unfinished, as_json)


def _tell(planned: Plan, done: Outcome | None, unfinished: Sequence[Outcome], as_json: bool) -> None:
    told = {"plan": planned, "done": done, "taken_up": unfinished}
    emit(told, as_json, lambda: _done_text(done, unfinished))
    drift = [day for outcome in (done, *unfinished) if outcome is not None for day in outcome.drift]
    if drift:
        raise CommandError(f"{drift[0]}.  The rows of llm_calls are the truth.  Run: otel-llm-cost rollups rebuild")


def _period(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    if since is None:
        raise CommandError("Say from when on: --from 2026-11-01 (and --to, the first moment that is no longer meant).")
    first, last = within(since.replace(tzinfo=UTC)), within(until.replace(tzinfo=UTC) if until else datetime.now(UTC))
    if first >= last:
        raise CommandError(f"The period is empty: it begins {first:%Y-%m-%d %H:%M} and ends {last:%Y-%m-%d %H:%M}.")
    return first, last


def _book(overlay: Path | None) -> Any:
    from otel_llm_cost_exporter.prices.data import load_book  # noqa: PLC0415  # heavy

    try:
        return load_book(overlay)
    except (OSError, ValueError) as error:
        raise CommandError(f"The prices cannot be used: {error}") from error


def _plan_table(planned: Plan) -> RenderableType:
    head = f"{planned.examined:,} calls priced again by {planned.price_version}: {planned.corrections:,} would change"
    parts: list[RenderableType] = [escape(head)]
    if planned.differences:
        table = _table(*_COLUMNS)
        for row in planned.differences:
            table.add_row(*map(escape, _cells(row)))
        total = sum((row["difference"] for row in planned.differences), Decimal(0))
        table.add_section()
        table.add_row("total", "", "", f"{planned.corrections:,}", "", "", _signed(total))
        parts.append(table)
    if planned.left_alone:
        parts.append(
            f"{planned.left_alone:,} calls are left as they are: they were stored by an older version, without all that"
            " a price depends on."
        )
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["model"],
        row["provider"],
        row["old_status"] + (f" → {row['status']}" if row["status"] != row["old_status"] else ""),
        f"{row['calls']:,}" + (f" ({row['set_aside']:,} set aside)" if row["set_aside"] else ""),
        money(row["old"]),
        money(row["new"]),
        _signed(row["difference"]),
    )


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{money(abs(amount))}"


def _done_text(done: Outcome | None, unfinished: Sequence[Outcome]) -> str:
    lines = [f"Finished the run {one.run}, which had broken off: {one.corrected:,} calls." for one in unfinished]
    if done is None:
        lines.append("Nothing was changed.")
    else:
        lines.append(f"{done.corrected:,} calls corrected (run {done.run}); old figures are in price_corrections.")
    return "\n".join(lines)


def _history_lines(runs: Sequence[Mapping[str, Any]]) -> RenderableType:
    return Group(*(escape(_run(row)) for row in runs)) if runs else "No call was ever priced again."


def _run(row: Mapping[str, Any]) -> str:
    begun, since, until = (f"{row[name]:%Y-%m-%d %H:%M}" for name in ("begun_at", "since", "until"))
    what = " ".join(filter(None, (row["provider"], row["model"]))) or "all calls"
    state = "" if row["done"] else ", BROKE OFF: the next `reprice` finishes it"
    return f"{begun}  {row['calls']:,} corrected of {what} from {since} to {until} by {row['price_version']}{state}"
