"""What may be asked, by whom, and which rows are seen.

The engine's `readonly` refuses writes and most sources, not all: the function `file()`, INTO OUTFILE, KILL and a few
more stay open, and nothing in the embedded engine knows users or row policies.  So a statement is first written anew by
the engine itself, without comments and with every name quoted one way, and that text, which is also the one that runs,
is read as tokens: no strings are searched, and no way of writing a name hides it.

- **Statements**: SELECT and what describes tables.
- **Functions**: of the kinds that compute from their arguments; one that a newer engine has under another kind is
  refused until somebody looked at it.
- **Table functions and system tables**: a list.
- **Rows of other projects**: for a reader who is bound to projects, every table gets a filter of the engine
  (`additional_table_filters`): the reader's projects where it has them, nothing where it has none and is not public.
  A filter by a name that is both a table's and an alias' may take rows away, never add some: no entry lets more through
  than another.

A filter alone would still tell: an optimizer may run a reader's expression (`throwIf`, a cast that fails and quotes the
value) before it, so for such readers no expression is moved below a filter, and PREWHERE, which is such a move, is
refused; so is what counts or lists without reading rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_llm_cost_exporter.access import Reader
from otel_llm_cost_exporter.store.raw import Raw, map_of, quoted

from .answer import ACCESS_DENIED, BAD_ARGUMENTS, SYNTAX_ERROR, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one query may take, and how many run at once; 0 rows or bytes of a result are no limit.

    `patience`: seconds that a query waits for another to end; `body`: bytes of a request.
    """

    seconds: float = 30.0
    memory: int = 1 << 30
    rows: int = 0
    result_bytes: int = 0
    threads: int = 2
    at_once: int = 4
    patience: float = 2.0
    body: int = 1 << 20


_TOKEN: Final = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.)*')|(?P<quoted>`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\")"
    r"|\{(?P<parameter>\w+):\s*(?P<type>[^{}]+?)\s*\}|(?P<word>[^\W\d][\w$]*)|(?P<number>\d[\w.]*)|(?P<sign>\S)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement: a name (bare or quoted), a string, a number or a sign."""

    kind: str
    text: str
    end: int

    @property
    def named(self) -> bool:
        return self.kind in ("word", "quoted")


def tokens(sql: str) -> list[Token]:
    """The pieces of a statement as the engine wrote it; names in quotes without them."""
    return [_token(match) for match in _TOKEN.finditer(sql)]


def _token(match: re.Match[str]) -> Token:
    kind = "parameter" if match["parameter"] else match.lastgroup or ""
    text = match["parameter"] or match[0]
    return Token(kind, _plain(text) if kind == "quoted" else text, match.end())


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.DOTALL)


