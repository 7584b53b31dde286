"""The one reader beside the caller: sees the bytes of an answer as they pass, and knows when they end.

It stands on the HTTP response (`iter_bytes` or `aiter_bytes`, and `close` or `aclose`), below every way an SDK offers
to read it: stream objects, helper streams, raw and streaming responses, lines.  So each of them is seen by the same
code, the SDK's own objects stay what they are, and nothing is read that the caller does not read.

The caller gets the very bytes that came, with one exception made on purpose: the usage event that we asked for and
the caller did not.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Final

from . import reaper
from .call import OpenCall
from .errors import of_exception
from .events import Events
from .provider import Provider
from .quiet import quietly
from .record import Error, Outcome

MAX_BODY: Final = 32 << 20
"""Bytes of a whole answer that are kept to be read; a larger one goes by unread."""


class Tap:
    """Reads along with the caller.  When it is collected before the end, its call ends as abandoned."""

    __slots__ = (
        "_begun",
        "_call",
        "_closed_elsewhere",
        "_done",
        "_dull",
        "_events",
        "_malformed",
        "_provider",
        "_reader",
        "_size",
        "_status",
        "_waiting",
        "_whole",
        "release",
    )

    def __init__(self, call: OpenCall, provider: Provider, *, status: int, drop_usage: bool) -> None:
        self._call = call
        self._provider = provider
        self._dull = provider.dull
        self._status = status
        self._events = Events(self._keeps if drop_usage else None, self._observe_event)
        self._whole: list[bytes] | None = None if call.request.stream else []
        self._size = 0
        self._begun = not call.request.stream
        self._waiting = False  # for the next bytes; otherwise the caller has the word
        self._reader = 0  # the thread that began to read
        self._done = False
        self._malformed = False
        self._closed_elsewhere = False
        self.release: Callable[[], None] = _nothing
        reaper.watch(call)

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None:
            call.close_later("abandoned")

    # -- the caller's iterators

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What the caller iterates over instead of `chunks`."""
        with self:
            for data in chunks:
                self._waiting = False
                if passed := self._observed(data):
                    yield passed
                self._waiting = True
            if rest := self._end_of_body():
                yield rest

    async def athrough(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """What the caller iterates over instead of `chunks`, asynchronously."""
        with self:
            async for data in chunks:
                self._waiting = False
                if passed := self._observed(data):
                    yield passed
                self._waiting = True
            if rest := self._end_of_body():
                yield rest

    def __enter__(self) -> None:
        self._reader = threading.get_ident()
        self._waiting = True

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waiting = False
        if exc is not None:
            with quietly("end a stream"):
                self._interrupted(exc)

    def closing(self) -> None:
        """The response is being closed: at the end of its body, by the SDK after the last event, or by the caller.

        A caller may do so while it handles an exception of its own, which is no fault of the stream; only a generator
        that is being closed or collected counts.
        """
        if self._waiting:
            # the end of the body, which `through` is about to see; or another thread, and the one that reads will get
            # an error for it
            self._closed_elsewhere |= self._reader != threading.get_ident()
            return
        collected = isinstance(sys.exc_info()[1], GeneratorExit)
        with quietly("end a stream"):
            self._interrupted(GeneratorExit() if collected else None)

    # -- what passes

    def _observed(self, data: bytes) -> bytes:
        call = self._call
        try:
            # by far the most frequent piece of a stream: whole events, after the first, of which none says a usage
            if (
                call.chunks
                and data.endswith(b"}\n\n")
                and not self._events.incomplete
                and self._dull(data, call.request)
                and (events := data.count(b"\n\n"))
            ):
                call.chunks += events
                return data
            if not self._begun and (first := data.lstrip()[:1]):
                self._begun = True
                if first in (b"{", b"["):
                    self._whole = []  # hosts send an error, or the whole answer, as plain JSON under any content type
            if self._whole is None:
                return self._events.feed(data)
            self._size += len(data)
            if self._size <= MAX_BODY:
                self._whole.append(data)
        except Exception:
            with quietly("read a stream"):
                raise
        return data

    def _keeps(self, event: bytes) -> bool:
        """Observe one event; False when the caller must not see it."""
        said = self._observe_event(event)
        return not (said is not None and self._provider.is_usage_only(said))

    def _observe_event(self, event: bytes) -> Any:
        """Observe one event, and return what it says if it says anything of note."""
        call = self._call
        if call.chunks and event.endswith(b"}") and self._dull(event, call.request):
            call.chunks += 1
            return None
        payload = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
        if payload.startswith(b"[DONE]"):
            self._done = True
        if not payload or self._done:
            return None
        if not call.chunks:
            call.first_chunk()
        call.chunks += 1
        try:
            said = json.loads(payload)
        except ValueError:
            self._malformed = True
            return None
        call.observe(self._provider.chunk(said, call.request))
        return said

    # -- how it ends

    def _end_of_body(self) -> bytes:
        self._waiting = False
        rest = b""
        outcome: Outcome | None = None
        error: Error | None = None
        with quietly("end a stream"):
            if self._whole is None:
                rest = self._events.rest()
                outcome = "completed" if self._finished() else "broken"
                error = self._fault()
            else:
                self._call.observe(self._provider.response(_parsed(b"".join(self._whole)), self._call.request))
                error = self._fault()
        self._end(outcome, error)
        return rest

    def _finished(self) -> bool:
        response = self._call.response
        return response.error is None and (self._done or response.finish_reasons is not None)

    def _fault(self) -> Error | None:
        """The failure that the stream itself told, under the HTTP status that it came with."""
        if self._malformed:
            return Error(type="JSONDecodeError")
        told = self._call.response.error
        return told._replace(status_code=self._status) if told is not None else None

    def _interrupted(self, exc: BaseException | None) -> None:
        """The answer ended before its body did: an SDK stops at the last event, a caller wherever it likes."""
        outcome: Outcome
        error = None
        stopped = exc is None or isinstance(exc, GeneratorExit)
        if self._done or (stopped and self._finished()):
            outcome = "completed"
        elif exc is None or isinstance(exc, GeneratorExit):
            error = self._fault()
            outcome = "broken" if error else ("cancelled" if exc is None else "abandoned")
        else:
            error = of_exception(exc)
            cancelled = error.error_class == "cancelled" or self._closed_elsewhere
            outcome = "cancelled" if cancelled else "broken"
        self._end(outcome, error, later=isinstance(exc, GeneratorExit))

    def _end(self, outcome: Outcome | None, error: Error | None, *, later: bool = False) -> None:
        """A generator that is closed may be so by the garbage collector: its call ends elsewhere, see the reaper."""
        end = self._call.close_later if later else self._call.close
        end(outcome, error)
        self.release()
        self.release = _nothing


def attach(response: Any, tap: Tap, *, asynchronous: bool) -> None:
    """Put `tap` between an httpx or httpx2 `response` and whoever reads it, until its call ends.

    The functions hold the response strongly: a stream that is collected closes it while it is itself in pieces, when a
    weak reference would be dead already.
    """
    kind = type(response)

    def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
        return tap.through(kind.iter_bytes(response, chunk_size))

    def close() -> None:
        tap.closing()
        kind.close(response)

    def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        return tap.athrough(kind.aiter_bytes(response, chunk_size))

    async def aclose() -> None:
        tap.closing()
        await kind.aclose(response)

    placed = (iter_bytes, close) if not asynchronous else (aiter_bytes, aclose)
    for function in placed:
        setattr(response, function.__name__, function)

    def release() -> None:
        for function in placed:
            vars(response).pop(function.__name__, None)

    tap.release = release


def _nothing() -> None:
    return None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
