"""`otel-llm-cost prices diff`: what changed between two days, or between two versions of the data."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.pricing.catalogue import Catalogue
from otel_llm_cost_exporter.prices.convert import convert
from otel_llm_cost_exporter.prices.data import PACKAGE, Prices, installed, read_data, updated_file
from otel_llm_cost_exporter.prices.diff import Change, Difference, Side, compare
from otel_llm_cost_exporter.prices.files import PriceFileError

from .output import CommandError, JsonOption, emit
from .prices_common import DateOption, OverlayOption, ProviderOption, day_of, priced, prices_in_force
from .prices_reports import diff_table

_SIDE: Final = "A day (2026-11-01), packaged, installed, updated, or a prices.json.xz file."


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=_SIDE)],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.  [default: today]")] = "",
    provider: ProviderOption = None,
    model: Annotated[str | None, typer.Option("--model", help="One model.")] = None,
    day: DateOption = None,
    overlay: OverlayOption = None,
    as_json: JsonOption = False,
) -> None:
    """What changed from A to B: rates by model and bucket, models that came and went.

    Days are of the data in force; versions of the data are compared on one day (--date), both under your overlays.
    """
    prices, at = prices_in_force(overlay), day_of(day)
    old = _side(before, prices, at)
    new = _side(after or datetime.now(UTC).date().isoformat(), prices, at)
    told = told_difference(compare(old, new, provider, model), old, new)
    emit(told, as_json, lambda: diff_table(told))


def _side(said: str, prices: Prices, day: date) -> Side:
    try:
        return Side(prices.book(), date.fromisoformat(said))
    except ValueError:
        return Side(PriceBook(_data(said), prices.overlays), day)


def _data(said: str) -> Catalogue:
    """A version of the data.  Raises CommandError where there is none."""
    if said == "packaged":
        return Catalogue.vendored()
    if said == "installed":
        if installed() is None:
            raise CommandError(f"{PACKAGE} is not installed.  Run: pip install {PACKAGE}")
        return Catalogue.decode(convert())
    path = updated_file() if said == "updated" else Path(said)
    if path is None or not path.exists():
        remedy = "otel-llm-cost prices update writes one." if said == "updated" else _SIDE
        raise CommandError(f"There are no prices {said!r}.  {remedy}")
    try:
        return Catalogue.decode(read_data(path))
    except PriceFileError as error:
        raise CommandError(str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{path} holds no price data that is understood here: {error}") from error


def told_difference(difference: Difference, before: Side, after: Side) -> dict[str, Any]:
    """A difference in USD, as JSON has it."""
    return {
        "from": _told_side(before),
        "to": _told_side(after),
        "changed": [_told(change) for change in difference.changed],
        "new": [{"provider": provider, "model": model} for provider, model in difference.new],
        "gone": [{"provider": provider, "model": model} for provider, model in difference.gone],
    }


def _told_side(side: Side) -> dict[str, Any]:
    return {"version": side.book.version, "source": side.book.source, "date": side.day}


def _told(change: Change) -> dict[str, Any]:
    return {
        "provider": change.provider,
        "model": change.model,
        "context": change.context,
        "bucket": change.bucket,
        "above": change.above,
        "old": priced(change.bucket, change.old)[0],
        "new": priced(change.bucket, change.new)[0],
        "per": priced(change.bucket, 0)[1],
        "percent": change.percent,
    }
