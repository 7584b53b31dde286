"""Data source names, and the two handles a store works with.

A client of the driver is one lock on one session, so inserts and queries get a handle each: a slow report must
not hold up the writer.  The embedded engine and a server differ here and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError

from .cluster import quoted
from .errors import StoreAway, StoreError
from .holder import hold, release

# a line without content, before the error that says it all
logging.getLogger("clickhouse_connect.driver._backend.http_sync").addFilter(
    lambda record: record.msg != "Unexpected Http Driver Exception"
)

_AUTHENTICATION = frozenset({192, 193, 194, 516})
_UNKNOWN_DATABASE = 81
# values that do not parse, convert or fit
_BAD_ROWS = frozenset({6, 27, 33, 38, 41, 53, 69, 70, 72, 131, 321, 407})


@dataclass(frozen=True, slots=True)
class Target:
    """A data source name, read: an embedded path (None for memory) or a server."""

    shown: str
    embedded: bool
    path: Path | None = None
    database: str = ""
    dsn: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    engine: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    """The cluster that tables are made on; empty: one server."""


@dataclass(frozen=True, slots=True)
class Handles:
    """A handle for inserts and one for queries."""

    write: Client
    read: Client


def parse(dsn: str) -> Target:
    """`chdb:///abs`, `chdb:///./relative`, `chdb://memory` or `clickhouse[s]://user:password@host:port/database`.

    What follows a `?` are options: of the engine for chdb (max_server_memory_usage=…), of the driver for a server, and
    there `cluster=…`, the cluster that tables are made on.

    A malformed address may have a piece of the password anywhere, so no part of one is ever told.
    """
    try:
        parts = urlsplit(dsn)
    except ValueError:
        raise StoreError(f"the store address cannot be read. {_ENCODE} {_FORMS}") from None
    if parts.scheme == "chdb":
        if any(name == "cluster" for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
            raise StoreError(f"the embedded engine is no cluster: leave cluster=… out, or name a server. {_FORMS}")
        path = _embedded_path(parts.netloc, unquote(parts.path))
        return Target(dsn, embedded=True, path=path, engine=_ENGINE | dict(parse_qsl(parts.query)))
    if parts.scheme not in ("clickhouse", "clickhouses", "http", "https"):
        raise StoreError(f"unknown kind of store. {_FORMS}")
    port = _checked_port(parts)
    host = f"{parts.hostname}:{port}" if port else parts.hostname
    secure = parts.scheme in ("clickhouses", "https")
    options, cluster = _without_cluster(parts.query)
    query = "&".join(filter(None, (options, "secure=true" if secure else "")))
    return Target(
        shown=f"{parts.scheme}://{host}{parts.path}",
        embedded=False,
        database=unquote(parts.path.strip("/")),
        dsn=urlunsplit(("clickhouse", parts.netloc, "", query, "")),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        cluster=cluster,
    )


def _without_cluster(query: str) -> tuple[str, str]:
    """The options that are the driver's, and the name of the cluster."""
    mine = [option for option in query.split("&") if option.partition("=")[0] == "cluster"]
    cluster = unquote(mine[-1].partition("=")[2]) if mine else ""
    if mine:
        quoted(cluster)
    return "&".join(option for option in query.split("&") if option not in mine), cluster


