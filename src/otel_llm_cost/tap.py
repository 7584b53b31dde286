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
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Final

from .call import OpenCall, quietly, reaper
from .errors import classify
from .provider import Provider
from .record import Error

MAX_BODY: Final = 32 << 20
"""Bytes of a whole answer that are kept to be read; a larger one goes by unread."""


class Tap:
    """Reads along with the caller.  When it is collected before the end, its call ends as abandoned."""

    __slots__ = ("_buffer", "_call", "_done", "_drop", "_malformed", "_provider", "_reading", "_sse", "_status")

    def __init__(self, call: OpenCall, provider: Provider, *, status: int, drop_usage: bool) -> None:
        self._call = call
        self._provider = provider
        self._status = status
        self._sse: bool | None = None if call.request.stream else False  # a stream's first byte tells
        self._drop = drop_usage
        self._buffer = b""
        self._reading = False
        self._done = False
        self._malformed = False
        reaper.start()

    def __del__(self) -> None:
        call = getattr(self, "_call", None)
        if call is not None and not call.closed:
            reaper.leave(call)

    # -- the caller's iterators; while `_reading`, a close comes from the end of the body and not from the caller

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What the caller iterates over instead of `chunks`."""
        with self:
            for data in chunks:
                self._reading = False
                if passed := self._observed(data):
                    yield passed
                self._reading = True
            if rest := self._end_of_body():
                yield rest

    async def athrough(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """What the caller iterates over instead of `chunks`, asynchronously."""
        with self:
            async for data in chunks:
                self._reading = False
                if passed := self._observed(data):
                    yield passed
                self._reading = True
            if rest := self._end_of_body():
                yield rest

    def __enter__(self) -> None:
        self._reading = True

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reading = False
        if exc is not None:
            with quietly("end a stream"):
                self._interrupted(exc)

    def closing(self) -> None:
        """The response is being closed.

        A caller may do so while it handles an exception of its own, which is no fault of the stream; only a generator
        that is being collected counts.
        """
        if not self._reading:
            collected = isinstance(sys.exc_info()[1], GeneratorExit)
            with quietly("end a stream"):
                self._interrupted(GeneratorExit() if collected else None)

    # -- what passes

    def _observed(self, data: bytes) -> bytes:
        call = self._call
        try:
            # by far the most frequent piece of a stream: exactly one whole event, after the first, that says no usage
            if (
                call.chunks
                and not self._buffer
                and data.endswith(b"}\n\n")
                and data.find(b"\n\n") == len(data) - 2
                and self._provider.dull(data, call.request)
            ):
                call.chunk_arrived()
                return data
            if self._sse is None:
                # hosts send event streams under any content type, and an error as plain JSON
                self._sse = data.lstrip()[:1] not in (b"{", b"[")
            return self._events(data) if self._sse else self._part(data)
        except Exception:
            with quietly("read a stream"):
                raise
        return data

    def _part(self, data: bytes) -> bytes:
        if len(self._buffer) + len(data) <= MAX_BODY:
            self._buffer += data
        return data

    def _events(self, data: bytes) -> bytes:
        """Look at each complete event; when one may have to be dropped, an incomplete one waits for its rest."""
        pending = self._buffer + data if self._buffer else data
        boundary = b"\r\n\r\n" if b"\r\n\r\n" in pending else b"\n\n"
        *events, self._buffer = pending.split(boundary)
        if not self._drop:
            for event in events:
                self._keeps(event)
            return data
        return b"".join([event + boundary for event in events if self._keeps(event)])

    def _keeps(self, event: bytes) -> bool:
        """Observe one event; False when the caller must not see it."""
        call = self._call
        if call.chunks and event.endswith(b"}") and self._provider.dull(event, call.request):
            call.chunk_arrived()
            return True
        payload = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
        if payload.startswith(b"[DONE]"):
            self._done = True
        elif payload:
            return self._understood(payload)
        return True

    def _understood(self, payload: bytes) -> bool:
        self._call.chunk_arrived()
        try:
            event = json.loads(payload)
        except ValueError:
            self._malformed = True
            return True
        self._call.observe(self._provider.chunk(event, self._call.request))
        return not (self._drop and self._provider.is_usage_only(event))

    # -- how it ends

    def _end_of_body(self) -> bytes:
        self._reading = False
        rest = self._buffer if self._drop else b""
        with quietly("end a stream"):
            if not self._sse:
                self._whole()
            else:
                if self._buffer.strip():
                    self._keeps(self._buffer.rstrip())
                self._call.close(*(("completed",) if self._finished() else ("broken", self._fault())))
        return rest

    def _whole(self) -> None:
        try:
            body: Any = json.loads(self._buffer)
        except ValueError:
            body = None
        self._call.observe(self._provider.response(body, self._call.request))
        self._call.close()

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
        if self._finished():
            self._call.close("completed")
        elif self._malformed or self._call.response.error is not None:
            self._call.close("broken", self._fault())
        elif exc is None:
            self._call.close("cancelled")
        elif isinstance(exc, GeneratorExit):
            self._call.close("abandoned")
        else:
            error = Error(type=type(exc).__name__, error_class=classify(exception=type(exc).__name__))
            self._call.close("cancelled" if error.error_class == "cancelled" else "broken", error)


def attach(response: Any, tap: Tap, *, asynchronous: bool) -> None:
    """Put `tap` between an httpx or httpx2 `response` and whoever reads it.

    The two functions hold the response strongly: a stream that is collected closes it while it is itself in pieces,
    when a weak reference would be dead already.
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

    if asynchronous:
        response.aiter_bytes, response.aclose = aiter_bytes, aclose
    else:
        response.iter_bytes, response.close = iter_bytes, close
