"""`otel-llm-cost settle`: calls that were counted and turned out to be told twice."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, emit
from .report import open_existing


def settle(
    store: StoreOption = DEFAULT_STORE,
    days: Annotated[int, typer.Option(min=1, max=366, help="Calls stored in the last so many days.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Set aside what two collectors, or two inserts, counted of one call.  Done again, it changes nothing."""
    from otel_llm_cost_exporter.rollups import NotNow  # noqa: PLC0415  # heavy
    from otel_llm_cost_exporter.settle import settle as settle_calls  # noqa: PLC0415  # heavy

    with open_existing(store) as opened:
        try:
            done = settle_calls(opened, days)
        except NotNow as error:
            raise CommandError(str(error)) from error
    lines = [f"{calls:,} calls set aside: {reason}" for reason, calls in sorted(done.set_aside.items())]
    if done.left_alone:
        lines.append(f"{done.left_alone:,} copies of calls came in the same millisecond and cannot be told apart.")
    emit(done, as_json, lambda: "\n".join(lines) or "Every call is counted once.")
    if done.drift:
        raise CommandError(f"{done.drift[0]}.  Run: otel-llm-cost rollups check")
