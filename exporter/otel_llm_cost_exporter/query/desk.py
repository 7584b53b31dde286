"""A question becomes a stream of bytes: judged, sealed, begun, and put into the shape that the client reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from otel_llm_cost_exporter.access import Reader
from otel_llm_cost_exporter.store.raw import Raw, Running

from .answer import UNKNOWN_DATABASE, Refusal
from .guard import Guard, Statement
from .limits import Limits
from .native import reframed
from .request import Question
from .settings import chosen


class Answer(NamedTuple):
    """An answer that has begun: `read` gives its next bytes, none at the end, and `running.fault` why it ended."""

    running: Running
    form: str
    packing: str
    read: Callable[[], bytes]


class Desk:
    """Takes questions for one store.  Every method may block; any thread may call."""

    def __init__(self, raw: Raw, limits: Limits) -> None:
        self.raw = raw
        self._guard = Guard(raw)
        self._limits = limits

    def begin(self, asked: Question, reader: Reader | None) -> Answer:
        """Begin to answer; Refusal or EngineFault where nothing was begun."""
        if asked.database not in ("", "default", self.raw.database):
            raise Refusal(UNKNOWN_DATABASE, f"Database {asked.database[:50]} does not exist.")
        settings = chosen(asked.settings, self._limits)
        statement = self._guard.judge(asked.sql, asked.parameters, reader)
        settings |= self._guard.filters(reader)
        form = statement.form or asked.form
        framed = form == "Native" and asked.revision > 0
        # a driver on this machine reads plain blocks faster than packed ones
        packing = asked.packing if statement.select and not framed else ""
        running = self.raw.start(
            statement.sql,
            form,
            settings,
            asked.parameters,
            compression=packing,
            readonly=statement.readonly,
            select=statement.select,
            database=statement.space,
        )
        read = running.read
        if framed:
            described = partial(self._types, statement, settings, asked) if statement.select else None
            read = _pulled(reframed(running.read, asked.revision, described))
        return Answer(running, form, packing, read)

    def close(self) -> None:
        self._guard.close()

    def _types(self, statement: Statement, settings: Mapping[str, str], asked: Question) -> list[str]:
        """The columns' types: a block of revision 0 does not tell time zones."""
        rows = self.raw.ask(f"DESCRIBE TABLE ({statement.sql})", settings, asked.parameters, database=statement.space)
        return [kind for _, kind, *_ in rows]


def _pulled(pieces: Iterator[bytes]) -> Callable[[], bytes]:
    return lambda: next(pieces, b"")
