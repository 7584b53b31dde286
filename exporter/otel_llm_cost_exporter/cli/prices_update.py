"""`otel-llm-cost prices update`: which prices are in force, and newer ones without touching what is installed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from otel_llm_cost.pricing import Overlay, PriceBook
from otel_llm_cost.pricing.catalogue import Catalogue
from otel_llm_cost_exporter.prices.convert import convert
from otel_llm_cost_exporter.prices.data import PACKAGE, installed, load_prices, newer, updated_data, updated_file
from otel_llm_cost_exporter.prices.diff import Side, compare
from otel_llm_cost_exporter.prices.download import DownloadError, checked, download, write_data
from otel_llm_cost_exporter.prices.files import PriceFileError

from .output import CommandError, JsonOption, emit
from .prices_common import files_told
from .prices_diff import told_difference
from .prices_reports import update_table


def update(
    fetch: Annotated[
        bool, typer.Option("--download", help=f"Fetch the newest {PACKAGE} from the package index, by pip or uv.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change; write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Refresh the price data, and say which prices are in force.

    The data of the installed genai-prices, or with --download of the newest there is, is written to a file of yours
    (in $XDG_DATA_HOME) that is used from then on, as long as it is the newest.
    """
    told, raw = _state(), _candidate(fetch)
    old, damaged = _file_or_packaged()
    told["offered"] = raw and raw["source"]
    if raw is not None and newer(raw["source"], old.source):
        today = datetime.now(UTC).date()
        sides = Side(_book(old), today), Side(_book(Catalogue.decode(raw)), today)
        told["changes"] = told_difference(compare(*sides), *sides)
        if not dry_run:
            told["written"], told["in_use"] = _write(raw), raw["source"]
    elif damaged and not dry_run:
        told["removed"] = _remove()
    emit(told, as_json, lambda: update_table(told))


def _state() -> dict[str, Any]:
    """What there is, before anything is done."""
    path = updated_file()
    state = {
        "packaged": Catalogue.vendored().source,
        "packaged_date": Catalogue.vendored().date,
        "installed": f"{PACKAGE} {installed()}" if installed() else None,
        "updated": str(path) if path and path.exists() else None,
        "in_use": None,
        "files": [],
        "problem": None,
        "offered": None,
        "written": None,
        "removed": None,
        "changes": None,
        "refresh": "otel-llm-cost prices update --download",
    }
    try:
        prices = load_prices()
    except PriceFileError as error:  # a damaged file is what this command is to mend
        return {**state, "problem": str(error)}
    return {**state, "in_use": prices.catalogue.source, "files": files_told(prices)}


def _file_or_packaged() -> tuple[Catalogue, bool]:
    """The data that a new file has to be newer than, and whether the file that is there is damaged."""
    packaged = Catalogue.vendored()
    try:
        updated = updated_data()
    except PriceFileError:
        return packaged, True
    return (updated if updated and newer(updated.source, packaged.source) else packaged), False


def _candidate(fetch: bool) -> dict[str, Any] | None:
    """The data that is on offer, if any."""
    if not fetch:
        return checked(convert()) if installed() else None
    try:
        return download()
    except DownloadError as error:
        raise CommandError(f"The prices are as they were: {error}") from error


def _book(catalogue: Catalogue) -> PriceBook:
    return PriceBook(catalogue, (Overlay.vendored(),))


def _write(raw: dict[str, Any]) -> Path:
    path = updated_file()
    if path is None:
        raise CommandError("There is no place for the file: set XDG_DATA_HOME or HOME.")
    try:
        write_data(path, raw)
    except PriceFileError as error:
        raise CommandError(str(error)) from error
    return path


def _remove() -> Path | None:
    """Take the damaged file away: nothing newer than the package is to be had."""
    path = updated_file()
    if path is not None:
        path.unlink(missing_ok=True)
    return path
