"""What every command shares: where the store is, how money looks, and one way to print."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.console import Console, RenderableType

from otel_llm_cost_exporter.config import DEFAULT_STORE, STORE_VARIABLE

__all__ = [
    "DEFAULT_STORE",
    "STORE_VARIABLE",
    "CommandError",
    "JsonOption",
    "StoreOption",
    "bar",
    "console",
    "emit",
    "money",
]


StoreOption = Annotated[
    str,
    typer.Option("--store", envvar=STORE_VARIABLE, help="chdb:///./path (embedded) or clickhouse://user:pw@host/db"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

console = Console(emoji=False)  # a name like gpt:eyes: is a name
_BLOCKS: Final = " ▏▎▍▌▋▊▉"


class CommandError(Exception):
    """A command cannot go on; the text says why and what to do."""


def emit(data: Any, as_json: bool, table: Callable[[], RenderableType]) -> None:
    """The data as one JSON document on stdout, or as the table; the table is not built when nobody sees it."""
    if as_json:
        sys.stdout.write(json.dumps(data, default=_plain, indent=2, ensure_ascii=False) + "\n")
    else:
        console.print(table())


def _plain(value: Any) -> Any:
    """What JSON has no word for: money as text, exactly; records as objects."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path | UUID):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"no JSON for {type(value).__name__}")


def money(amount: Decimal | None) -> str:
    """US dollars for eyes: cents where they matter, else four figures, micro-dollars (µ$) where it is tiny."""
    if amount is None:
        return "unknown"
    size = abs(amount)
    if size == 0:
        return "$0"
    if size >= 100:
        return f"${amount:,.2f}"
    if size >= 1:
        return f"${amount:.4f}"
    if size >= Decimal("0.001"):
        return f"${amount:.6f}"
    return f"{_figures(amount * 1_000_000)} µ$"


def _figures(amount: Decimal) -> str:
    """Four significant figures, without an exponent or idle zeros."""
    text = format(Decimal(f"{amount:.4g}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def bar(part: Decimal, width: int = 6) -> str:
    """A share from 0 to 1 as a bar, drawn to an eighth of a character."""
    eighths = int(min(max(part, Decimal(0)), Decimal(1)) * width * 8 + Decimal("0.5"))
    if part > 0:
        eighths = max(eighths, 1)
    return ("█" * (eighths // 8) + _BLOCKS[eighths % 8]).strip()
