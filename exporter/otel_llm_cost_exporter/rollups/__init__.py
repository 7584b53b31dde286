"""The reconciler: rollups hold what the rows of `llm_calls` make, and where they do not, they are mended.

A materialized view sees an insert once, when it comes.  A view that fails, a crash between the rows and the view, a
row changed by hand: any of them leaves a rollup that differs from the rows for good, and nothing in ClickHouse tells.
So the rows are the truth and a rollup is a cache of them: `check` asks the rollup's own view what it makes of the rows
of some days, as they are now, and compares that with what is held; `mend` makes such days right, and `rebuild` builds
them from nothing; `Watch` looks and mends all the time in the collector.

Sums are compared, to the last decimal.  A column that holds a state (AggregateFunction, such as a quantile) is not: two
digests of the same values need not be the same bytes, nor give the same quantile.  It is written by the same insert as
the sums beside it and fails with them, so every rollup has a sum, its count of calls at least, that tells for all.
"""

from __future__ import annotations

from .check import Drift, check, copies, steady
from .declared import ROLLUPS, Rollup
from .rebuild import leftovers, mend, rebuild, sweep
from .under_way import NotNow
from .watch import State, Watch

__all__ = [
    "ROLLUPS",
    "Drift",
    "NotNow",
    "Rollup",
    "State",
    "Watch",
    "check",
    "copies",
    "leftovers",
    "mend",
    "rebuild",
    "steady",
    "sweep",
]
