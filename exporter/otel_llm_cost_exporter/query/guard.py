"""What may be asked, by whom, and which rows are seen.

The engine's `readonly` refuses writes and most sources, not all: the function `file()`, INTO OUTFILE, KILL and a few
more stay open, and nothing in the embedded engine knows users or row policies.  So a statement is first written anew by
the engine itself, without comments and with every name quoted one way, and that text, which is also the one that runs,
is read as tokens: no strings are searched, and no way of writing a name hides it.

- **Statements**: SELECT and what describes tables.
- **Functions**: of the kinds that compute from their arguments; one that a newer engine has under another kind is
  refused until somebody looked at it.
- **Table functions and system tables**: a list.
- **Rows of other projects**: a reader who is bound to projects has a database of views (`spaces`), and below them every
  table has a filter of the engine (`additional_table_filters`): the reader's projects where it has them, nothing where
  it has none and is not public.  A filter by a name that is both a table's and an alias' may take rows away, never add
  some: no entry lets more through than another.

A filter alone would still tell: an optimizer may run a reader's expression (`throwIf`, a cast that fails and quotes the
value) before it, so for such readers no expression is moved below a filter, and PREWHERE, which is such a move, is
refused; so is what counts or lists without reading rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_llm_cost_exporter.access import Reader
from otel_llm_cost_exporter.store.raw import Raw, map_of, quoted

from . import lists, sources
from .answer import ACCESS_DENIED, BAD_ARGUMENTS, SYNTAX_ERROR, Refusal
from .spaces import Spaces
from .tokens import NOTHING, Token, identifiers, neighbours, tokens

_FORMAT: Final = re.compile(r"\s+FORMAT\s+`?(\w+)`?\s*$")
_NAME: Final = re.compile(r"[\w.\- ]{1,200}")
_ABOUT_SETTINGS: Final = re.compile(
    r"SELECT [\w\s,`]+ FROM system\.settings(?: WHERE (?:(?!SELECT)[\w\s'=()%,])+)?(?: LIMIT \d+)?"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may run: its text without FORMAT, the format that it names, and where it runs.

    `readonly` is how the engine is sealed: a client asks system.settings what it may send, and sealed with 1 the engine
    says nothing.  `space` is the database of a bound reader, empty for the store's own.
    """

    sql: str
    form: str
    select: bool
    readonly: int
    space: str


