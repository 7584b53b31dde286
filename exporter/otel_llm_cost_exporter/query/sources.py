"""Which tables a statement names, as the engine's parser sees them.

The engine's own database looks for a table among the files of the machine too: `/etc/x.csv` is a table there, and so is
`x.csv` of the working directory.  So where it is asked, every name in the place of a table must be that of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_NODE: Final = re.compile(r"( *)(\w+) ?(.*?)(?: \(alias .*\))?(?: \(children \d+\))?")
_MEMBERSHIP: Final = re.compile(r"\w*in(?:IgnoreSet)?", re.IGNORECASE)
_OTHERS: Final = re.compile(r"(?:system|information_schema|INFORMATION_SCHEMA)\.\w+")


def named(tree: Sequence[str]) -> Iterator[str]:
    """The names in the place of a table, from the lines of EXPLAIN AST; quoted parts of a name come without quotes."""
    nodes = [(len(node[1]), node[2], node[3]) for node in map(_NODE.fullmatch, tree) if node is not None]
    whole = bool(nodes) and not nodes[0][1].startswith(("Select", "Explain"))
    for index, (depth, kind, name) in enumerate(nodes):
        if kind == "TableIdentifier" or (whole and kind == "Identifier"):
            yield name
        elif kind == "Function" and _MEMBERSHIP.fullmatch(name):
            yield from _right_side(nodes[index + 1 :], depth)


def _right_side(below: Sequence[tuple[int, str, str]], depth: int) -> Iterator[str]:
    """What stands right of an IN, if it is a name: the last of what is two steps below it."""
    last = ("", "")
    for level, kind, name in below:
        if level <= depth:
            break
        if level == depth + 2:
            last = (kind, name)
    if last[0] == "Identifier":
        yield last[1]


def is_table(name: str, database: str, known: frozenset[str]) -> bool:
    """Whether it can only be a table: one of the store or the engine, or a name within the statement, and no file's."""
    own = name.removeprefix(f"{database}.")
    if own in known:
        return True
    return bool(re.fullmatch(r"\w+", own) or _OTHERS.fullmatch(own)) and not (Path(own).exists() or Path(name).exists())
