"""`otel-llm-cost prices show`: everything that is known of a model's price."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Group

from otel_llm_cost.pricing import PriceBook, Priced
from otel_llm_cost.pricing.buckets import BUCKETS
from otel_llm_cost.pricing.catalogue import Price
from otel_llm_cost.pricing.money import Rates
from otel_llm_cost.pricing.overlay import Entry
from otel_llm_cost_exporter.prices.diff import WHOLE
from otel_llm_cost_exporter.prices.layers import factor

from .output import CommandError, JsonOption, emit
from .prices_common import DateOption, OverlayOption, ProviderOption, day_of, files_told, priced, prices_in_force
from .prices_tables import Rate, Shown, files_lines, list_table, shown_table


def show(
    model: Annotated[str | None, typer.Argument(help="A model's name. [default: list what is known]")] = None,
    provider: ProviderOption = None,
    day: DateOption = None,
    overlay: OverlayOption = None,
    as_json: JsonOption = False,
) -> None:
    """The rates of a model: by bucket and prompt size, for tiers and batches, from when to when, and whose."""
    prices, at = prices_in_force(overlay), day_of(day)
    book, files = prices.book(), files_told(prices)
    if model is None:
        listed = _listed(book, provider)
        emit(listed, as_json, lambda: Group(list_table(listed), files_lines(files)))
        return
    providers = [provider] if provider else book.providers()
    found = [shown for name in providers for shown in _shown(book, name, model, at, files)]
    exact = [shown for shown in found if shown.status in ("exact", "override")]
    if not found:
        where = f"at {provider}" if provider else "at any provider"
        raise CommandError(f"No price of {model!r} is known {where} on {at}.  List them: otel-llm-cost prices show")
    emit(exact or found, as_json, lambda: Group(*map(shown_table, exact or found), files_lines(files)))


def _shown(book: PriceBook, provider: str, model: str, at: date, files: list[dict[str, Any]]) -> Iterator[Shown]:
    found, facts = book.resolve(provider, model, at), book.facts(provider, model)
    if isinstance(found, Priced) and facts:
        yield Shown(
            provider=provider,
            model=found.model,
            status=found.status,
            reason=found.reason,
            date=at,
            version=book.version,
            source=found.source,
            rates=list(_card_rates(found)),
            known=[*map(_period, (*facts[0].prices, *facts[0].variants)), *map(_laid_over, facts[1])],
            files=files,
        )


def _card_rates(found: Priced) -> Iterator[Rate]:
    """The card, without the buckets that cost what the bucket that they are a part of does."""
    columns = dict(zip(BUCKETS, zip(*found.card.rows, strict=True), strict=True))
    for bucket, column in columns.items():
        if column[0] is not None and column != columns.get(WHOLE.get(bucket, "")):
            texts = [priced(bucket, rate)[0] or "?" for rate in column]
            above = dict(zip(found.card.starts[1:], texts[1:], strict=True)) if len(set(texts)) > 1 else {}
            yield Rate(bucket=bucket, usd=texts[0], per=priced(bucket, 0)[1], above=above)


def _period(price: Price) -> dict[str, Any]:
    hours = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in price.window or ()]
    return {
        "from": price.start,
        "to": None,
        "hours_utc": "–".join(hours) or None,
        "context": dict(price.when),
        "says": _said(price.rates),
        "source": "data",
    }


def _laid_over(entry: Entry) -> dict[str, Any]:
    says = {name: priced(name, rate)[0] for name, rate in entry.rates.items()}
    for above, rates in entry.tiers:
        says |= {f"{name} above {above}": priced(name, rate)[0] for name, rate in rates.items()}
    if entry.multiplier:
        says["multiplier"] = factor(entry.multiplier)
    if entry.backdate:
        says["back-dated"] = "the data's first later price"
    says |= dict.fromkeys(sorted(entry.once_per_call), "once a call")
    return {
        "from": entry.valid_from,
        "to": entry.valid_to,
        "hours_utc": None,
        "context": dict(entry.context),
        "says": says,
        "source": f"{entry.origin} overlay: {entry.source}",
    }


def _said(rates: Rates) -> dict[str, str]:
    """The steps of each rate in words: `2.5, 5 above 272000`."""
    steps = {name: [(start, priced(name, price)[0]) for start, price in rate] for name, rate in rates.items()}
    return {
        name: ", ".join(f"{price} above {start}" if start else str(price) for start, price in told)
        for name, told in steps.items()
    }


def _listed(book: PriceBook, provider: str | None) -> list[dict[str, Any]]:
    if provider is None:
        return [{"provider": name, "models": sum(1 for _ in book.models(name))} for name in book.providers()]
    listed = [{"provider": provider, "model": model} for model in book.models(provider)]
    if not listed:
        raise CommandError(f"Nobody knows prices of {provider!r}.  List the providers: otel-llm-cost prices show")
    return listed
