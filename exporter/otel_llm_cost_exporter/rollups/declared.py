"""Which rollups there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table that one view makes of another table's rows, partitioned by `toYYYYMM` of its time.

    Other views may write to it too (corrections, calls set aside), as long as the source's own rows say the same once
    the correction is done.  A rollup of a rollup names that as its source and is declared after it.
    """

    name: str
    view: str
    time: str
    """Its column of time, a Date or a DateTime in UTC: no group spans two days."""
    source: str = "llm_calls"
    source_time: str = "ts"
    money: str = "cost"
    """The column by which a difference is told in money; there may be none of that name."""


ROLLUPS: Final = (Rollup(name="cost_hourly", view="cost_hourly_mv", time="hour"),)
