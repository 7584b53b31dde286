"""Lines of a table."""

from __future__ import annotations

from collections.abc import Iterable


def line(row: Iterable[str]) -> str:
    """One row."""
    return f"| {' | '.join(row)} |"


def heading(*columns: str) -> list[str]:
    """The two rows that begin a table."""
    return [line(columns), line(["---"] * len(columns))]
