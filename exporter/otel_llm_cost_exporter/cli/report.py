"""`otel-llm-cost report`: the figures as tables or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from otel_llm_cost_exporter.report import DIMENSIONS, Dimension, Figures, Report, Unpriced, read_report

from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, bar, emit, money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_llm_cost_exporter.store import Store

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
_MOST_DAYS: Final = 36_500


class By(StrEnum):
    """What costs can be reported by."""

    model = "model"
    feature = "feature"
    provider = "provider"
    day = "day"
    project = "project"


def report(
    store: StoreOption = DEFAULT_STORE,
    by: Annotated[list[By] | None, typer.Option("--by", help="Repeat for several.  [default: all but project]")] = None,
    since: Annotated[datetime | None, typer.Option(formats=FORMATS, help="First moment, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=FORMATS, help="First moment no longer in, in UTC.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=_MOST_DAYS, help="The last N days instead of --since.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What the calls cost, by model, feature, provider, day."""
    first, last = _period(since, until, days)
    wanted: Sequence[Dimension] = [one.value for one in by] if by else DIMENSIONS
    with open_existing(store, only_read=True) as opened:
        found = read_report(opened, wanted, first, last)
        shown = opened.address
    emit(found, as_json, lambda: render(found, shown))


def _period(
    since: datetime | None, until: datetime | None, days: int | None
) -> tuple[datetime | None, datetime | None]:
    """[first, last) in UTC, open where nothing was said."""
    if days is not None and since is not None:
        raise CommandError("--days and --since contradict each other: give one of them.")
    first = datetime.now(UTC) - timedelta(days=days) if days is not None else _utc(since)
    last = _utc(until)
    if first is not None and last is not None and first >= last:
        raise CommandError(f"The period is empty: it begins {first:%Y-%m-%d %H:%M} and ends {last:%Y-%m-%d %H:%M}.")
    return first, last


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None else None


@contextmanager
def open_existing(dsn: str, *, only_read: bool = False) -> Iterator[Store]:
    """A store that is there.  A path at which there is none is an error here, not a new store.

    Who only reads is let read through a collector that has it open.
    """
    from otel_llm_cost_exporter.store import Store, StoreHeld  # noqa: PLC0415  # heavy, and an optional dependency
    from otel_llm_cost_exporter.store.connect import parse  # noqa: PLC0415  # see above
    from otel_llm_cost_exporter.store.reading import open_for_reading  # noqa: PLC0415  # see above

    path = parse(dsn).path
    if path is not None and not path.exists():
        raise CommandError(
            f"there is no store at {path}.  Give --store, or make one: `otel-llm-cost demo`, or"
            " `otel-llm-cost serve` and your program under `opentelemetry-instrument`."
        )
    try:
        opened = open_for_reading(dsn) if only_read else Store.open(dsn, migrate=False)
    except StoreHeld as held:
        raise CommandError(
            f"{str(held).partition('. ')[0]}.  Stop it (Ctrl-C) and ask again; or let both use a ClickHouse server at"
            " once: --store clickhouse://user:password@host:8123/database"
        ) from held
    with opened as store:
        pending = [migration.name for migration in store.migrations() if migration.applied_at is None]
        if pending:
            raise CommandError(f"{store.address} lacks {', '.join(pending)}.  Run: otel-llm-cost migrate --store …")
        yield store


def render(report: Report, address: str) -> RenderableType:
    """The report for a terminal; `address` is the store's, without its password."""
    if report.total.calls == 0 and not report.set_aside:
        return _nothing(address)
    parts: list[RenderableType] = [_headline(report)]
    if report.unpriced:
        parts.append(_unpriced(report.unpriced))
    parts += [_table(dimension, lines, report.total) for dimension, lines in report.by.items()]
    return Group(*parts)


def _nothing(address: str) -> RenderableType:
    return Panel(
        f"No calls in {escape(address)} for this period.\n\n"
        "1. [bold]otel-llm-cost serve[/]\n"
        "2. [bold]OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 opentelemetry-instrument python app.py[/]\n"
        "3. [bold]otel-llm-cost doctor[/] says what is missing.",
        title="nothing yet",
        expand=False,
    )


def _headline(report: Report) -> RenderableType:
    total = report.total
    missing = sum(line.calls for line in report.unpriced)
    said = [
        f"[bold]{money(total.cost)}[/] for {_plural(total.calls, 'call')}",
        f"[yellow]{missing:,} of them without a price[/]" if missing else "",
        f"[red]{total.errors:,} with an error[/]" if total.errors else "",
        *(f"{_plural(line.calls, 'row')} set aside ({escape(line.reason)})" for line in report.set_aside),
    ]
    return Text.from_markup("\n" + ", ".join(filter(None, said)) + "\n")


def _unpriced(lines: Sequence[Unpriced]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "provider", "why"):
        table.add_column(title, overflow="fold")
    for title in ("calls", "input", "output"):
        table.add_column(title, justify="right")
    for line in lines:
        why = f"{line.status}: {line.reason.replace('_', ' ')}" if line.reason else line.status
        table.add_row(
            escape(line.model or "(none)"),
            escape(line.provider or "(none)"),
            escape(why),
            f"{line.calls:,}",
            _count(line.input_tokens),
            _count(line.output_tokens),
        )
    calls = sum(line.calls for line in lines)
    title = f"{_plural(calls, 'call')} without a price, not in the total"
    return Panel(table, title=title, border_style="yellow", expand=False)


def _table(dimension: Dimension, lines: Sequence[Figures], total: Figures) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(dimension, overflow="fold", min_width=12)
    for title in ("cost", "calls", "input", "cached", "output"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("share", no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line, total))
    return Group(f"[bold]by {dimension}[/]", table, "")


def _cells(line: Figures, total: Figures) -> tuple[str, ...]:
    return (
        escape(line.name or "(none)"),
        _cost(line),
        f"{line.calls:,}",
        _count(line.input_tokens),
        _count(line.cache_read_tokens),
        _count(line.output_tokens),
        " ".join(filter(None, (_share(line.cost, total.cost), *_remarks(line)))),
    )


def _remarks(line: Figures) -> Iterator[str]:
    """What a cost alone would hide."""
    unpriced = line.unpriced + line.unknown_usage + line.partly_priced
    if unpriced:
        yield f"[yellow]{unpriced:,} unpriced[/]"
    if line.errors:
        yield f"[red]{_plural(line.errors, 'error')}[/]"


def _cost(line: Figures) -> str:
    """Calls that used nothing cost nothing; of others nobody may say so."""
    return "–" if line.cost is None and line.failed == line.calls else money(line.cost)


def _share(cost: Decimal | None, total: Decimal | None) -> str:
    if not cost or not total:
        return ""
    part = cost / total
    return f"[cyan]{bar(part)}[/] {part:.0%}"


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _plural(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
