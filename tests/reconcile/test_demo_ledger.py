"""The whole road: what the emulator served, exported as the vendors would, is what the store has, exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost.pricing import Context, PriceBook
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.cli.demo import _Silent
from otel_llm_cost_exporter.demo import anthropic_models, openai_models
from otel_llm_cost_exporter.demo.ledger import Entry
from otel_llm_cost_exporter.demo.road import travel
from otel_llm_cost_exporter.reconcile import Reconciliation
from otel_llm_cost_exporter.store import Store

from .world import anthropic_page, cents, compared, completions, cost, messages, openai_page

pytestmark = pytest.mark.integration

_FREE = {"", "count_tokens", "fetch_response"}
_OPENAI_CLASSES = {"input": "input", "cache_read": "cached input", "output": "output", "reasoning": "output"}
_ANTHROPIC_CLASSES = {
    "input": "uncached_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write": "cache_creation.ephemeral_5m_input_tokens",
    "cache_write_5m": "cache_creation.ephemeral_5m_input_tokens",
    "cache_write_1h": "cache_creation.ephemeral_1h_input_tokens",
    "output": "output_tokens",
    "reasoning": "output_tokens",
}


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, date, list[Entry]]:
    folder = tmp_path_factory.mktemp("demo")
    dsn = f"chdb://{folder / 'llm_cost.db'}"
    while True:
        done = travel(dsn, folder, _Silent())
        if done.began.date() == datetime.now(UTC).date():  # once a night it is two days
            return dsn, done.began.date(), done.ledger


def billed(ledger: Iterable[Entry], vendor: str) -> Iterator[tuple[Entry, str, Usage]]:
    snapshot = openai_models.snapshot if vendor == "openai" else anthropic_models.snapshot
    for entry in ledger:
        if entry.vendor == vendor and entry.usage is not None and entry.operation not in _FREE:
            yield entry, snapshot(entry.model) or entry.model, entry.usage


def usage_pages(ledger: list[Entry], day: date) -> list[str]:
    chat, embeddings, claude = [], [], []
    for entry, model, usage in billed(ledger, "openai"):
        if entry.operation == "embeddings":
            embeddings.append({"model": model, "input_tokens": usage.input_tokens, "num_model_requests": 1})
            continue
        counts: dict[str, Any] = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        chat.append(
            completions(model, input_cached_tokens=usage.cache_read_input_tokens or 0, batch=entry.batch, **counts)
        )
    for entry, model, usage in billed(ledger, "anthropic"):
        read, written = usage.cache_read_input_tokens or 0, usage.cache_write_input_tokens or 0
        hour = usage.cache_write_1h_input_tokens or 0
        claude.append(
            messages(
                model,
                uncached_input_tokens=(usage.input_tokens or 0) - read - written,
                cache_read_input_tokens=read,
                cache_creation={"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
                output_tokens=usage.output_tokens,
                server_tool_use={"web_search_requests": usage.web_search_requests or 0},
                service_tier="batch" if entry.batch else "standard",
            )
        )
    return [
        openai_page("usage.completions", *chat, day=day),
        openai_page("usage.embeddings", *embeddings, day=day),
        anthropic_page(*claude, day=day),
    ]


Tiers = dict[str, str]
"""Id of an answer → the tier that served it, which is in the answer and not in the ledger."""


def money(
    ledger: list[Entry], day: date, book: PriceBook, vendor: str, tiers: Tiers
) -> dict[tuple[str, str, str], Fraction]:
    """(model, class, tier) → US dollars, priced call by call as the vendor would."""
    out: dict[tuple[str, str, str], Fraction] = {}
    for entry, model, usage in billed(ledger, vendor):
        tier = "batch" if entry.batch else tiers.get(entry.response_id) or "default"
        for line in book.price(vendor, model, usage, day, Context(service_tier=tier)).lines:
            key = (model, line.bucket, tier)
            out[key] = out.get(key, Fraction(0)) + Fraction(line.amount or 0, 10**12)
    return out


def cost_pages(ledger: list[Entry], day: date, book: PriceBook, tiers: Tiers) -> list[str]:
    openai = [
        cost(f"{tier} | {model}, {_OPENAI_CLASSES[of]}", str(decimal(amount)))
        for (model, of, tier), amount in money(ledger, day, book, "openai", tiers).items()
        if of in _OPENAI_CLASSES
    ]
    anthropic = []
    for (model, of, tier), amount in money(ledger, day, book, "anthropic", tiers).items():
        told = str(decimal(amount * 100))
        if of in _ANTHROPIC_CLASSES:
            anthropic.append(cents(told, _ANTHROPIC_CLASSES[of], model, service_tier=tier))
        else:
            anthropic.append(cents(told, None, None, cost_type=of, description=of))
    return [openai_page("costs", *openai, day=day), anthropic_page(*anthropic, day=day)]


def tiers_of(store: Store) -> Tiers:
    rows = store.query("SELECT response_id, service_tier FROM llm_calls WHERE counted")
    return {row["response_id"]: row["service_tier"] for row in rows}


def decimal(amount: Fraction) -> Decimal:
    return Decimal(amount.numerator) / Decimal(amount.denominator)


def told(found: Reconciliation) -> dict[str, tuple[Any, ...]]:
    return {line.model: (line.ours, line.theirs, line.why) for line in found.lines if line.difference}


@pytest.mark.parametrize("given", ["usage", "cost", "both"])
def test_the_export_of_what_was_served_leaves_no_difference(
    journey: tuple[str, date, list[Entry]], book: PriceBook, given: str
) -> None:
    dsn, day, ledger = journey
    with Store.open(dsn, migrate=False) as store:
        pages = {"usage": usage_pages(ledger, day), "cost": cost_pages(ledger, day, book, tiers_of(store))}
        pages["both"] = [*pages["usage"], *pages["cost"]]
        found = compared(store, book, *pages[given], today=day)
    assert json.dumps(told(found), default=str) == "{}"
    assert found.total.difference == 0
    assert found.total.ours > 0
    assert len(found.lines) > 10
    assert {line.reason for line in found.lines} <= {"equal", "unpriced"}
    assert [line.model for line in found.lines if line.reason == "unpriced"] == ["acme-llm-1"]


def test_a_lost_tenth_is_told_as_untraced(journey: tuple[str, date, list[Entry]], book: PriceBook) -> None:
    dsn, day, ledger = journey
    with Store.open(dsn, migrate=False) as store:
        found = compared(store, book, *usage_pages([*ledger, *ledger[::10]], day), today=date(2200, 1, 1))
    assert found.total.difference > 0
    assert set(found.total.parts) <= {"untraced", "cache", "tier", "rounding"}


def test_the_command_itself(
    journey: tuple[str, date, list[Entry]], tmp_path: Path, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from .test_command import run

    dsn, day, ledger = journey
    with Store.open(dsn, migrate=False) as store:
        tiers = tiers_of(store)
    for i, page in enumerate([*usage_pages(ledger, day), *cost_pages(ledger, day, book, tiers)]):
        (tmp_path / f"{i}.json").write_text(page, encoding="utf-8")
    done = run(monkeypatch, str(tmp_path), "--store", dsn, "--fail-over", "0")
    assert done.exit_code == 0, done.output
    assert "difference $0" in " ".join(done.output.split())
