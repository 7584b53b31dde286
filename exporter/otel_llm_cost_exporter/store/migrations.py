"""Migrations: numbered .sql files, applied once each, forward only.

What was applied is recorded in the database with the checksum of the file, so that a database never drifts from
the files without anybody noticing.  ClickHouse has no transaction around DDL: a file is recorded when its last
statement is through, and every statement must bear being run again (IF NOT EXISTS).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from .cluster import everywhere
from .errors import StoreError
from .statements import split

TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    name String,
    checksum FixedString(64),
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY name
"""
APPLIED = """
SELECT name, toString(argMin(checksum, applied_at)) AS checksum, min(applied_at) AS at
FROM schema_migrations GROUP BY name ORDER BY name
"""
"""What a database has: columns name, checksum, at."""

Command = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, and its text with line ends as \\n, so that a checkout cannot change the checksum."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of `schema_migrations`."""

    checksum: str
    at: datetime


def packaged() -> list[Migration]:
    """The files that came with this version: package data in a wheel, the repository's folder in a checkout."""
    installed = Path(str(files("otel_llm_cost_exporter"))) / "migrations"
    folder = installed if installed.is_dir() else Path(__file__).parents[3] / "clickhouse" / "migrations"
    found = [Migration(file.stem, _read(file)) for file in sorted(folder.glob("[0-9]*.sql"))]
    if not found:
        raise StoreError(f"no migrations found in {folder}: the installation is incomplete, install it again.")
    return found


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


def pending(known: Sequence[Migration], applied: Mapping[str, Applied]) -> list[Migration]:
    """What is left to apply; StoreError where database and files contradict each other."""
    names = {migration.name for migration in known}
    if newer := sorted(set(applied) - names):
        raise StoreError(
            f"the database is newer than this version of otel-llm-cost: it has migration {newer[-1]}."
            " Upgrade otel-llm-cost; the database was not touched."
        )
    for migration in known:
        done = applied.get(migration.name)
        if done is not None and done.checksum != migration.checksum:
            raise StoreError(
                f"migration {migration.name}.sql was changed after it was applied on {done.at:%Y-%m-%d}."
                " Put the file back as it was and bring the change in a new migration with the next number."
            )
    left = [migration for migration in known if migration.name not in applied]
    if left and applied and left[0].name < max(applied):
        raise StoreError(
            f"migration {left[0].name}.sql comes before {max(applied)}, which is applied already: migrations only go"
            " forward. Give the file the next free number."
        )
    return left


def apply(migration: Migration, command: Command, cluster: str = "") -> None:
    """Run every statement of a file, on one server or on each of a cluster, then record it."""
    for statement in [everywhere(statement, cluster) for statement in split(migration.sql)]:
        command(statement, {})
    command(
        "INSERT INTO schema_migrations (name, checksum) SELECT {name:String}, {checksum:String}",
        {"name": migration.name, "checksum": migration.checksum},
    )
