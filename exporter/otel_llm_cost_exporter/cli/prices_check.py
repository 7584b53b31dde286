"""`otel-llm-cost prices check`: our rates beside those of a second public source."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from otel_llm_cost_exporter.prices.drift import PACKAGE, Compared, Drift, compare, installed_file, read
from otel_llm_cost_exporter.prices.files import PriceFileError

from .output import CommandError, JsonOption, emit
from .prices_common import DateOption, OverlayOption, ProviderOption, day_of, priced, prices_in_force
from .prices_reports import drift_table

_NOTHING: Final = 2
"""Exit status where there is nothing to compare with."""


def check(
    against: Annotated[
        Path | None, typer.Option("--against", help=f"Their JSON file. [default: that of an installed {PACKAGE}]")
    ] = None,
    provider: ProviderOption = None,
    day: DateOption = None,
    fail_over: Annotated[
        float | None,
        typer.Option("--fail-over", min=0, help="Exit 1 if a rate differs by more than so many %."),
    ] = None,
    overlay: OverlayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare our rates with LiteLLM's model_prices_and_context_window: what agrees, what differs, who knows what."""
    path, whose = _source(against)
    prices, at = prices_in_force(overlay), day_of(day)
    try:
        theirs = read(path)
    except PriceFileError as error:
        raise CommandError(str(error)) from error
    book = prices.book()
    drift = compare(book, at, (model for model in theirs if provider in (None, model.provider)))
    told = {"ours": book.version, "theirs": whose, "date": at, **_told_drift(drift)}
    emit(told, as_json, lambda: drift_table(told))
    if fail_over is not None and any(rate.percent is None or abs(rate.percent) > fail_over for rate in drift.differing):
        raise typer.Exit(1)


def _source(against: Path | None) -> tuple[Path, str]:
    if against is not None:
        return against, str(against)
    if found := installed_file():
        return found[0], f"{PACKAGE} {found[1]}"
    said = f"There is nothing to compare with: {PACKAGE} is not installed.  Run: pip install --no-deps {PACKAGE}"
    Console(stderr=True).print(f"{said}, or name its file: --against FILE", soft_wrap=True, highlight=False)
    raise typer.Exit(_NOTHING)


def _told_drift(drift: Drift) -> dict[str, Any]:
    return {
        "agreeing": len(drift.agreeing),
        "differing": [_told(rate) for rate in sorted(drift.differing, key=_by_size)],
        "only_they_have_a_rate": [_told(rate) for rate in drift.missing],
        "only_ours": [{"provider": provider, "model": model} for provider, model in drift.only_ours],
        "only_theirs": [{"provider": provider, "model": model} for provider, model in drift.only_theirs],
    }


def _by_size(rate: Compared) -> tuple[str, bool, Any]:
    """By vendor, the largest difference first."""
    return rate.provider, rate.percent is not None, -abs(rate.percent or Decimal(0))


def _told(rate: Compared) -> dict[str, Any]:
    return {
        "provider": rate.provider,
        "model": rate.model,
        "key": rate.key,
        "bucket": rate.bucket,
        "above": rate.above,
        "served": rate.served,
        "ours": priced(rate.bucket, rate.ours)[0],
        "theirs": priced(rate.bucket, rate.theirs)[0],
        "per": priced(rate.bucket, 0)[1],
        "percent": rate.percent,
    }
