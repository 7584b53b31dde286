"""The tables of `otel-llm-cost prices`.

Names, reasons and sources come from outside (an overlay, the command line): every cell is escaped on its way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one bucket costs, as price pages put it; `above` maps a prompt's size to the price beyond it."""

    bucket: str
    usd: str
    per: str
    above: dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One model at one provider: the rates of a day, and everything else that is known, by when it holds."""

    provider: str
    model: str
    status: str
    reason: str
    date: date
    version: str
    source: str
    rates: list[Rate]
    known: list[dict[str, Any]]
    files: list[dict[str, Any]]


def list_table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Rows of one shape."""
    return table(rows[0], (map(str, row.values()) for row in rows))


def shown_table(shown: Shown) -> RenderableType:
    """The rates of a day, and under them all that is known."""
    title = f"{shown.provider} {shown.model} on {shown.date} ({shown.status}{', ' * bool(shown.reason)}{shown.reason})"
    starts = sorted({start for rate in shown.rates for start in rate.above})
    beyond = [f"above {start:,}" for start in starts]
    rates = table(
        ("bucket", "USD", *beyond, "per"),
        ((rate.bucket, rate.usd, *(rate.above.get(start, "") for start in starts), rate.per) for rate in shown.rates),
        title=title,
        right=("USD", *beyond),
    )
    known = table(("from", "to", "for", "says", "by"), map(_fact, shown.known), title="all that is known")
    return Group(rates, known, escape(f"prices {shown.version}; {shown.source}\n"))


def _fact(fact: Mapping[str, Any]) -> tuple[str, ...]:
    context = ", ".join(f"{name} {value}" for name, value in fact["context"].items())
    when = " ".join(filter(None, (context.replace("batch true", "batch"), fact["hours_utc"])))
    says = "; ".join(f"{name} {value}" for name, value in fact["says"].items())
    return _text(fact["from"]), _text(fact["to"]), when, says, fact["source"].partition(":")[0]


def bill_table(told: Mapping[str, Any]) -> RenderableType:
    """A bill: its lines, its total, and what the total rests on."""
    lines = [
        (line["bucket"], f"{line['quantity']:,}", line["usd"] or "?", line["per"], line["amount_usd"] or "?")
        for line in told["lines"]
    ]
    bill = table(
        ("bucket", "quantity", "USD", "per", "= USD"),
        lines,
        title=f"{told['provider']} {told['model']} on {told['date']}",
        right=("quantity", "USD", "= USD"),
    )
    bill.add_section()
    bill.add_row("total", "", "", "", told["total_usd"] or "unknown")
    status = told["status"] + (f": {told['reason']}" if told["reason"] else "")
    priced_as = f"priced as {told['price_model']}; " if told["price_model"] else ""
    why = [layers_table(told["layers"])] if told.get("layers") else []
    return Group(bill, escape(f"{status}; {priced_as}prices {told['version']}"), escape(told["source"]), *why)


def layers_table(layers: Iterable[Mapping[str, Any]]) -> RenderableType:
    """What set each rate, from the data upwards."""
    rows = (
        (layer["by"], layer["what"], change["bucket"], change["old"] or "", change["new"] or "", layer["source"])
        for layer in layers
        for change in layer["changed"] or [{"bucket": "", "old": "", "new": ""}]
    )
    return table(("by", "what", "bucket", "was", "is", "source"), rows, title="why: every layer that was applied")


def files_lines(files: Iterable[Mapping[str, Any]]) -> RenderableType:
    """The files in force."""
    rows = ((file["what"], _text(file["path"]), file["says"]) for file in files)
    return table(("in force", "file", "says"), rows, title="files in force, each over those before it")


def table(
    columns: Iterable[str], rows: Iterable[Iterable[str]], *, title: str = "", right: Iterable[str] = ()
) -> Table:
    """A table whose cells are shown as they are, whatever brackets they have."""
    made = Table(title=escape(title) or None, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(escape(column), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(escape, row))
    return made


def _text(value: object) -> str:
    return "" if value is None else str(value)
