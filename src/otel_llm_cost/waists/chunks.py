"""A streamed answer that an SDK hands over chunk by chunk, already cut and told apart from the bytes of HTTP.

Every chunk of Google's repeats what was counted so far, so a later chunk that counts the same things makes an earlier
one worthless.  The newest is therefore kept unread; it is read when the next one counts other things, when it holds
more than counts, or when the stream ends.  Of a hundred chunks three or four are read.

Such streams are generators, and a generator is closed in the same way by a caller who leaves its loop and by the
garbage collector.  The first is a cancelled call; in the second, which may strike anywhere, nothing may be locked and
the call ends elsewhere.  The collector says when it is at work.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator
from functools import partial
from typing import Any, Final, Protocol

from otel_llm_cost.call import OpenCall
from otel_llm_cost.content import Said
from otel_llm_cost.provider import Provider
from otel_llm_cost.quiet import quietly
from otel_llm_cost.record import Error, Request, Response
from otel_llm_cost.stream import Reading


class Form(Protocol):
    """What one SDK's chunks are; a piece is what is kept of a chunk."""

    ends_told: bool
    """True where the transport tells a whole answer from one that broke off; else the provider's own word counts."""

    def piece(self, chunk: Any) -> Any:
        """The part of a chunk that is read, if ever."""

    def size(self, piece: Any) -> int:
        """Its bytes, about."""

    def counts(self, piece: Any) -> Hashable:
        """Which things it counts: equal for two pieces if the counts of the later replace all of the earlier's."""

    def tells_more(self, piece: Any) -> bool:
        """True when it holds something beside text and counts: why it ended, what was searched."""

    def parsed(self, piece: Any) -> Any:
        """The piece as the provider reads it."""


class Chunks(Reading):
    """A reading of chunks."""

    __slots__ = ("_counts", "_form", "_newest")

    def __init__(self, call: OpenCall, provider: Provider, form: Form) -> None:
        super().__init__(call, provider, partial(_said_in, provider, form), status=200)
        call.seen.tells = partial(_told_in, provider, form, call.request)  # should nobody come to read it
        self._form = form
        self._newest: Any = None
        self._counts: Hashable = None

    def through(self, chunks: Iterable[Any]) -> Iterator[Any]:
        """What the caller iterates over instead of `chunks`."""
        with self:
            for chunk in chunks:
                self._waiting = False
                self._passes(chunk)
                yield chunk
                self._waiting = True
            self._ended()

    async def athrough(self, chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """What the caller iterates over instead of `chunks`, asynchronously."""
        with self:
            async for chunk in chunks:
                self._waiting = False
                self._passes(chunk)
                yield chunk
                self._waiting = True
            self._ended()

    def _passes(self, chunk: Any) -> None:
        call, form = self._call, self._form
        try:
            if not call.chunks:
                call.first_chunk()
            call.chunks += 1
            piece = form.piece(chunk)
            call.seen.add(piece, form.size(piece))
            counts = form.counts(piece)
            if self._newest is not None and (counts != self._counts or form.tells_more(self._newest)):
                self._read_newest()
            self._newest, self._counts = piece, counts
        except Exception:
            with quietly("read a stream"):
                raise

    def _read_newest(self) -> None:
        newest, self._newest = self._newest, None
        if newest is not None:
            self._event(self._form.parsed(newest))

    def _ended(self) -> None:
        with quietly("read a stream"):
            self._read_newest()
        self._done = self._form.ends_told
        super()._ended()

    def _interrupted(self, exc: BaseException | None) -> None:
        with quietly("read a stream"):
            self._read_newest()
        left = isinstance(exc, GeneratorExit) and _collecting.thread != threading.get_ident()
        super()._interrupted(None if left else exc)

    def _raised(self, exc: BaseException) -> Error:
        return self._provider.error(exc)


class _Collecting:
    """Which thread collects garbage now; 0 for none."""

    def __init__(self) -> None:
        self.thread = 0
        gc.callbacks.append(self._told)

    def _told(self, phase: str, _info: dict[str, int]) -> None:
        self.thread = threading.get_ident() if phase == "start" else 0


_collecting: Final = _Collecting()


def _told_in(provider: Provider, form: Form, request: Request, piece: Any) -> Response:
    return provider.chunk(form.parsed(piece), request)


def _said_in(provider: Provider, form: Form, pieces: list[Any]) -> list[Said]:
    return [said for piece in pieces for said in provider.said(form.parsed(piece))]
