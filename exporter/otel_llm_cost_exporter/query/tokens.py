"""A statement, as the engine itself wrote it, in pieces.

What the engine writes has no comments, one way to put a name into quotes and no other quotes for strings, so a
handful of patterns reads it whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_PIECE: Final = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.)*')|(?P<quoted>`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\")"
    r"|\{(?P<parameter>\w+):\s*(?P<type>[^{}]+?)\s*\}|(?P<word>[^\W\d][\w$]*)|(?P<number>\d[\w.]*)|(?P<sign>\S)",
    re.DOTALL,
)


class Token(NamedTuple):
    """A piece of a statement.

    `kind` is `word` (a bare name or a keyword), `quoted` (a name, here without its quotes), `string`, `number`, `sign`
    or `parameter` (here its name).
    """

    kind: str
    text: str
    start: int = 0
    end: int = 0

    @property
    def is_name(self) -> bool:
        return self.kind in ("word", "quoted")

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind == "word" and self.text in words


NOTHING: Final = Token("", "")


def tokens(sql: str) -> list[Token]:
    return [_token(match) for match in _PIECE.finditer(sql)]


def neighbours(found: Sequence[Token]) -> Iterator[tuple[Token, Token, Token]]:
    """Every token with the one before and the one after."""
    return zip([NOTHING, *found], found, [*found[1:], NOTHING], strict=False)


def identifiers(sql: str) -> Iterator[tuple[int, int, str]]:
    """The parameters that stand for a name: where each begins and ends, and what it is called."""
    for match in _PIECE.finditer(sql):
        if match["parameter"] and match["type"] == "Identifier":
            yield match.start(), match.end(), match["parameter"]


def _token(match: re.Match[str]) -> Token:
    if match["parameter"]:
        return Token("parameter", match["parameter"], *match.span())
    if match["quoted"]:
        return Token("quoted", re.sub(r"\\(.)", r"\1", match[0][1:-1], flags=re.DOTALL), *match.span())
    return Token(match.lastgroup or "", match[0], *match.span())
