"""An export cut down to some providers, days or projects."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date

from .records import Charged, Export, ExportError, Used


def narrow(
    export: Export,
    providers: Collection[str] = (),
    since: date | None = None,
    until: date | None = None,
    projects: Collection[str] = (),
) -> Export:
    """What of an export is asked for; `until` is the first day no longer in.

    ExportError if nothing is left, or if projects are asked for and it is not grouped by them.
    """

    def wanted(provider: str, day: date) -> bool:
        return (not providers or provider in providers) and (since or day) <= day and (until is None or day < until)

    cut = replace(
        export,
        used=tuple(one for one in export.used if wanted(one[0], one[2].day)),
        charged=tuple(one for one in export.charged if wanted(one[0], one[1].day)),
        covered=frozenset(one for one in export.covered if wanted(one[0], one[2])),
    )
    if not cut.covered:
        days = f"{min(export.days)} to {max(export.days)}" if export.days else "no day"
        raise ExportError(
            f"Nothing is left to compare: the export has {', '.join(export.providers) or 'no provider'}, {days}."
            "  Give other files, or other --provider, --since, --until."
        )
    return _of_projects(cut, projects) if projects else cut


def _of_projects(export: Export, projects: Collection[str]) -> Export:
    records: list[Used | Charged] = [*(one[2] for one in export.used), *(one[1] for one in export.charged)]
    there = {record.project for record in records} - {None}
    missing = sorted(set(projects) - there)
    if missing:
        raise ExportError(
            f"The export has no project or workspace {', '.join(missing)}: it has"
            f" {', '.join(sorted(filter(None, there))) or 'none, because it is not grouped by them: export it so'}."
        )
    return replace(
        export,
        used=tuple(one for one in export.used if one[2].project in projects),
        charged=tuple(one for one in export.charged if one[1].project in projects),
    )
