"""The commands, gathered, and the one place where their failures become a message."""

from __future__ import annotations

import importlib
import logging
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from . import INSTALL

log = logging.getLogger(__name__)

_COMMANDS: Final = (
    ("demo", "demo", "Run the whole road on this machine: no key, no Docker, no network."),
    ("serve", "serve", "Receive OpenTelemetry spans, price them, store them."),
    ("migrate", "serve", "Bring the store's tables up to date."),
    ("report", "report", "What the calls cost, by model, feature, provider, day."),
    ("explain", "explain", "Why a stored call cost what it did, bucket by bucket."),
    ("reprice", "reprice", "Price the calls of a period again; old figures are kept."),
    ("reconcile", "reconcile", "Our figures beside a provider's usage or cost export."),
    ("settle", "settle", "Set aside what was counted and turned out to be told twice."),
    ("doctor", "doctor", "What is installed and connected, and what to do about the rest."),
)
"""Name, module of this package that has a function of that name, and what stands in for it if that cannot load."""
_GROUPS: Final = (
    ("dead-letters", "Calls that were acknowledged and could not be stored."),
    ("keys", "API keys: who may write to the collector, and for which project."),
    ("prices", "What a model costs, and why a call cost what it did."),
    ("rollups", "Rollups beside the rows they are made of: compared, and built again."),
)
"""Modules of this package that have an `app` of commands, and what stands in for it if that cannot load."""

app = typer.Typer(
    help="What every LLM call costs, while it happens.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"otel-llm-cost {_version()}\n")
        raise typer.Exit


def _version() -> str:
    try:
        return version("otel-llm-cost")
    except PackageNotFoundError:
        return "unknown (not installed)"


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
    show_version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True)] = False,
) -> None:
    """What every LLM call costs, while it happens."""


def _gather() -> None:
    for name, module, summary in _COMMANDS:
        app.command(name)(_load(module, name, summary))
    for name, summary in _GROUPS:
        group = _load(name.replace("-", "_"), "app", summary)
        if isinstance(group, typer.Typer):
            app.add_typer(group, name=name)
        else:
            app.command(name)(group)


def _load(module: str, name: str, summary: str) -> Any:
    """A command; where a library that its module needs is not installed, one that says so."""
    try:
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)
    except ModuleNotFoundError as missing:
        return _stand_in(summary, missing)


def _stand_in(summary: str, missing: ModuleNotFoundError) -> Any:
    def command() -> None:
        raise missing

    command.__doc__ = f"{summary} (Not available: {escape(str(missing))}.)"
    return command


def run() -> int:
    """Run the command of `sys.argv`; the exit code."""
    try:
        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(bool(done.code))
    except Exception as error:  # the boundary: whatever it is, the user gets one line
        if "--debug" in sys.argv:
            raise
        log.debug("the command failed", exc_info=error)
        Console(stderr=True).print(f"[bold red]{escape(_explain(error))}[/]", soft_wrap=True, highlight=False)
        return 1
    return 0


def _explain(error: Exception) -> str:
    """Our own errors name their remedy already; others get a name and a way to learn more."""
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("otel_llm_cost"):
        return f"{error}.  Run: {INSTALL}"
    if type(error).__module__.startswith("otel_llm_cost"):
        return str(error)
    return f"{type(error).__name__}: {error}  (otel-llm-cost --debug … shows where)"


_gather()
