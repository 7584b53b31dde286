"""Statements of others on an open embedded store: read-only, bounded, and their answers as streams of bytes.

Every statement gets a connection of its own to the engine of this process (a tenth of a millisecond), so that no
setting outlives it and none waits for an insert or another statement.  What it may do is set first and sealed with
`readonly = 1`: from then on the engine refuses writes, other settings, and every source that is not a table.

The engine writes an answer itself, in any format and compression, into a pipe (`INTO OUTFILE '/dev/fd/…'`).  A pipe
holds a megabyte, so nobody's answer is ever in memory as a whole; and the first bytes are there while the rest is
computed.

`readonly` is not the whole wall: it leaves the function `file()`, INTO OUTFILE, KILL and `python()`.  Who lets
strangers in reads their statements first (`written`, `functions`).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import threading
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlencode

from .connect import Target
from .errors import StoreError

_SET_PIPE_SIZE: Final = 1031  # F_SETPIPE_SZ, which Linux has and Python 3.11 names only there
_PIPE: Final = 1 << 20
_OUR_QUESTION: Final = re.compile(r"\s*:?\s*In scope SELECT formatQuerySingleLine\(.*(?= \(\w+\)$)", re.DOTALL)
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


class EngineFault(Exception):
    """What the engine said of a statement; `code` is ClickHouse's."""

    def __init__(self, text: str) -> None:
        start = text.find("Code: ")
        super().__init__(text[start:].strip() if start >= 0 else text.strip())
        digits = str(self).removeprefix("Code: ").partition(".")[0]
        self.code = int(digits) if digits.isdigit() else 1002  # UNKNOWN_EXCEPTION


class Function(NamedTuple):
    """A function of the engine by one of its names; `of` is its own, and `category` its kind (empty: unknown)."""

    name: str
    of: str
    category: str