class Guard:
    """Judges statements for one store.  What functions the engine has it asks once."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._spaces = Spaces(raw)
        self.refused = lists.NO_FUNCTIONS | {
            function.name.lower()
            for function in raw.functions()
            if function.category not in lists.KINDS and function.of not in lists.FUNCTIONS
        }
        self._refused_sources = frozenset(map(str.lower, raw.table_functions())) - lists.TABLE_FUNCTIONS

    def judge(self, sql: str, parameters: Mapping[str, str], reader: Reader | None) -> Statement:
        """The statement as it may run; Refusal, or the engine's own fault where it is no statement.

        `reader` None: whoever asks may see all projects.
        """
        text = self._raw.written(sql)
        if "Identifier" in text:
            text = self._raw.written(_with_names(text, parameters))
        bound = reader is not None and reader.projects is not None
        found = tokens(text)
        kind = _kind(found, bound=bound)
        self._no_way_out(found, bound=bound)
        _only_open_tables(found, bound=bound)
        if bound and any(token.is_name and token.text.lower().startswith("dict") for token in found):
            self._only_public_dictionaries()
        space = self._spaces.of(reader.projects) if reader is not None and reader.projects is not None else ""
        if space:
            text = _moved(text, found, self._raw.database, space)
        form = _FORMAT.search(text) if len(found) > 1 and found[-2].is_word("FORMAT") else None
        cut = text[: form.start()] if form else text
        if not space:
            self._only_tables(cut, parameters)
        sealed = 2 if _ABOUT_SETTINGS.fullmatch(cut) else 1
        return Statement(cut, form[1] if form else "", kind == "SELECT", sealed, space)

    def close(self) -> None:
        """Take away what was made for readers."""
        self._spaces.close()

    def filters(self, reader: Reader | None) -> dict[str, str]:
        """The settings that keep a reader to their projects; of these the client can change none."""
        if reader is None or reader.projects is None:
            return {}
        theirs = f"project IN ({', '.join(map(quoted, reader.projects))})" if reader.projects else "0"
        entries = [
            (f"{self._raw.database}.{name}", theirs if int(has_project) else "0")
            for name, has_project in self._raw.rows(lists.sql("projects"))
            if int(has_project) or not (lists.PUBLIC.fullmatch(name) or name in lists.SHARED)
        ]
        return {**lists.IN_ORDER, "additional_table_filters": map_of(entries)}

    def _no_way_out(self, found: Sequence[Token], *, bound: bool) -> None:
        """Nothing that leaves the database: files, the network, other processes, the process itself."""
        for before, token, after in neighbours(found):
            if token.is_word("APPLY") and any(one.text == "-" and two.text == ">" for _, one, two in neighbours(found)):
                raise _denied("APPLY in a statement with a lambda (the parser shows nobody what is in it)")
            if token.is_word("SETTINGS", "OUTFILE", "INFILE") and before.text != ".":
                raise _denied(f"{token.text} in a statement (settings go beside it, as parameters of the URL)")
            if bound and token.is_word("PREWHERE"):
                raise _denied("PREWHERE (WHERE does the same)")
            name = token.text.lower()
            if token.is_name and not token.text.isprintable():
                raise _denied("a name with unprintable characters")
            if token.is_name and name in self.refused and before.text != ".":
                raise _denied(f"the function {token.text}")
            if token.is_name and name in self._refused_sources and after.text == "(":
                raise _denied(f"the table function {token.text}")

    def _only_tables(self, sql: str, parameters: Mapping[str, str]) -> None:
        """No file in the place of a table."""
        known = frozenset(name for (name,) in self._raw.rows(lists.sql("tables")))
        tree = [line for (line,) in self._raw.rows(f"EXPLAIN AST {sql}", parameters)]
        for name in sources.named(tree):
            if not sources.is_table(name, self._raw.database, known):
                raise _denied(f"{name[:80]!r} in the place of a table")

    def _only_public_dictionaries(self) -> None:
        """No filter reaches into a dictionary; ours hold prices."""
        for (name,) in self._raw.rows("SELECT name FROM system.tables WHERE engine = 'Dictionary'"):
            if not lists.PUBLIC.fullmatch(name):
                raise _denied(f"a dictionary, as long as there is {name},")


def _kind(found: Sequence[Token], *, bound: bool) -> str:
    first, second = [*found, NOTHING, NOTHING][:2]
    kind = lists.STATEMENTS.get(first.text)
    if kind is None or (bound and kind not in lists.OF_BOUND_READERS):
        raise _denied(f"a statement that begins with {first.text[:20]!r}")
    if kind == "SHOW" and second.text not in lists.SHOWN:
        raise _denied(f"SHOW {second.text[:20]}")
    if kind == "EXPLAIN" and not any(token.is_word("SELECT") for token in found):
        raise _denied("EXPLAIN of anything but a SELECT")
    return kind


def _only_open_tables(found: Sequence[Token], *, bound: bool) -> None:
    """Of other databases than the store's own, only what is listed."""
    listed = lists.SYSTEM_TABLES | lists.SCHEMA_TABLES | (frozenset() if bound else lists.STATE_TABLES)
    careful = False
    for token, dot, table in zip(found, [*found[1:], NOTHING], [*found[2:], NOTHING, NOTHING], strict=False):
        if not token.is_name or dot.text != ".":
            continue
        if bound and token.text.lower() == "information_schema":
            raise _denied(f"the database {token.text}")
        if token.text == "system":
            if table.text not in listed:
                raise _denied(f"the table system.{table.text}")
            careful = careful or table.text not in lists.SYSTEM_TABLES
    if careful:
        _only_harmless_columns(found, bound=bound)


def _only_harmless_columns(found: Sequence[Token], *, bound: bool) -> None:
    """Beside a system table no column that tells of the machine or, to a bound reader, of everybody's data."""
    for token in found:
        if bound and token.text in ("*", "COLUMNS"):
            raise _denied("* of a system table (name the columns)")
        closed = token.text in lists.PLACES or (
            bound and (token.text in lists.TEXTS or lists.VOLUMES.fullmatch(token.text) is not None)
        )
        if token.is_name and closed:
            raise _denied(f"the column {token.text} of a system table")


def _with_names(sql: str, parameters: Mapping[str, str]) -> str:
    """Parameters that stand for a name, put in: what is judged must be what runs."""
    pieces: list[str] = []
    at = 0
    for start, end, parameter in identifiers(sql):
        name = parameters.get(parameter)
        if name is None:
            raise Refusal(BAD_ARGUMENTS, f"the parameter {parameter[:50]} is not given.")
        if not _NAME.fullmatch(name):
            raise Refusal(SYNTAX_ERROR, f"the parameter {parameter[:50]} is no name.")
        pieces += [sql[at:start], ".".join(f"`{part}`" for part in name.split("."))]
        at = end
    return "".join([*pieces, sql[at:]])


def _moved(sql: str, found: Sequence[Token], database: str, space: str) -> str:
    """The statement with every table of the database that it names in full as one of the reader's own."""
    pieces: list[str] = []
    at = 0
    for _, token, after in neighbours(found):
        if token.is_name and token.text == database and after.text == ".":
            pieces += [sql[at : token.start], space]
            at = token.end
    return "".join([*pieces, sql[at:]])


def _denied(what: str) -> Refusal:
    return Refusal(ACCESS_DENIED, f"{what} may not be used here: this endpoint reads the tables of the store, no more.")