_FORMAT: Final = re.compile(r"\s+FORMAT\s+`?(\w+)`?\s*$")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may run: its text without FORMAT, the format that it names, and how the engine is sealed."""

    sql: str
    form: str
    select: bool
    readonly: int = 1


# kinds of functions by system.functions
_COMPUTING: Final = frozenset(
    {
        "Aggregate Functions", "Arithmetic", "Arrays", "Bit", "Bitmap", "Comparison", "Conditional", "Dates and Times",
        "Dictionary", "Distance", "Encoding", "Encryption", "Financial", "Geo", "Geo Polygon", "Hash", "IP Address", "JSON",
        "Logical", "Map", "Mathematical", "Null", "NumericIndexedVector", "QBit", "Random Number", "Rounding", "String",
        "String Replacement", "String Search", "String Splitting", "Time Series", "Time Window", "Tuple", "Type Conversion",
        "URL", "UUID",
    }
)  # fmt: skip
# of the kinds "Other" and "Internal", and names that the engine writes itself
_HARMLESS: Final = frozenset(
    {
        "_CAST", "bar", "blockNumber", "blockSize", "byteSize", "caseWithExpression", "connectionId", "countDigits",
        "currentDatabase", "currentQueryID", "currentRoles", "currentSchemas", "currentUser", "defaultValueOfArgumentType",
        "defaultValueOfTypeName", "digits", "displayName", "dumpColumnStructure", "enabledRoles", "errorCodeToName",
        "finalizeAggregation", "flipCoordinates", "formatQuery", "formatQueryOrNull", "formatQuerySingleLine",
        "formatQuerySingleLineOrNull", "formatReadableDecimalSize", "formatReadableQuantity", "formatReadableSize",
        "formatReadableTimeDelta", "getSetting", "getSettingOrDefault", "getSizeOfEnumType", "getSubcolumn", "globalVariable",
        "hostName", "identity", "ignore", "indexHint", "initialQueryID", "initialQueryStartTime", "initializeAggregation",
        "isConstant", "isDecimalOverflow", "lowCardinalityIndices", "lowCardinalityKeys", "materialize",
        "minSampleSizeContinuous", "minSampleSizeConversion", "neighbor", "nested", "normalizeQuery",
        "normalizeQueryKeepNames", "normalizedQueryHash", "normalizedQueryHashKeepNames", "parseReadableSize",
        "parseReadableSizeOrNull", "parseReadableSizeOrZero", "parseTimeDelta", "queryID", "revision", "rowNumberInAllBlocks",
        "rowNumberInBlock", "runningAccumulate", "runningDifference", "runningDifferenceStartingWithFirstValue", "sleep",
        "sleepEachRow", "throwIf", "toColumnTypeName", "toTypeName", "transform", "uptime", "variantElement", "variantType",
        "version", "visibleWidth",
    }
)  # fmt: skip
_REFUSED_ALWAYS: Final = frozenset({"chdb"})
_TABLE_FUNCTIONS: Final = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "primes", "generateseries", "generate_series", "generaterandom", "values",
     "null", "view", "format"}
)  # fmt: skip
_OPEN_SYSTEM: Final = frozenset(
    {"one", "numbers", "numbers_mt", "zeros", "zeros_mt", "settings", "functions", "formats", "time_zones", "collations",
     "data_type_families", "keywords"}
)  # fmt: skip
_SCHEMA: Final = frozenset({"tables", "columns", "databases", "data_skipping_indices", "completions"})
_FULL_SYSTEM: Final = _OPEN_SYSTEM | _SCHEMA | {
    "parts", "parts_columns", "merges", "mutations", "metrics", "events", "table_engines", "table_functions", "build_options",
    "aggregate_function_combinators",
}  # fmt: skip
# columns that tell where things lie on the machine
_PLACES: Final = frozenset({"data_paths", "data_path", "metadata_path", "path"})
# columns that tell how much there is of everybody's
_VOLUMES: Final = re.compile(
    r"total_\w+|lifetime_\w+|\w*_bytes\w*|\w*_count|\w*rows\w*|marks\w*|\w*partition\w*|\w*size\w*"
)
_STATEMENTS: Final = {"SELECT": "SELECT", "WITH": "SELECT", "(": "SELECT", "DESCRIBE": "DESCRIBE", "EXISTS": "EXISTS",
                      "SHOW": "SHOW", "EXPLAIN": "EXPLAIN"}  # fmt: skip
_SHOWN: Final = frozenset({"TABLES", "DATABASES", "COLUMNS", "CREATE", "INDEXES", "INDEX", "FUNCTIONS"})
# an optimizer that moves an expression below a filter runs it on rows that the reader does not see
_IN_ORDER: Final = dict.fromkeys(
    (
        "optimize_move_to_prewhere", "query_plan_optimize_prewhere", "query_plan_merge_filters", "query_plan_filter_push_down",
        "query_plan_convert_outer_join_to_inner_join", "use_top_k_dynamic_filtering", "output_format_write_statistics",
        "enable_optimize_predicate_expression", "use_query_condition_cache",
    ),
    "0",
)  # fmt: skip
_PUBLIC: Final = re.compile(r"llm_price\w*|schema_migrations")


class Guard:
    """Judges statements for one store.  Asks the engine once what functions it has."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self.refused = {
            function.name.lower()
            for function in raw.functions()
            if function.category not in _COMPUTING and function.of not in _HARMLESS
        } | _REFUSED_ALWAYS
        tables = {name.lower() for name in raw.table_functions()}
        self._table_functions = tables - _TABLE_FUNCTIONS

    def judge(self, sql: str, parameters: Mapping[str, str], reader: Reader | None) -> Statement:
        """The statement as it may run; Refusal, or the engine's own fault where it is no statement.

        `reader` None: whoever asks may see all projects.
        """
        text = self._raw.written(sql)
        if "Identifier" in text:
            text = self._raw.written(_with_names(text, parameters))
        bound = reader is not None and reader.projects is not None
        found = tokens(text)
        if bound and any(token.named and token.text.lower().startswith("dict") for token in found):
            self._only_public_dictionaries()
        kind = _kind(found, bound=bound)
        for check in (self._no_way_out, self._only_open_tables):
            check(found, bound=bound)
        form = _FORMAT.search(text)
        cut = text[: form.start()] if form and found[-2].kind == "word" and found[-2].text == "FORMAT" else text
        about_settings = not bound and re.fullmatch(_ABOUT_SETTINGS, cut) is not None
        return Statement(cut, form[1] if form and cut != text else "", kind == "SELECT", 2 if about_settings else 1)

    def filters(self, reader: Reader | None) -> dict[str, str]:
        """The settings that keep a reader to their projects; of their values the client can change none."""
        if reader is None or reader.projects is None:
            return {}
        tables = self._raw.rows(
            "SELECT t.name, countIf(c.name = 'project') FROM system.tables AS t LEFT JOIN system.columns AS c"
            " ON c.database = t.database AND c.table = t.name WHERE t.database = currentDatabase() GROUP BY 1"
        )
        theirs = f"project IN ({', '.join(map(quoted, reader.projects))})" if reader.projects else "0"
        return {
            **_IN_ORDER,
            "additional_table_filters": map_of(
                (f"{self._raw.database}.{name}", theirs if int(has_project) else "0")
                for name, has_project in tables
                if int(has_project) or not _PUBLIC.fullmatch(name)
            ),
        }

    def _no_way_out(self, found: Sequence[Token], *, bound: bool) -> None:
        """Nothing that leaves the database: files, the network, other processes, the process itself."""
        for before, token, after in _threes(found):
            name = token.text.lower()
            if token.kind == "word" and token.text in ("SETTINGS", "OUTFILE", "INFILE") and before.text != ".":
                raise _denied(f"{token.text} in a statement; settings go beside it, as parameters of the URL,")
            if bound and token.kind == "word" and token.text == "PREWHERE":
                raise _denied("PREWHERE; WHERE does the same here,")
            if not token.named:
                continue
            if name in self.refused and before.text != ".":
                raise _denied(f"the function {token.text}")
            if after.text == "(" and name in self._table_functions:
                raise _denied(f"the table function {token.text}")

    def _only_public_dictionaries(self) -> None:
        """No filter reaches into a dictionary; ours hold prices."""
        for (name,) in self._raw.rows("SELECT name FROM system.tables WHERE engine = 'Dictionary'"):
            if not _PUBLIC.fullmatch(name):
                raise _denied(f"a dictionary, beside {name},")

    def _only_open_tables(self, found: Sequence[Token], *, bound: bool) -> None:
        """Of other databases than the store's own, only what is listed."""
        schema = False
        databases = {"system", "information_schema"}
        for token, dot, table in zip(found, [*found[1:], _END], [*found[2:], _END, _END], strict=False):
            if not token.named or token.text.lower() not in databases or dot.text != ".":
                continue
            if token.text != "system":
                if bound:
                    raise _denied(f"the database {token.text}")
            elif table.text not in (_OPEN_SYSTEM | _SCHEMA if bound else _FULL_SYSTEM):
                raise _denied(f"the table system.{table.text}")
            elif table.text not in _OPEN_SYSTEM:
                schema = True
        if schema:
            _no_places(found, bound=bound)


