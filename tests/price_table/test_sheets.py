"""What the tables say is what the book says, for every context and day."""

from __future__ import annotations

from datetime import date

import pytest

from otel_llm_cost.pricing import Context, PriceBook, Priced
from otel_llm_cost.pricing.buckets import BUCKETS
from otel_llm_cost_exporter.prices.table import Compiled, compile_book
from otel_llm_cost_exporter.prices.table.sheets import CardRow, RateRow, context_text

BOOK = PriceBook.vendored()
DAYS = (date(2024, 1, 1), date(2025, 6, 9), date(2025, 6, 10), date(2026, 10, 12), date(2026, 11, 1))
CONTEXTS = (
    Context(),
    Context(batch=True),
    Context(service_tier="flex"),
    Context(service_tier="priority", batch=True),
    Context(service_tier="fast", speed="fast"),
)


def _holds(row: CardRow | RateRow, day: date) -> bool:
    return row.period.first <= day <= row.period.last


def _rates(compiled: Compiled, context: str, day: date, prompt: int) -> dict[str, int] | None:
    """Bucket → rate, read from the tables as SQL does."""
    [key] = compiled.sheets()
    sheet = compiled.sheet(key)
    [card] = [row for row in sheet.cards if row.context == context and _holds(row, day)]
    if card.status == "unknown":
        return None
    rows = [row for row in sheet.rates if row.context == card.priced_as and _holds(row, day) and row.rates]
    assert len({row.bucket for row in rows}) == len(rows)
    return {row.bucket: row.rates[sum(prompt > above for above in row.above)] for row in rows}


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "o3"), ("openai", "gpt-5.4"), ("anthropic", "claude-sonnet-4-0"), ("google", "gemini-2.5-pro")],
)
@pytest.mark.parametrize("context", CONTEXTS, ids=str)
def test_the_book_and_the_tables_agree(provider: str, model: str, context: Context) -> None:
    compiled = compile_book(BOOK, [(provider, model)], listed=False)
    known = compiled.names[0].known
    text = context_text(
        batch=context.batch,
        service_tier=_told("service_tier", context.service_tier, known),
        speed=_told("speed", context.speed, known),
    )
    for day in DAYS:
        found = BOOK.resolve(provider, model, day, context)
        for prompt in (0, 128_000, 200_000, 200_001, 272_001):
            expected = None
            if isinstance(found, Priced):
                row = zip(BUCKETS, found.card.row(prompt), strict=True)
                expected = {bucket: rate for bucket, rate in row if rate is not None}
            assert _rates(compiled, text, day, prompt) == expected


def _told(name: str, value: str | None, known: tuple[str, ...]) -> str:
    return "" if value is None else value if f"{name}={value}" in known else "*"


def test_a_sheet_has_one_name_whatever_else_was_seen() -> None:
    alone = compile_book(BOOK, [("openai", "gpt-4o-mini-2024-07-18.ft-x")], listed=False)
    names = [("openai", "gpt-4o-mini"), ("openai", "a-new-one"), ("openai", "gpt-4o-mini-2024-07-18.ft-x")]
    among = compile_book(BOOK, names, listed=False)
    assert alone.sheets().keys() < among.sheets().keys()


def test_a_deployment_that_changed_its_model_leads_there_by_days() -> None:
    entry = {"provider": "azure", "model": "prod"}
    book = BOOK.with_overlay(
        {
            "date": "2026-11-01",
            "entries": [
                entry | {"same_as": "openai/gpt-4o", "valid_to": "2026-06-01"},
                entry | {"same_as": "openai/gpt-4.1", "valid_from": "2026-06-01"},
            ],
        }
    )
    rows = compile_book(book, [("azure", "prod")], listed=False).names
    assert [(row.model, row.period.first.year, row.status) for row in rows] == [
        ("gpt-4o", 1970, "override"),
        ("gpt-4.1", 2026, "override"),
    ]


def test_overlays_and_their_order_are_part_of_what_a_load_is_known_by() -> None:
    overlay = {"date": "2026-11-01", "entries": [{"provider": "openai", "model": "gpt-4o", "multiplier": "0.9"}]}
    assert compile_book(BOOK, listed=False).load != compile_book(BOOK.with_overlay(overlay), listed=False).load
