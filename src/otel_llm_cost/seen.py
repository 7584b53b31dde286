"""What has passed of a streamed answer, kept unread for the day the stream is cut.

A provider bills for what it generated, and says how much at the end of a stream: a stream that is cut says nothing.
Then what was seen is counted instead, at four bytes of UTF-8 to a token, the rule of thumb of OpenAI's and Google's
documentation; it is marked as an estimate wherever it goes.  Reasoning that is not shown cannot be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from .content import Said
from .record import NOTHING, Response, Usage

KEPT: Final = 64 << 10
"""Bytes of a stream that are kept; what follows is taken to be as dense in text."""
LARGEST: Final = 8 << 10
_BYTES_PER_TOKEN: Final = 4


class Seen:
    """The raw pieces of one stream; reading them is left to whoever needs it."""

    __slots__ = ("_kept", "_limit", "_newest", "_passed", "_pieces", "_read", "largest", "tells")

    def __init__(self, read: Callable[[list[Any]], Iterable[Said]], limit: int = KEPT) -> None:
        self._read = read
        self._limit = limit
        self._pieces: list[Any] = []
        self._kept = 0
        self._passed = 0
        self._newest: Any = None
        self.largest = LARGEST if limit <= KEPT else limit
        """Bytes of an event worth keeping: a larger one is no piece of an answer, it repeats the request or a tool."""
        self.tells: Callable[[Any], Response] | None = None
        """Reads what the newest piece tells, where pieces are left unread until a newer one comes."""

    def add(self, piece: Any, size: int) -> None:
        """One more piece, as it came."""
        self._passed += size
        self._newest = piece
        if self._kept < self._limit:
            self._pieces.append(piece)
            self._kept += size

    def last_words(self) -> Response:
        """What the newest piece tells, if nobody has read it."""
        return NOTHING if self.tells is None or self._newest is None else self.tells(self._newest)

    def said(self) -> list[Said]:
        """What the model said in the pieces that were kept."""
        return list(self._read(self._pieces))

    def output_tokens(self) -> int:
        """An estimate of the tokens that were generated."""
        text = sum(map(_size, (piece.text for piece in self.said())))
        return tokens(text * self._passed // max(1, self._kept))


def tokens(size: int) -> int:
    """An estimate of the tokens in `size` bytes of UTF-8."""
    return -(-size // _BYTES_PER_TOKEN)


def prompt_tokens(texts: Iterable[str]) -> int:
    """An estimate of the tokens in a prompt's texts; images, audio and tools are not in it."""
    return tokens(sum(map(_size, texts)))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def completed_by_estimate(response: Response, input_tokens: int | None, output_tokens: int) -> Response:
    """The answer of a cut stream with what the provider did not get to say.

    What it announced of the input stands.  What it said of the output in the middle of a stream is no guess of ours,
    but not the last word either: it stands too, and is marked like one.
    """
    usage = response.usage or Usage()
    guesses = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    guessed = {name: value for name, value in guesses.items() if value and getattr(usage, name) is None}
    doubtful = {*guessed, "output_tokens"} if usage.output_tokens is not None else set(guessed)
    if not doubtful:
        return response
    marked = usage._replace(estimated=True, estimated_counts=tuple(sorted(doubtful)), **guessed)
    return response._replace(usage=marked)
