"""`otel-llm-cost explain`: why a stored call cost what it did, from its row alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.markup import escape

from otel_llm_cost.pricing.money import usd
from otel_llm_cost_exporter.report import sql

from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, emit, money
from .prices_common import priced
from .prices_tables import bill_table
from .report import open_existing

if TYPE_CHECKING:
    from otel_llm_cost_exporter.store import Store

_MOST: Final = 100
_HEX: Final = {"trace": re.compile(r"[0-9a-f]{32}"), "span": re.compile(r"[0-9a-f]{16}")}


def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="A trace id, a span id or a response id.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Why a stored call cost what it did: units × rate, bucket by bucket, and what it cost before a correction."""
    with open_existing(store, only_read=True) as opened:
        found = [_told(opened, row) for row in opened.query(sql("call"), {**_ids(name), "id": name, "most": _MOST})]
    if not found:
        raise CommandError(f"No stored call has the trace, span or response id {name!r}.")
    emit(found, as_json, lambda: Group(*map(_shown, found)))


def _ids(name: str) -> dict[str, str]:
    """The name as the hex of each kind of id that it can be."""
    lowered = name.lower().removeprefix("0x")
    return {kind: lowered if pattern.fullmatch(lowered) else "" for kind, pattern in _HEX.items()}


def _told(store: Store, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as `prices explain` tells of a bill, and beside it what only a row knows."""
    before = store.query(sql("corrections"), {"trace": row["trace"], "span": row["span"]})
    return {
        "provider": row["provider"],
        "model": row["model"],
        "date": f"{row['ts']:%Y-%m-%d %H:%M:%S}",
        "status": row["price_status"],
        "reason": row["price_reason"],
        "price_model": row["price_model"],
        "version": row["price_version"],
        "source": f"trace {row['trace']}, span {row['span']}",
        "total_usd": None if row["cost"] is None else _exact(row["cost"]),
        "lines": [_line(bucket, units, row["rates"].get(bucket)) for bucket, units in row["quantities"].items()],
        **{name: row[name] for name in ("project", "feature", "service_name", "response_id", "stated_cost")},
        **{name: row[name] for name in ("counted", "counted_reason", "problems", "repriced_at")},
        "before": before,
    }


def _line(bucket: str, units: int, rate: int | None) -> dict[str, Any]:
    price, per = priced(bucket, rate)
    amount = None if rate is None else usd(units * rate)
    return {"bucket": bucket, "quantity": units, "usd": price, "per": per, "amount_usd": amount}


def _exact(amount: Decimal) -> str:
    return usd(int(amount.scaleb(12)))


def _shown(told: Mapping[str, Any]) -> RenderableType:
    return Group(bill_table(told), *map(escape, _remarks(told)), "")


def _remarks(told: Mapping[str, Any]) -> Sequence[str]:
    remarks = [] if told["counted"] else [f"Not in any sum: {told['counted_reason']}."]
    if told["stated_cost"] is not None:
        remarks.append(f"The provider itself says {money(told['stated_cost'])}.")
    if told["problems"]:
        remarks.append(f"Not believed: {'; '.join(told['problems'])}.")
    return [*remarks, *map(_before, told["before"])]


def _before(row: Mapping[str, Any]) -> str:
    return (
        f"Corrected {row['corrected_at']:%Y-%m-%d %H:%M}: was {money(row['old_cost'])} by {row['old_price_version']}."
    )
