"""`otel-llm-cost prices`: what a model costs, why a call cost what it did, and how fresh the data is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Group

from otel_llm_cost.pricing import Context, Cost, Line, PriceBook, Priced
from otel_llm_cost.pricing.buckets import BUCKETS, FEES
from otel_llm_cost.pricing.catalogue import Price
from otel_llm_cost.pricing.money import PER_MILLION, PER_THOUSAND, Rates, usd
from otel_llm_cost.pricing.overlay import Entry
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.price_data import ENVIRONMENT, PACKAGE, installed, installed_if_newer, load_book

from .output import CommandError, JsonOption, emit
from .prices_tables import Rate, Shown, bill_table, list_table, shown_table, state_table

app = typer.Typer(help="What a model costs, and why a call cost what it did.", no_args_is_help=True)

DateOption = Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="A day. [default: today]")]
OverlayOption = Annotated[Path | None, typer.Option("--overlay", help=f"Your own prices. [default: ${ENVIRONMENT}]")]
Count = Annotated[int | None, typer.Option(min=0)]


_WHOLE: Final = {
    **dict.fromkeys(("input_audio", "input_image", "cache_read", "cache_write"), "input"),
    **dict.fromkeys(("cache_read_audio", "cache_read_image"), "cache_read"),
    **dict.fromkeys(("cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h"), "cache_write"),
    **dict.fromkeys(("reasoning", "output_audio", "output_image"), "output"),
    "grounding": "web_search",
}
"""Buckets that are not shown where they cost what these do."""


@app.command()
def show(
    model: Annotated[str | None, typer.Argument(help="A model's name. [default: list what is known]")] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="As in gen_ai.provider.name.")] = None,
    day: DateOption = None,
    overlay: OverlayOption = None,
    as_json: JsonOption = False,
) -> None:
    """The rates of a model: by bucket and prompt size, for tiers and batches, from when to when, and whose."""
    book, at = _book(overlay), _day(day)
    if model is None:
        listed = _listed(book, provider)
        emit(listed, as_json, lambda: list_table(listed))
        return
    found = [
        shown for name in ([provider] if provider else book.providers()) for shown in _shown(book, name, model, at)
    ]
    exact = [shown for shown in found if shown.status in ("exact", "override")]
    if not found:
        where = f"at {provider}" if provider else "at any provider"
        raise CommandError(f"No price of {model!r} is known {where} on {at}.  List them: otel-llm-cost prices show")
    emit(exact or found, as_json, lambda: Group(*map(shown_table, exact or found)))


@app.command()
def explain(
    model: Annotated[str, typer.Option("--model")],
    provider: Annotated[str, typer.Option("--provider", help="As in gen_ai.provider.name.")] = "openai",
    prompt: Annotated[int | None, typer.Option("--input", min=0, help="Input tokens, cached ones included.")] = None,
    output: Annotated[int | None, typer.Option(min=0, help="Output tokens, reasoning included.")] = None,
    cached: Count = None,
    cache_write: Count = None,
    cache_write_1h: Count = None,
    reasoning: Count = None,
    audio_input: Count = None,
    audio_output: Count = None,
    image_input: Count = None,
    image_output: Count = None,
    web_search: Count = None,
    day: DateOption = None,
    tier: Annotated[str | None, typer.Option("--tier", help="The service tier that was served.")] = None,
    batch: Annotated[bool, typer.Option("--batch")] = False,
    speed: str | None = None,
    region: str | None = None,
    overlay: OverlayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why a call cost what it did: bucket × rate = amount, line by line."""
    usage = Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_input_tokens=cached,
        cache_write_input_tokens=cache_write,
        cache_write_1h_input_tokens=cache_write_1h,
        reasoning_output_tokens=reasoning,
        audio_input_tokens=audio_input,
        audio_output_tokens=audio_output,
        image_input_tokens=image_input,
        image_output_tokens=image_output,
        web_search_requests=web_search,
    )
    at = _day(day)
    cost = _book(overlay).explain(provider, model, usage, at, Context(tier, batch, speed, region))
    told = explained(cost, provider, model, at)
    emit(told, as_json, lambda: bill_table(told))


@app.command()
def update(as_json: JsonOption = False) -> None:
    """Which price data is in use, and how to get newer."""
    book = PriceBook.vendored()
    newer = installed_if_newer(book.source)
    state = {
        "packaged": book.source,
        "packaged_date": book.dated,
        "installed": f"{PACKAGE} {installed()}" if installed() else None,
        "in_use": f"{PACKAGE} {newer}" if newer else book.source,
        "refresh": f"pip install --upgrade {PACKAGE}",
    }
    emit(state, as_json, lambda: state_table(state))


def explained(cost: Cost, provider: str, model: str, at: date) -> dict[str, Any]:
    """A cost with its lines, in USD as exact decimal text; `None` where unknown."""
    return {
        "provider": provider,
        "model": model,
        "date": at,
        "status": cost.status,
        "reason": cost.reason,
        "price_model": cost.model,
        "version": cost.version,
        "source": cost.source,
        "total_usd": None if cost.total is None else usd(cost.total),
        "lines": [_line(line) for line in cost.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    price, per = _priced(line.bucket, line.rate)
    amount = None if line.amount is None else usd(line.amount)
    return {"bucket": line.bucket, "quantity": line.quantity, "usd": price, "per": per, "amount_usd": amount}


def _priced(bucket: str, rate: int | None) -> tuple[str | None, str]:
    """Pico-dollars a unit → dollars per million tokens or per thousand requests."""
    shift, per = (12 - PER_THOUSAND, "1k requests") if bucket in FEES else (12 - PER_MILLION, "1M tokens")
    return (None if rate is None else usd(rate * 10**shift)), per


def _book(overlay: Path | None) -> PriceBook:
    try:
        return load_book(overlay)
    except (OSError, ValueError) as error:
        raise CommandError(f"The price overlay cannot be used: {error}") from error


def _day(day: datetime | None) -> date:
    return (day or datetime.now(UTC)).date()


def _shown(book: PriceBook, provider: str, model: str, at: date) -> Iterator[Shown]:
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
        )


def _card_rates(found: Priced) -> Iterator[Rate]:
    """The card, without the buckets that cost what the bucket that they are a part of does."""
    columns = dict(zip(BUCKETS, zip(*found.card.rows, strict=True), strict=True))
    for bucket, column in columns.items():
        if column[0] is not None and column != columns.get(_WHOLE.get(bucket, "")):
            prices = [_priced(bucket, rate)[0] or "?" for rate in column]
            above = dict(zip(found.card.starts[1:], prices[1:], strict=True)) if len(set(prices)) > 1 else {}
            yield Rate(bucket=bucket, usd=prices[0], per=_priced(bucket, 0)[1], above=above)


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
    says = {name: _priced(name, rate)[0] for name, rate in entry.rates.items()}
    for above, rates in entry.tiers:
        says |= {f"{name} above {above}": _priced(name, rate)[0] for name, rate in rates.items()}
    if entry.multiplier:
        says["multiplier"] = f"{entry.multiplier[0]}/{entry.multiplier[1]}"
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
    steps = {name: [(start, _priced(name, price)[0]) for start, price in rate] for name, rate in rates.items()}
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
