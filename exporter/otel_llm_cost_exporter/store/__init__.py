"""The store: the only package that speaks to ClickHouse, embedded (chDB) or a server.

    with Store.open("chdb:///./llm_cost.db") as store:
        store.query("SELECT sum(cost) FROM llm_calls WHERE counted")

Inserts are columnar and synchronous: when `insert` returns, the rows and every rollup fed from them are stored.
An insert carries a token, and the same token with the same rows is stored once, in the tables and the rollups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from clickhouse_connect.driver.exceptions import ClickHouseError

from .cluster import dictionaries_everywhere, everywhere
from .columns import block, scaled
from .connect import Handles, Target, connect, disconnect, explain, local_source, parse
from .errors import StoreAway, StoreError, StoreHeld
from .holder import announce
from .migrations import APPLIED, TABLE, Applied, apply, packaged, pending
from .raw import Raw

__all__ = ["MigrationState", "Store", "StoreAway", "StoreError", "StoreHeld", "embedded_path"]

# One batch may span many months, a partition each; deduplication must reach the rollups too.
_INSERT_SETTINGS = {
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    "async_insert": "0",
    "max_partitions_per_insert_block": "1000",
}
_BLOCK = "20000"
# what the driver lets through beside its own errors: transport, and values that do not fit a column
_DRIVER_FAULTS = (ClickHouseError, OSError, ValueError, TypeError, OverflowError, AttributeError)


class MigrationState(NamedTuple):
    """A migration this version knows: when it was applied (None: not yet), and whether the file is still the same."""

    name: str
    applied_at: datetime | None
    checksum_ok: bool


def embedded_path(dsn: str) -> Path | None:
    """Where an embedded store is; None for one in memory or a server.  StoreError if the address cannot be read."""
    return parse(dsn).path


class Store:
    """An open database.  Safe to use from several threads; each of insert and query takes one at a time."""

    def __init__(self, target: Target, handles: Handles) -> None:
        self._target = target
        self._handles = handles
        self._types: dict[str, dict[str, Any]] = {}
        self._closed = False

    @classmethod
    def open(cls, dsn: str, *, migrate: bool = True, create: bool = False) -> Self:
        """Open `chdb:///path`, `chdb://memory` or `clickhouse://…`; StoreError says who holds it and what to do.

        `create` makes a server's database where it is missing; `migrate` does that too and makes the tables.
        """
        target = parse(dsn)
        store = cls(target, connect(target, create=create or migrate))
        if migrate:
            try:
                store.migrate()
            except BaseException:
                store.close()
                raise
        return store

    def another(self) -> Self:
        """The same database by handles of their own: what takes long there keeps nobody waiting here."""
        return type(self)(self._target, connect(self._target, create=False))

    @property
    def address(self) -> str:
        """The data source name without its password."""
        return self._target.shown

    @property
    def embedded(self) -> bool:
        """Whether the engine is in this process."""
        return self._target.embedded

    def migrate(self) -> list[str]:
        """Apply what is pending and return the names; StoreError if database and files contradict each other."""
        self._command(everywhere(TABLE, self._target.cluster), {})
        left = pending(packaged(), self._applied())
        for migration in left:
            apply(migration, self._command, self._target.cluster)
        return [migration.name for migration in left]

    def migrations(self) -> list[MigrationState]:
        """Every migration this version knows, with its state in this database."""
        applied = self._applied()
        return [
            MigrationState(
                migration.name,
                done.at if (done := applied.get(migration.name)) else None,
                done is None or done.checksum == migration.checksum,
            )
            for migration in packaged()
        ]

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]], token: str) -> None:
        """Store rows given as columns; on return they are stored.

        Decimal columns take integers of the column's own unit, DateTime64 columns integers of theirs.  The same
        token with the same rows again changes nothing.  StoreError says by `rows_at_fault` if a retry is of no use.
        """
        self.insert_block(table, tuple(columns), self.encode(table, columns), token)

    def encode(self, table: str, columns: Mapping[str, Sequence[Any]]) -> bytes:
        """Rows given as columns, as for `insert`, as one block of ClickHouse's Native format.

        Nothing is stored.  StoreError with `rows_at_fault` where a value does not fit its column.
        """
        types = self._column_types(table)
        try:
            return block({name: types[name] for name in columns}, list(columns.values()))
        except _DRIVER_FAULTS as error:
            raise explain(self._target, f"an insert into {table}", error, rows_at_fault=True) from error

    def insert_block(self, table: str, names: Sequence[str], block: bytes, token: str) -> None:
        """Store a block that `encode` made of these columns, today or before a restart; else as `insert`."""
        settings = _INSERT_SETTINGS | {"insert_deduplication_token": token}
        try:
            self._handles.write.raw_insert(table, list(names), block, settings=settings, fmt="Native")
        except _DRIVER_FAULTS as error:
            raise explain(self._target, f"an insert into {table}", error) from error

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows as dictionaries; parameters are bound as `{name:Type}`; instants come in UTC."""
        try:
            result = self._handles.read.query(sql, parameters=dict(parameters or {}))
        except _DRIVER_FAULTS as error:
            raise explain(self._target, "a query", error) from error
        return [dict(zip(result.column_names, map(_in_utc, row), strict=True)) for row in result.result_rows]

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[list[dict[str, Any]]]:
        """As `query`, a block of rows at a time; no other query can be asked until it is at its end or closed."""
        settings = {"max_block_size": _BLOCK}
        try:
            blocks = self._handles.read.query_row_block_stream(
                sql, parameters=dict(parameters or {}), settings=settings
            )
            with blocks:
                names = getattr(blocks.source, "column_names", ())
                for block in blocks:
                    yield [dict(zip(names, map(_in_utc, row), strict=True)) for row in block]
        except _DRIVER_FAULTS as error:
            raise explain(self._target, "a query", error) from error

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that gives nothing.

        `/* credentials */` in it becomes what a dictionary's SOURCE(CLICKHOUSE(…)) needs to read this very database.
        """
        self._command(dictionaries_everywhere(sql, self._target.cluster), parameters or {}, "a statement")

    def raw(self) -> Raw:
        """The embedded engine itself, for statements of others: read-only, and beside what this store does."""
        return Raw(self._target)

    def announce(self, query: str, *, key: bool) -> None:
        """Say where this process answers queries, for others that find the path held; `key`: whether it wants one."""
        if self._target.path is not None:
            announce(self._target.path, query, key=key)

    def ping(self) -> None:
        """Run a query on the calls table; StoreError if the store does not answer or has no such table."""
        self.query("SELECT 1 FROM llm_calls LIMIT 0")

    def close(self) -> None:
        """Close both handles; safe to call again."""
        if not self._closed:
            self._closed = True
            disconnect(self._target, self._handles)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self, sql: str, parameters: Mapping[str, Any], doing: str = "a migration") -> None:
        sql = sql.replace("/* credentials */", local_source(self._target))
        try:
            self._handles.write.command(sql, parameters=dict(parameters))
        except _DRIVER_FAULTS as error:
            raise explain(self._target, doing, error) from error

    def _applied(self) -> dict[str, Applied]:
        if not self.query("EXISTS TABLE schema_migrations")[0]["result"]:
            return {}
        return {row["name"]: Applied(row["checksum"], row["at"]) for row in self.query(APPLIED)}

    def _column_types(self, table: str) -> dict[str, Any]:
        """Column name → driver type, read from the table once."""
        if table not in self._types:
            try:
                context = self._handles.write.create_insert_context(table)
            except _DRIVER_FAULTS as error:
                raise explain(self._target, f"reading the columns of {table}", error) from error
            self._types[table] = {
                name: scaled(kind) for name, kind in zip(context.column_names, context.column_types, strict=True)
            }
        return self._types[table]


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