def quoted(text: str) -> str:
    """The text as a string of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Order(NamedTuple):
    sql: str
    form: str
    compression: str
    parameters: Mapping[str, str]
    select: bool

    def into(self, descriptor: int) -> str:
        packed = f" COMPRESSION {quoted(self.compression)} LEVEL 1" if self.compression else ""
        return f"{self.sql}\nINTO OUTFILE '/dev/fd/{descriptor}' TRUNCATE{packed} FORMAT {self.form}"


class Raw:
    """The engine of an open embedded store, for statements as text.  Safe to use from several threads.

    StoreError where the store is a server: that one answers for itself.
    """

    def __init__(self, target: Target) -> None:
        if not target.embedded:
            raise StoreError(f"{target.shown} is a ClickHouse server: ask it, it needs no query endpoint.")
        place = ":memory:" if target.path is None else str(target.path)
        self._address = f"{place}?{urlencode(target.engine)}" if target.engine else place
        self._lock = threading.Lock()
        self._desk = self._connect()
        self.version, self.timezone, self.database = self.rows("SELECT version(), timezone(), currentDatabase()")[0]

    def rows(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[list[Any]]:
        """The answer to a statement of our own, at once; strings stay strings, 64-bit integers come as such."""
        with self._lock:
            answer = _ask(self._desk, sql, "JSONCompact", parameters)
        rows: list[list[Any]] = json.loads(answer)["data"] if answer else []
        return rows

    def written(self, sql: str) -> str:
        """One statement as the engine itself writes it: in one line, without comments, every name quoted one way.

        EngineFault where it is no statement, or several.
        """
        try:
            told: str = self.rows("SELECT formatQuerySingleLine({sql:String})", {"sql": sql.translate(_ESCAPES)})[0][0]
        except EngineFault as fault:
            raise EngineFault(_OUR_QUESTION.sub("", str(fault))) from None
        return told

    def functions(self) -> list[Function]:
        """All that the engine knows, under every name."""
        found = self.rows("SELECT name, categories, alias_to FROM system.functions")
        categories = {name: category for name, category, _ in found}
        return [Function(name, alias or name, category or categories.get(alias, "")) for name, category, alias in found]

    def table_functions(self) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM system.table_functions")]

    def start(
        self,
        sql: str,
        form: str,
        settings: Mapping[str, str],
        parameters: Mapping[str, str],
        *,
        compression: str = "",
        readonly: int = 1,
        select: bool = True,
        database: str = "",
    ) -> Running:
        """Begin a statement without FORMAT; its bytes in the format `form` are read from what is given back.

        `settings` are believed; `parameters` come as text with tabs and line ends escaped.  What is no SELECT
        (`select`) has an answer of a few lines, made as a whole: the engine writes that of SHOW into no file.
        `database` is the one that names without one are of, unless it is the store's.
        """
        tag = uuid.uuid4().hex
        connection = self._connect()
        try:
            if database:
                _ask(connection, f"USE {database}", "Null")
            sealed = {**settings, "log_comment": tag, "readonly": str(readonly)}
            _ask(connection, f"SET {', '.join(f'{name} = {quoted(value)}' for name, value in sealed.items())}", "Null")
            return Running(self, connection, tag, _Order(sql, form, compression, parameters, select))
        except BaseException:
            connection.close()
            raise

    def ask(
        self, sql: str, settings: Mapping[str, str], parameters: Mapping[str, str], *, database: str = ""
    ) -> list[list[Any]]:
        """As `start`, for an answer of a few rows."""
        with self.start(sql, "JSONCompact", settings, parameters, select=False, database=database) as running:
            answer = b"".join(iter(running.read, b""))
        if running.fault is not None:
            raise running.fault
        rows: list[list[Any]] = json.loads(answer)["data"]
        return rows

    def kill(self, tag: str) -> None:
        """Ask the engine to end a statement; it does so within about a tenth of a second."""
        with suppress(EngineFault), self._lock:
            _ask(self._desk, f"KILL QUERY WHERE Settings['log_comment'] = {quoted(tag)} ASYNC", "Null")

    def close(self) -> None:
        with self._lock:
            self._desk.close()

    def _connect(self) -> Any:
        try:
            import chdb  # noqa: PLC0415  # an optional dependency, and heavy
        except ImportError as error:
            raise StoreError("the embedded engine is not installed: pip install 'otel-llm-cost[embedded]'") from error
        return chdb.connect(self._address)  # type: ignore[no-untyped-call]


class Running:
    """A statement under way.  `read` until it gives nothing, then look at `fault`; `close` ends it at any time."""

    def __init__(self, raw: Raw, connection: Any, tag: str, order: _Order) -> None:
        self.fault: EngineFault | None = None
        self.tag = tag
        self._raw = raw
        self._connection = connection
        self._closed = False
        self._reading = threading.Lock()
        self._ended = threading.Event()
        self._out, into = _pipe()
        self._thread = threading.Thread(target=self._run, args=(order, into), name="llm-cost-query", daemon=True)
        self._thread.start()

    def read(self) -> bytes:
        """The next bytes, at most a megabyte; waits for them.  Empty at the end: `fault` says then how it ended."""
        with self._reading:
            piece = b"" if self._closed else os.read(self._out, _PIPE)
        if not piece:
            self._ended.wait()
        return piece

    @property
    def ended(self) -> bool:
        """Whether the engine is done; what it wrote may still wait to be read."""
        return self._ended.is_set()

    def cancel(self) -> None:
        """Have the engine end it; a `read` under way comes to its end.  From any thread, as often as one likes."""
        if not self._ended.is_set():
            self._raw.kill(self.tag)

    def close(self) -> None:
        """End it, if it has not, and wait until the engine has let go."""
        while not self._ended.is_set():
            self.cancel()  # again and again: one that has only begun is not known to the engine yet
            self._drain()
        self._thread.join()
        with self._reading:
            if not self._closed:
                self._closed = True
                os.close(self._out)
                self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drain(self) -> None:
        """Throw away what has been written, for a tenth of a second: an engine that waits for room hears nothing."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if poll.poll(100) and self._reading.acquire(blocking=False):
            try:
                os.read(self._out, _PIPE)
            finally:
                self._reading.release()

    def _run(self, order: _Order, into: int) -> None:
        try:
            if order.select:
                _ask(self._connection, order.into(into), "Null", order.parameters)
            else:
                answer = _ask(self._connection, order.sql, order.form, order.parameters)
                while answer:
                    answer = answer[os.write(into, answer) :]
        except EngineFault as fault:
            self.fault = fault
        except BrokenPipeError:
            self.fault = EngineFault("Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)")
        finally:
            # first the end of the pipe, so that who reads comes to look
            os.close(into)
            self._ended.set()


def _pipe() -> tuple[int, int]:
    out, into = os.pipe()
    with suppress(OSError):  # not Linux, or this user has large pipes enough
        fcntl.fcntl(into, _SET_PIPE_SIZE, _PIPE)
    return out, into


def _ask(connection: Any, sql: str, form: str, parameters: Mapping[str, str] | None = None) -> bytes:
    try:
        answer: bytes | None = connection.query(sql, form, params=dict(parameters or {})).bytes()
    except Exception as error:  # noqa: BLE001  # the engine's are of several kinds, none of them of a base of its own
        raise EngineFault(str(error)) from None
    return answer or b""


def map_of(entries: Iterable[tuple[str, str]]) -> str:
    """A Map(String, String) as the text of a setting."""
    return "{" + ", ".join(f"{quoted(name)}: {quoted(value)}" for name, value in entries) + "}"