def local_source(target: Target) -> str:
    """What a dictionary of a server needs to read a table of that server: it logs in like anybody else."""
    said = {"DB": target.database} if target.database else {}
    if target.user:
        said |= {"USER": target.user, "PASSWORD": target.password}
    return " ".join(f"{name} {_quoted(value)}" for name, value in said.items())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _checked_port(parts: SplitResult) -> int | None:
    """The port of a server's address; StoreError if the address is not what its writer meant."""
    if any("@" in part for part in (parts.path, parts.query, parts.fragment)):
        raise StoreError(f"the store address has an @ behind the host. {_ENCODE} {_FORMS}")
    if not parts.hostname:
        raise StoreError(f"the store address names no host. {_FORMS}")
    if _CREDENTIALS.intersection(name for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise StoreError(f"the store address has a user or password behind the ?: they stand before the host. {_FORMS}")
    try:
        return parts.port
    except ValueError:
        raise StoreError(f"the store address cannot be read: its port is no number. {_ENCODE} {_FORMS}") from None


_CREDENTIALS = frozenset({"user", "username", "password", "access_token", "token_provider"})
_ENCODE = "If the password has / # ? @ or [ in it, percent-encode them (%2F %23 %3F %40 %5B)."
# the engine shares a machine, often a process, with the work that it watches
_ENGINE = {"max_server_memory_usage": str(2 << 30), "mark_cache_size": str(64 << 20)}
_FORMS = "Use chdb:///./llm_cost.db (embedded) or clickhouse://user:password@host:8123/database (a server)."


def _embedded_path(place: str, path: str) -> Path | None:
    if place in ("memory", ":memory:") or path == "/:memory:":
        return None
    if place:
        raise StoreError(f"the store address names no path: an embedded store has three slashes. {_FORMS}")
    if path in ("", "/"):
        raise StoreError(f"chdb:// needs a path. {_FORMS}")
    relative = path.startswith(("/./", "/../"))
    return Path(path[1:] if relative else path).resolve()


def connect(target: Target, *, create: bool) -> Handles:
    """Two live handles; with `create`, a database that is missing on a server is made.  Raises StoreError."""
    return _connect_embedded(target) if target.embedded else _connect_server(target, create)


def disconnect(target: Target, handles: Handles) -> None:
    """Close both handles and give an embedded path back."""
    for handle in (handles.write, handles.read):
        with suppress(ClickHouseError, OSError):
            handle.close()
    if target.path is not None:
        release(target.path)


def _connect_embedded(target: Target) -> Handles:
    if target.path is not None:
        hold(target.path)
    try:
        options: dict[str, Any] = {"interface": "chdb", "tz_mode": "aware", "chdb_options": dict(target.engine)}
        if target.path is not None:
            target.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # the engine would let everybody in
            options["path"] = str(target.path)
        return _pair(options)
    except ImportError as error:
        _give_back(target)
        raise StoreError(
            "the embedded engine is not installed: pip install 'otel-llm-cost[embedded]', or give a ClickHouse"
            " server (clickhouse://…)."
        ) from error
    except (ClickHouseError, OSError) as error:
        _give_back(target)
        raise StoreError(
            f"the embedded engine cannot open {target.shown}: {brief(error).rstrip('.')}. Most often another process"
            " has it open without going through otel-llm-cost, or something else is in its place; give another path."
        ) from error


def _give_back(target: Target) -> None:
    if target.path is not None:
        release(target.path)


def _connect_server(target: Target, create: bool) -> Handles:
    options: dict[str, Any] = {
        "dsn": target.dsn,
        "autogenerate_session_id": False,
        "connect_timeout": 5,
        "send_receive_timeout": 60,
        "tz_mode": "aware",
    }
    try:
        if create and target.database:
            _create_database(options, target)
        return _pair(options | ({"database": target.database} if target.database else {}))
    except (TypeError, ValueError, AttributeError) as error:  # the driver's, on options; they may be quoted in it
        raise StoreError(
            f"{target.shown}: the options behind the ? of the store address are not understood"
            f" ({type(error).__name__}). Leave them out, or see the options of clickhouse_connect.get_client."
        ) from None
    except (ClickHouseError, OSError) as error:
        raise _server_error(target, error) from error


def _create_database(options: dict[str, Any], target: Target) -> None:
    """Make the database unless it is there; a user who may not create one may still use one that exists."""
    with clickhouse_connect.get_client(**options) as client:
        if target.database not in [row[0] for row in client.query("SELECT name FROM system.databases").result_rows]:
            name = target.database.replace("\\", "\\\\").replace("`", "\\`")
            where = f" ON CLUSTER {quoted(target.cluster)}" if target.cluster else ""
            client.command(f"CREATE DATABASE IF NOT EXISTS `{name}`{where}")


def _pair(options: dict[str, Any]) -> Handles:
    write = clickhouse_connect.get_client(**options)
    try:
        return Handles(write, clickhouse_connect.get_client(**options))
    except BaseException:
        write.close()
        raise


def _server_error(target: Target, error: Exception) -> StoreError:
    code = getattr(error, "code", None)
    if code in _AUTHENTICATION:
        return StoreError(f"{target.shown} refuses the user or password. Check both in the store address.")
    if code == _UNKNOWN_DATABASE:
        return StoreError(f"{target.shown}: there is no such database. Run `otel-llm-cost migrate` to make it.")
    if code is None:
        return StoreAway(
            f"no ClickHouse answers at {target.shown}: {brief(error)} Check that it runs and that the port is its"
            " HTTP port (8123, or 8443 with clickhouses://)."
        )
    return StoreError(f"{target.shown}: {brief(error)}")


def explain(target: Target, doing: str, error: Exception, *, rows_at_fault: bool = False) -> StoreError:
    """A failure of the driver on an open store, as ours."""
    code = getattr(error, "code", None)
    unencodable = rows_at_fault or isinstance(error, (DataError, ValueError, TypeError, OverflowError, AttributeError))
    told = brief(error)
    if target.password:
        told = told.replace(target.password, "…")
    return StoreError(
        f"{doing} failed on {target.shown}: {told}",
        rows_at_fault=unencodable if code is None else code in _BAD_ROWS,
    )


def brief(error: Exception) -> str:
    """The first line of an error, short: engines append whole statements, and those may hold data."""
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "…"
