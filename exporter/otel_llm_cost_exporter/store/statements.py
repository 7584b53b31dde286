"""A .sql file as single statements.

Neither the embedded engine nor the HTTP interface takes several statements at once, so files are cut at the
semicolons that are neither quoted nor in a comment.
"""

from __future__ import annotations

import re
from typing import Final

OPAQUE: Final = (
    r"""--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|(?P<heredoc>\$\w*\$).*?(?P=heredoc)"""
)
"""Comments, strings and quoted names, in which nothing is a word; for a pattern with DOTALL."""
_TOKEN = re.compile(rf"{OPAQUE}|;", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\s", re.DOTALL)


def split(sql: str) -> list[str]:
    """The statements of a file, in order, without their semicolons; pieces of nothing but comments are left out."""
    pieces: list[str] = []
    start = 0
    for token in _TOKEN.finditer(sql):
        if token.group() == ";":
            pieces.append(sql[start : token.start()])
            start = token.end()
    pieces.append(sql[start:])
    return [piece.strip() for piece in pieces if _COMMENT.sub("", piece)]
