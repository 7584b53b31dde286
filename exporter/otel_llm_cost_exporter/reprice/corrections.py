"""A call priced again: the correction that leads from its old figures to the new, or none where they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.reread import arrived
from otel_llm_cost_exporter.rows import PRICED, PricedCall

MONEY: Final = ("cost", "cost_input", "cost_cache_read", "cost_cache_write", "cost_output", "cost_tools")
_WORDS: Final = ("price_status", "price_reason", "price_model")
_CALL: Final = ("trace_id", "span_id", "project", "feature", "environment", "provider", "counted")
_OLD: Final = (*MONEY, "rates", *_WORDS, "price_version")

Correction = dict[str, Any]
"""A row of `price_corrections`, money in pico-dollars."""


def corrections(book: PriceBook, rows: Iterable[Mapping[str, Any]], run: UUID, at: int) -> list[Correction]:
    """What has to change in these rows (see `sql/calls.sql`) under this book; `at` is now, in ms since 1970."""
    found = (_correction(book, row, run, at) for row in rows)
    return [correction for correction in found if correction is not None]


def _correction(book: PriceBook, row: Mapping[str, Any], run: UUID, at: int) -> Correction | None:
    call = arrived(row)
    new = _figures(PricedCall(call, price(book, call)))
    old = {name: pico(row[name]) if name in MONEY else row[name] for name in _OLD}
    if all(new[name] == old[name] for name in (*MONEY, *_WORDS)):
        return None
    return {
        "run": run,
        "corrected_at": at,
        "ts": row["ts_ns"],
        **{name: row[name] for name in _CALL},
        "model": row["response_model"] or row["request_model"],
        **{f"old_{name}": old[name] for name in _OLD},
        **new,
    }


def _figures(priced: PricedCall) -> dict[str, Any]:
    return {name: read(priced) for name, read in PRICED.items()}


def pico(amount: Decimal | None) -> int | None:
    """A sum in USD, of at most twelve decimals, in pico-dollars."""
    return None if amount is None else int(amount.scaleb(12))


def to_columns(rows: Sequence[Correction]) -> dict[str, list[Any]]:
    """Corrections as the store takes them."""
    return {name: [row[name] for row in rows] for name in rows[0]}
