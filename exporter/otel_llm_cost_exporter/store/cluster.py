"""The same .sql files on a cluster: engines and ON CLUSTER put in when a statement is applied.

A table of one server becomes a replicated one: `MergeTree` is `ReplicatedMergeTree`, with the arguments it has and none
of its own.  Path and name of a replica then are the server's `default_replica_path` and `default_replica_name`,
`/clickhouse/tables/{uuid}/{shard}` and `{replica}` as it is shipped: each server must define the macros `shard` and
`replica`, and ON CLUSTER gives a table one uuid everywhere.
(https://clickhouse.com/docs/engines/table-engines/mergetree-family/replication)

A replicated table remembers what was inserted for an hour only, whatever the size of its window.  A batch is tried
again for as long as it takes, so the memory is made a week.

Words in strings and comments are left alone.  A statement that is not understood is refused: run on one server of
several it would leave them different.  A cluster here is replicas of one shard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .errors import StoreError
from .statements import OPAQUE

_TOKEN: Final = re.compile(rf"{OPAQUE}|\w+|\s+|.", re.DOTALL)
_FAMILY: Final = re.compile(r"(Replacing|Summing|Aggregating|Coalescing|(Versioned)?Collapsing)?MergeTree")
_ANYWHERE: Final = frozenset({"Null"})
"""Engines that keep nothing, and are the same on one server and on many."""
_WINDOW: Final = "non_replicated_deduplication_window"
_MEMORY: Final = "replicated_deduplication_window_seconds = 604800"

_TABLE: Final = ("CREATE", "TABLE")
_FILLED: Final = ("CREATE", "MATERIALIZED", "VIEW")
_HEADS: Final = (
    _TABLE,
    _FILLED,
    ("CREATE", "VIEW"),
    ("CREATE", "OR", "REPLACE", "VIEW"),
    ("CREATE", "DICTIONARY"),
    ("CREATE", "OR", "REPLACE", "DICTIONARY"),
    ("ALTER", "TABLE"),
    ("DROP", "TABLE"),
    ("DROP", "VIEW"),
    ("DROP", "DICTIONARY"),
)
_DICTIONARIES: Final = tuple(head for head in _HEADS if "DICTIONARY" in head)
_ROWS: Final = ("INSERT", "INTO")
"""Replicated by the table itself."""
_CONDITIONS: Final = (("IF", "NOT", "EXISTS"), ("IF", "EXISTS"))


def everywhere(statement: str, cluster: str) -> str:
    """A statement of a migration for a whole cluster; unchanged where there is none.

    Raises StoreError for a statement that is not understood.
    """
    if not cluster:
        return statement
    tokens = _tokens(statement)
    words = _words(tokens)
    if _begins(words, _ROWS):
        return statement
    head = next((head for head in _HEADS if _begins(words, head)), None)
    if head is None:
        raise _refused(statement, "it is not known how to run it on a cluster")
    if head == _FILLED and "TO" not in words[: words.index("AS") if "AS" in words else 0]:
        raise _refused(statement, "a materialized view must name the table that it writes TO")
    if head == _TABLE and "ENGINE" not in words:
        raise _refused(statement, "a table must name its ENGINE")
    pieces = [_replaced(tokens, place, statement) for place in range(len(tokens))]
    return _on_cluster(pieces, head, cluster)


def dictionaries_everywhere(statement: str, cluster: str) -> str:
    """A statement that is run on a store at work.  Tables replicate what is done to them; dictionaries do not."""
    tokens = _tokens(statement) if cluster else []
    words = _words(tokens)
    head = next((head for head in _DICTIONARIES if _begins(words, head)), None)
    return statement if head is None else _on_cluster(tokens, head, cluster)


def quoted(cluster: str) -> str:
    """The cluster's name as SQL has it; a macro such as {cluster} may stand in it.  StoreError if it is no name."""
    if not re.fullmatch(r"[\w.{}-]+", cluster):
        raise StoreError("the cluster of the store address is no name: letters, digits and _ . - are, or {cluster}.")
    return f"'{cluster}'"


def _tokens(statement: str) -> list[str]:
    """Words, opaque pieces, blanks and single signs: all of the text."""
    return [token.group() for token in _TOKEN.finditer(statement)]


def _says(token: str) -> bool:
    """Whether it is neither blank nor a comment."""
    return not (token.isspace() or token.startswith(("--", "/*")))


def _words(tokens: Sequence[str]) -> list[str]:
    return [token.upper() for token in tokens if _says(token)]


def _begins(words: Sequence[str], head: Sequence[str]) -> bool:
    return tuple(words[: len(head)]) == tuple(head)


def _replaced(tokens: Sequence[str], place: int, statement: str) -> str:
    """The token as it is on a cluster: engines and the setting of the window have other names."""
    token = tokens[place]
    before = _words(tokens[max(0, place - 12) : place])[-2:]
    if _says(token) and before == ["ENGINE", "="]:
        if _FAMILY.fullmatch(token):
            return f"Replicated{token}"
        if token not in _ANYWHERE:
            raise _refused(statement, f"there is no replicated engine for {token}")
    return f"{_MEMORY}, replicated_deduplication_window" if token == _WINDOW else token


def _on_cluster(tokens: Sequence[str], head: Sequence[str], cluster: str) -> str:
    """The text, with ON CLUSTER behind the name that follows the head and its condition."""
    said = [place for place, token in enumerate(tokens) if _says(token)]
    words = [tokens[place].upper() for place in said]
    start = len(head)
    start += next((len(condition) for condition in _CONDITIONS if _begins(words[start:], condition)), 0)
    if words[start + 1 : start + 2] == ["."]:
        start += 2
    end = said[start] + 1
    return "".join((*tokens[:end], f" ON CLUSTER {quoted(cluster)}", *tokens[end:]))


def _refused(statement: str, why: str) -> StoreError:
    first = " ".join(_words(_tokens(statement))[:6])
    return StoreError(f"a statement that begins with {first} was not run: {why}.")
