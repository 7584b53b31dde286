"""`otel-llm-cost demo`: from an ordinary program's calls to a cost in SQL, on this machine, in some seconds."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from otel_llm_cost_exporter.demo.reconcile import differences, query, served, stored
from otel_llm_cost_exporter.demo.road import Journey, Watcher, travel
from otel_llm_cost_exporter.report import Report, read_report

from .output import JsonOption, console, emit, money
from .report import open_existing, render

_FOLDER: Final = ".demo"
_END: Final = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the demo found; `differences` is empty when the stored bill is what the provider served."""

    store: str
    """Its address without the password."""
    calls_served: int
    requests_served: int
    calls_stored: int
    cost: Decimal | None
    differences: list[str]
    report: Report


def demo(
    store: Annotated[str | None, typer.Option("--store", help="[default: a fresh one under ./.demo]")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the stores of earlier demos.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole road on this machine: no key, no Docker, no network."""
    folder = _fresh_folder(Path(_FOLDER).resolve(), keep=keep)
    dsn = store or f"chdb://{folder / 'llm_cost.db'}"
    with _watcher(quiet=as_json) as watcher:
        journey = travel(dsn, folder, watcher)
        watcher.step("what was served against what is stored")
        result = _compare(dsn, journey)
    emit(result, as_json, lambda: Group(render(result.report, result.store), _verdict(result)))
    if not as_json:
        console.print(_next(result, dsn), soft_wrap=True, highlight=False)  # unwrapped: it is to be pasted
    if result.differences:
        raise typer.Exit(1)


def _fresh_folder(root: Path, *, keep: bool) -> Path:
    """A folder for this run; those of earlier runs go, unless kept or still in use."""
    for earlier in root.glob("run-*-*") if not keep else ():
        if not _alive(earlier.name.rpartition("-")[2]):
            shutil.rmtree(earlier, ignore_errors=True)
    folder = root / f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    folder.mkdir(parents=True)
    return folder


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _compare(dsn: str, journey: Journey) -> Result:
    with open_existing(dsn) as store:
        report = read_report(store, since=journey.began)
        rows = store.query(query(), {"since": journey.began, "until": _END})
        address = store.address
    left, right = served(journey.ledger), stored(rows)
    return Result(
        store=address,
        calls_served=sum(tally.calls for tally in left.values()),
        requests_served=len(journey.ledger),
        calls_stored=sum(tally.calls for tally in right.values()),
        cost=report.total.cost,
        differences=differences(left, right),
        report=report,
    )


class _Silent:
    def step(self, text: str) -> None: ...
    def seen(self, requests: int) -> None: ...


class _Display:
    """The steps as a list with a spinner on the last, on stderr."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def step(self, text: str) -> None:
        self.done()
        self._task = self._progress.add_task(text, total=1, seen="")

    def seen(self, requests: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, seen=f"{requests} requests seen")

    def done(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=1)


@contextmanager
def _watcher(*, quiet: bool) -> Iterator[Watcher]:
    if quiet:
        yield _Silent()
        return
    columns = (SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"))
    more = (TextColumn("[dim]{task.fields[seen]}[/]"), TimeElapsedColumn())
    with Progress(*columns, *more, console=Console(stderr=True)) as progress:
        display = _Display(progress)
        yield display
        display.done()


def _verdict(result: Result) -> RenderableType:
    counts = f"{result.calls_served} calls served, {result.calls_stored} stored, cost {money(result.cost)}"
    retries = f"{result.requests_served} requests with the SDK's retries"
    if not result.differences:
        return Panel(f"[bold green]{counts}[/]: every token as the provider served it ({retries})", expand=False)
    lines = "\n".join(escape(line) for line in result.differences)
    return Panel(f"[bold red]{counts}[/]: these differ\n{lines}", border_style="red", expand=False)


def _next(result: Result, dsn: str) -> str:
    """The commands to go on with, as they can be pasted here; a user and password have to be put in again."""
    named = result.store.replace("://", "://USER:PASSWORD@", 1) if urlsplit(dsn).username else result.store
    ours, instrument, python = (_command(name) for name in ("otel-llm-cost", "opentelemetry-instrument", "python"))
    steps = {
        "Your own program: start a collector, and run it under opentelemetry-instrument": [
            f"{ours} serve --store chdb:///./llm_cost.db",
            f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 {instrument} {python} app.py",
        ],
        "These figures again": [f"{ours} report --store {shlex.quote(named)} --by model --by day"],
        "SQL": [_sql_command(result.store, python)],
        "Why does the dearest model cost that": [f"{ours} {_explain(result.report)}"],
        "What is still missing": [f"{ours} doctor"],
    }
    return "\n".join(
        line for title, commands in steps.items() for line in (f"\n[bold]{title}[/]", *map(_indented, commands))
    )


def _explain(report: Report) -> str:
    dearest = next((line for line in report.by["model"] if line.cost), None)
    if dearest is None:
        return "prices explain --help"
    counts = {"input": dearest.input_tokens, "cached": dearest.cache_read_tokens, "output": dearest.output_tokens}
    words = [f"--{name} {number}" for name, number in counts.items() if number]
    return " ".join(["prices explain --model", shlex.quote(dearest.name), *words])


def _indented(command: str) -> str:
    return f"  {escape(command)}"


def _sql_command(dsn: str, python: str) -> str:
    query = "SELECT response_model, count(), sum(cost) FROM llm_calls WHERE counted GROUP BY 1 ORDER BY 3 DESC"
    url = urlsplit(dsn)
    if url.scheme != "chdb":
        return f"clickhouse-client --host {url.hostname} --query {shlex.quote(query)}"
    path = unquote(url.path).replace("/./", "./", 1)
    code = f'import chdb; print(chdb.query({json.dumps(query)}, "PrettyCompact", path={json.dumps(path)}))'
    return f"{python} -c {shlex.quote(code)}"


def _command(name: str) -> str:
    """A program as it can be typed here: its name if the shell finds this very one, else its path."""
    mine = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if not mine.exists() or (found and Path(found).resolve() == mine.resolve() and Path(found).parent == mine.parent):
        return name
    here = Path.cwd()
    return str(mine.relative_to(here)) if mine.is_relative_to(here) else str(mine)
