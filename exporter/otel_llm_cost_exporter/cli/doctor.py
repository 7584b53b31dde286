"""`otel-llm-cost doctor`: every finding with its remedy; exit code 1 if something is broken."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from . import INSTALL, reach
from .findings import LOCAL, Finding, look_around
from .output import DEFAULT_STORE, STORE_VARIABLE, JsonOption, emit

_MARKS: Final = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[bold red]fail[/]"}


def doctor(
    store: Annotated[
        str | None, typer.Option("--store", envvar=STORE_VARIABLE, help=f"[default: {DEFAULT_STORE}]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What is installed and connected, and what to do about the rest."""
    found = list(examine(store))
    emit(found, as_json, lambda: render(found))
    if any(finding.status == "fail" for finding in found):
        raise typer.Exit(1)


def examine(store: str | None) -> Iterator[Finding]:
    """All findings, from the inside out: this environment, the collector, the store, the prices."""
    around = look_around(os.environ)
    for check in LOCAL:
        yield from check(around)
    yield from reach.exporter(around.env)
    yield from _optional("store", reach.store(store or DEFAULT_STORE, asked=store is not None))
    yield from _optional("prices", reach.prices())


def _optional(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of a check that needs an extra; without it, that is the finding."""
    try:
        yield from findings
    except ModuleNotFoundError as missing:
        remedy = f"{INSTALL}, where the collector is to run"
        yield Finding(check=check, status="warn", detail=f"{missing.name} is not installed", remedy=remedy)


def render(findings: Sequence[Finding]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        remedy = f"\n[dim]→ {escape(finding.remedy)}[/]" if finding.remedy else ""
        table.add_row(_MARKS[finding.status], finding.check, escape(finding.detail) + remedy)
    return table
