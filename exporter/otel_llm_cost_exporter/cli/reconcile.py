"""`otel-llm-cost reconcile`: the vendors' own figures against ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from otel_llm_cost_exporter import reconcile as reconciling
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.reconcile import Line, Reconciliation, Total

from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, emit, money
from .report import open_existing

_FORMATS = ["%Y-%m-%d"]
_LABELS: Final = {
    "untraced": "untraced",
    "price": "our price differs",
    "unpriced": "unpriced",
    "tier": "tier or batch",
    "cache": "cache or modality",
    "partial_day": "partial day",
    "tools": "tools and fees",
    "not_a_model": "not a model cost",
    "rounding": "rounding",
}


class Vendor(StrEnum):
    """Vendors whose exports are known."""

    openai = "openai"
    anthropic = "anthropic"


def reconcile(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Exports, folders or globs; CSV or JSON.")],
    store: StoreOption = DEFAULT_STORE,
    provider: Annotated[list[Vendor] | None, typer.Option("--provider", help="Repeat for several.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=_FORMATS, help="First day, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_FORMATS, help="First day no longer in, in UTC.")] = None,
    project: Annotated[
        list[str] | None,
        typer.Option("--project", metavar="THEIRS=OURS", help="Their project or workspace, and ours.  Repeat."),
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Percent within which a line is all right.")] = 0.5,
    fail_over: Annotated[
        float | None, typer.Option("--fail-over", min=0, help="Exit 1 if the total differs by more percent.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Our figures against OpenAI's and Anthropic's cost and usage exports."""
    projects = _projects(project or [])
    export = reconciling.narrow(
        reconciling.merge(reconciling.read_files(files)),
        [one.value for one in provider or []],
        _day(since),
        _day(until),
        list(projects),
    )
    with open_existing(store, only_read=True) as opened:
        days, ours = export.days, sorted(set(projects.values()))
        calls = reconciling.read_ours(opened, export.providers, days[0], days[-1], ours)
        began = reconciling.first_days(opened)
    try:
        book = load_book()
    except (OSError, ValueError) as error:
        raise CommandError(f"The price overlay cannot be used: {error}") from error
    found = reconciling.reconcile(export, calls, book, datetime.now(UTC).date(), began)
    emit(found, as_json, lambda: render(found, Decimal(str(tolerance))))
    if fail_over is not None and _off(found.total, Decimal(str(fail_over))):
        raise typer.Exit(1)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _projects(given: Sequence[str]) -> dict[str, str]:
    """Theirs → ours; a single name is both."""
    pairs = [one.rpartition("=") for one in given]
    if not all(theirs.strip() and ours.strip() for theirs, sign, ours in pairs if sign):
        raise CommandError("--project takes THEIRS=OURS, such as --project proj_abc=search, or one name for both.")
    return {(theirs or ours).strip(): ours.strip() for theirs, _, ours in pairs}


def _off(line: Line | Total, percent: Decimal) -> bool:
    """Whether a difference is more than this share of the larger side."""
    size = max(abs(line.theirs or Decimal(0)), abs(line.ours or Decimal(0)))
    return abs(line.difference or Decimal(0)) * 100 > size * percent


def render(found: Reconciliation, tolerance: Decimal) -> RenderableType:
    """The comparison for a terminal; lines within the tolerance (percent) are dim."""
    parts: list[RenderableType] = [_headline(found), *_days(found, tolerance)]
    if found.total.parts:
        parts.append(_parts(found.total))
    if found.notes:
        parts.append(Panel("\n".join(map(escape, found.notes)), title="notes", border_style="yellow", expand=False))
    return Group(*parts)


def _headline(found: Reconciliation) -> RenderableType:
    total = found.total
    days = f"{found.since}" if found.since == found.until else f"{found.since} to {found.until}"
    said = [
        f"{', '.join(found.providers)}, {days} (UTC): theirs [bold]{money(total.theirs)}[/]",
        f"ours [bold]{money(total.ours)}[/]",
        f"difference [bold]{signed(total.difference)}[/]{_percent(total)}",
        f"[yellow]{total.without:,} lines cannot be compared[/]" if total.without else "",
    ]
    return Text.from_markup("\n" + ", ".join(filter(None, said)) + "\n")


def _percent(line: Line | Total) -> str:
    return f" ({line.difference / line.theirs:+.2%})" if line.difference and line.theirs else ""


def signed(amount: Decimal | None) -> str:
    """A difference: `+` is what they bill beyond ours."""
    if amount is None:
        return "unknown"
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{money(abs(amount))}"


def _days(found: Reconciliation, tolerance: Decimal) -> Iterator[RenderableType]:
    for (day, provider), lines in groupby(found.lines, lambda line: (line.day, line.provider)):
        yield f"[bold]{day} {escape(provider)}[/]"
        yield _table(lines, tolerance)
        yield ""
    if any(line.basis == "usage" for line in found.lines):
        yield "* their usage at our prices: that export has no costs\n"


def _table(lines: Iterable[Line], tolerance: Decimal) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold", min_width=12)
    for title in ("ours", "theirs", "difference"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("likely reason", overflow="fold", min_width=20)
    for line in lines:
        theirs = "*" if line.basis == "usage" and line.theirs is not None else ""
        style = None if line.difference is None or _off(line, tolerance) else "dim"
        cells = (
            line.model or "(none)",
            money(line.ours),
            money(line.theirs) + theirs,
            signed(line.difference),
            line.why,
        )
        table.add_row(*map(escape, cells), style=style)
    return table


def _parts(total: Total) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column("part")
    table.add_column("amount", justify="right", no_wrap=True)
    for name, amount in total.parts.items():
        table.add_row(_LABELS[name], signed(amount))
    return Group("[bold]where the difference comes from[/]", table)
