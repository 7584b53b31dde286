"""`otel-llm-cost prices`: what a model costs, why a call cost what it did, what changed, how right it is."""

from __future__ import annotations

import typer

from .prices_check import check
from .prices_diff import diff
from .prices_explain import explain
from .prices_load import load
from .prices_show import show
from .prices_update import update
from .prices_validate import validate

app = typer.Typer(help="What a model costs, and why a call cost what it did.", no_args_is_help=True)
for command in (show, explain, diff, update, check, validate, load):
    app.command()(command)
