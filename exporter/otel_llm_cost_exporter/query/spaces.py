"""What a reader who is bound to projects sees of the database: another one, of views.

A filter on a table takes rows away, and leaves what is not a row.  A LowCardinality column keeps the dictionary of its
whole part, and functions run on the dictionary: one that fails on a value tells that the value is there, in whosever
row.  Virtual columns (`_part_offset`) count everybody's rows.  A view has neither: its columns are plain, made of the
rows that the filter left.

The database is one of the Memory engine: its views live as long as this process and are in no file.
"""

from __future__ import annotations

import re
import secrets
import threading
from typing import Final

from otel_llm_cost_exporter.store.raw import Raw, quoted

from . import lists

_DICTIONARY_ENCODED: Final = re.compile(r"LowCardinality\(((?:[^()]|\([^()]*\))*)\)")
_living: set[str] = set()
"""Databases that this process made and has not taken away."""


class Spaces:
    """The databases of views, made when somebody asks for the first time.  Safe to use from several threads."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._lock = threading.Lock()
        self._made: dict[tuple[str, ...], str] = {}
        for (name,) in raw.rows(lists.sql("spaces")):  # of a process that was killed: empty, and in nobody's use
            if name not in _living:
                raw.rows(f"DROP DATABASE IF EXISTS {name}")

    def of(self, projects: tuple[str, ...]) -> str:
        """The name of the database for readers of these projects."""
        with self._lock:
            if projects not in self._made:
                self._made[projects] = self._make(projects)
            return self._made[projects]

    def close(self) -> None:
        """Take all of them away."""
        with self._lock:
            for name in self._made.values():
                self._raw.rows(f"DROP DATABASE IF EXISTS {name}")
                _living.discard(name)
            self._made.clear()

    def _make(self, projects: tuple[str, ...]) -> str:
        name = f"reader_{secrets.token_hex(8)}"
        _living.add(name)
        self._raw.rows(f"CREATE DATABASE {name} ENGINE = Memory")
        for table, columns in self._raw.rows(lists.sql("columns")):
            types = dict(columns)
            open_to_all = lists.SHARED.get(table, types.keys())
            if "project" in types or lists.PUBLIC.fullmatch(table) or table in lists.SHARED:
                shown = ", ".join(_shown(column, kind) for column, kind in types.items() if column in open_to_all)
                rows = f"`{self._raw.database}`.`{table}`{_theirs(projects) if 'project' in types else ''}"
                self._raw.rows(f"CREATE VIEW {name}.`{table}` AS SELECT {shown} FROM {rows}")  # noqa: S608  # our own names
        return name


def _theirs(projects: tuple[str, ...]) -> str:
    return f" WHERE project IN ({', '.join(map(quoted, projects)) or 'NULL'})"


def _shown(column: str, kind: str) -> str:
    plain = _DICTIONARY_ENCODED.sub(r"\1", kind)
    return f"`{column}`" if plain == kind else f"CAST(`{column}`, {quoted(plain)}) AS `{column}`"
