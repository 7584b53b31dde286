"""`otel-llm-cost prices validate`: everything that is wrong with a file of prices, line by line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from otel_llm_cost.pricing import Overlay
from otel_llm_cost_exporter.prices.data import Prices, newest_data
from otel_llm_cost_exporter.prices.files import Finding, OverlayFile, PriceFileError, overlay_files, read_overlay
from otel_llm_cost_exporter.prices.lint import findings

from .output import CommandError, JsonOption, console, emit


def validate(
    file: Annotated[Path, typer.Argument(help="An overlay, YAML or JSON.")],
    as_json: JsonOption = False,
) -> None:
    """All faults of an overlay as file:line:column, and entries that no call can meet.  Exit status 1 if there are any.

    A hint alone is no fault.
    """
    try:
        found = findings(OverlayFile(file, "option"), _others(file))
    except PriceFileError as error:
        if not error.findings:
            raise CommandError(str(error)) from error
        found = error.findings
    if as_json:
        emit([_told(finding) for finding in found], as_json, lambda: "")
    else:  # one line each and never folded, as compilers write them
        console.print(Text("\n".join(map(str, found)) or f"{file}: nothing to mend"), soft_wrap=True)
    if any(finding.level != "hint" for finding in found):
        raise typer.Exit(1)


def _others(file: Path) -> Prices:
    """The prices that the file lies over; what is wrong with another file is not told of this one."""
    which, catalogue = newest_data()
    overlays = [Overlay.vendored()]
    for other in overlay_files():
        if other.path.resolve() != file.resolve():
            with suppress(PriceFileError):
                overlays.append(read_overlay(*other))
    return Prices(catalogue, tuple(overlays), (), which)


def _told(finding: Finding) -> dict[str, str | int]:
    return {
        "file": str(finding.path),
        "line": finding.line,
        "column": finding.column,
        "field": finding.field,
        "level": finding.level,
        "message": finding.message,
    }
