"""Whether a correction of history is under way.

`reprice` and `settle` change the rollup first and the rows after.  Between the two they differ, rightly: a rebuild
then would take the correction out again, and the rows' own change would never come to the rollup.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Protocol


class Queries(Protocol):
    """What is needed of a store to look."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


class Changes(Queries, Protocol):
    """What is needed of a store to build a rollup again."""

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None: ...


class NotNow(Exception):
    """It cannot be done as things are; the text says why and what to do."""


def refuse_beside_others(store: Queries) -> None:
    """Raises NotNow while another correction has begun and is not done: two at once would count a difference twice."""
    refuse_beside_runs(store)
    if store.query(sql("half_settled"))[0]["calls"]:
        raise NotNow("A `settle` has broken off or is running.  Let it end, or finish it: otel-llm-cost settle")


def refuse_beside_runs(store: Queries) -> None:
    """Raises NotNow while a reprice has begun and is not done."""
    if any(not row["done"] for row in runs(store)):
        raise NotNow("A `reprice` has broken off or is running.  Let it end, or finish it: otel-llm-cost reprice …")


def runs(store: Queries) -> list[dict[str, Any]]:
    """The runs of `reprice` that were carried out, the newest first."""
    return store.query(sql("runs"))


@cache
def sql(name: str) -> str:
    """The text of one of the packaged statements."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
