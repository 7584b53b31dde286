"""What the commands of `otel-llm-cost prices` share: their options, the prices in force, and how a rate is written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from otel_llm_cost.pricing.buckets import FEES
from otel_llm_cost.pricing.money import PER_MILLION, PER_THOUSAND, usd
from otel_llm_cost_exporter.prices.data import Prices, load_prices, packaged_file, updated_file
from otel_llm_cost_exporter.prices.files import ENVIRONMENT, PriceFileError

from .output import CommandError

DateOption = Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="A day. [default: today]")]
OverlayOption = Annotated[
    Path | None, typer.Option("--overlay", help=f"Prices of yours, over all others and ${ENVIRONMENT}.")
]
ProviderOption = Annotated[str | None, typer.Option("--provider", help="As in gen_ai.provider.name.")]


def prices_in_force(overlay: Path | None = None) -> Prices:
    """The data and the overlays; what is wrong with them becomes the command's message."""
    try:
        return load_prices(overlay)
    except PriceFileError as error:
        raise CommandError(f"The prices cannot be used.\n{error}") from error


def day_of(day: datetime | None) -> date:
    """The day asked for, or today in UTC."""
    return (day or datetime.now(UTC)).date()


def moment(text: str | None) -> date | datetime:
    """A day (`2026-11-01`), or a moment (`2026-11-01T03:00Z`; in UTC where nothing else is said)."""
    if text is None:
        return datetime.now(UTC).date()
    try:
        if len(text) == len("2026-11-01"):
            return date.fromisoformat(text)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no day and no moment: write 2026-11-01, or 2026-11-01T03:00Z.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def priced(bucket: str, rate: int | None) -> tuple[str | None, str]:
    """Pico-dollars a unit → dollars per million tokens or per thousand requests."""
    shift, per = (12 - PER_THOUSAND, "1k requests") if bucket in FEES else (12 - PER_MILLION, "1M tokens")
    return (None if rate is None else usd(rate * 10**shift)), per


def files_told(prices: Prices) -> list[dict[str, Any]]:
    """The files in force, lowest rank first: what they are and where."""
    data = {"packaged": packaged_file(), "updated": updated_file()}.get(prices.data)
    told = [{"what": f"{prices.data} data", "path": data and str(data), "says": prices.catalogue.source}]
    for overlay, file in zip(prices.overlays[-len(prices.files) :] if prices.files else (), prices.files, strict=True):
        count = len(overlay.entries)
        says = f"{count} {'entry' if count == 1 else 'entries'}"
        told.append({"what": f"{file.origin} overlay", "path": str(file.path), "says": says})
    return told