_END: Final = Token("", "", 0)
_ABOUT_SETTINGS: Final = r"SELECT [\w\s,`]+ FROM system\.settings(?: WHERE [\w\s'=()%,]+)?(?: LIMIT \d+)?"


def _threes(found: Sequence[Token]) -> Iterable[tuple[Token, Token, Token]]:
    return zip([_END, *found], found, [*found[1:], _END], strict=False)


def _denied(what: str) -> Refusal:
    return Refusal(
        ACCESS_DENIED, f"{what} may not be used here: this endpoint reads the tables of the store and nothing else."
    )


def _kind(found: Sequence[Token], *, bound: bool) -> str:
    first = found[0].text if found else ""
    kind = _STATEMENTS.get(first)
    allowed = ("SELECT", "DESCRIBE", "EXISTS") if bound else _STATEMENTS.values()
    if kind is None or kind not in allowed:
        raise _denied(f"a statement that begins with {first[:20]!r}")
    if kind == "SHOW" and (len(found) < 2 or found[1].text not in _SHOWN):
        raise _denied(f"SHOW {found[1].text[:20] if len(found) > 1 else ''}")
    if kind == "EXPLAIN" and not any(token.text in ("SELECT", "WITH") for token in found):
        raise _denied("EXPLAIN of anything but a SELECT")
    return kind


def _no_places(found: Sequence[Token], *, bound: bool) -> None:
    """Beside a system table no column that tells of the machine or, to a bound reader, of everybody's data."""
    for token in found:
        if bound and token.text in ("*", "COLUMNS"):
            raise _denied("* of a system table; its columns by name may, it")
        if token.named and (token.text in _PLACES or (bound and _VOLUMES.fullmatch(token.text))):
            raise _denied(f"the column {token.text} of a system table")


def _with_names(sql: str, parameters: Mapping[str, str]) -> str:
    """Parameters that stand for a name, put in: what is judged must be what runs."""
    pieces: list[str] = []
    at = 0
    for match in _TOKEN.finditer(sql):
        if match["parameter"] and match["type"] == "Identifier":
            if match["parameter"] not in parameters:
                raise Refusal(BAD_ARGUMENTS, f"the parameter {match['parameter'][:50]} is not given.")
            name = parameters[match["parameter"]]
            if not re.fullmatch(r"[\w.\- ]{1,200}", name):
                raise Refusal(SYNTAX_ERROR, f"the parameter {match['parameter'][:50]} is no name.")
            pieces += [sql[at : match.start()], ".".join(f"`{part}`" for part in name.split("."))]
            at = match.end()
    return "".join([*pieces, sql[at:]])
