"""The one reader beside the caller: sees the bytes of an answer as they pass, and knows when they end.

It stands on the HTTP response (`iter_bytes` or `aiter_bytes`, and `close` or `aclose`), below every way an SDK offers
to read it: stream objects, helper streams, raw and streaming responses, lines.  So each of them is seen by the same
code, the SDK's own objects stay what they are, and nothing is read that the caller does not read.

The caller gets the very bytes that came, with one exception made on purpose: the usage event that we asked for and
the caller did not.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from types import MethodType
from typing import Any, Final

from .call import OpenCall
from .content import Said
from .events import Events
from .provider import Provider
from .quiet import quietly
from .record import Error, Outcome
from .stream import Reading

Decode = Callable[[bytes], list[bytes]]
"""Takes the next bytes of a body, returns the events (JSON) that are complete with them."""
MAX_BODY: Final = 32 << 20
"""Bytes of a whole answer that are kept to be read; a larger one goes by unread."""


class Tap(Reading):
    """A reading of the bytes of an HTTP response."""

    __slots__ = ("__weakref__", "_begun", "_decode", "_dull", "_events", "_size", "_whole", "release")

    def __init__(
        self,
        call: OpenCall,
        provider: Provider,
        *,
        status: int,
        drop_usage: bool = False,
        decoder: Callable[[], Decode] | None = None,
    ) -> None:
        """`decoder` makes the decoder of a body that is no stream of server-sent events."""
        super().__init__(call, provider, partial(_said_in, provider, decoder), status=status)
        self._decode = decoder() if decoder is not None else None
        self._dull = provider.dull
        self._events = Events(self._keeps if drop_usage else None, self._observe_event)
        self._whole: list[bytes] | None = None if call.request.stream else []
        self._size = 0
        self._begun = not call.request.stream
        self.release: Callable[[], None] = _nothing

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

    # -- what passes

    def _observed(self, data: bytes) -> bytes:
        call = self._call
        try:  # costs nothing where `with quietly()` costs half a microsecond a piece
            if self._decode is not None:
                call.seen.add(data, len(data))
                for payload in self._decode(data):
                    self._observe_payload(payload)
                return data
            # by far the most frequent piece of a stream: whole events, after the first, of which none says a usage
            if (
                call.chunks
                and data.endswith(b"}\n\n")
                and not self._events.incomplete
                and self._is_dull(data)
                and (events := data.count(b"\n\n"))
            ):
                call.chunks += events
                if len(data) <= events * call.seen.largest:
                    call.seen.add(data, len(data))
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

    def _is_dull(self, event: bytes) -> bool:
        try:
            return self._dull(event, self._call.request)
        except Exception:
            with quietly("read a stream"):
                raise
        return False

    def _keeps(self, event: bytes) -> bool:
        """Observe one event; False when the caller must not see it.

        A fault of ours must not escape: what is held back of other events would be lost with it.
        """
        with quietly("read a stream"):
            said = self._observe_event(event)
            return not (said is not None and self._provider.is_usage_only(said))
        return True  # quietly() has swallowed a fault

    def _observe_event(self, event: bytes) -> Any:
        """Observe one event, and return what it says if it says anything of note."""
        call = self._call
        if len(event) <= call.seen.largest:
            call.seen.add(event + b"\n\n", len(event))
        if call.chunks and event.endswith(b"}") and self._is_dull(event):
            call.chunks += 1
            return None
        return self._observe_payload(_data(event))

    def _observe_payload(self, payload: bytes) -> Any:
        call = self._call
        if payload.startswith(b"[DONE]") and not self._done:
            self._done = True
            self._ended()  # some SDKs read no further, and close nothing
        if not payload or self._done:
            return None
        if not call.chunks:
            call.first_chunk()
        call.chunks += 1
        try:
            said = json.loads(payload)
        except (ValueError, RecursionError):
            self._malformed = True
            return None
        with quietly("read a stream"):
            self._event(said)
        return said

    # -- how it ends

    def _end_of_body(self) -> bytes:
        self._waiting = False
        if self._whole is None:
            rest = b""
            with quietly("end a stream"):
                rest = self._events.rest()
            self._ended()
            return rest
        with quietly("read an answer"):
            body = _parsed(b"".join(self._whole))
            self._call.answered(self._provider, body)
        with quietly("end a call"):
            self._end(None, self._fault())
        return b""

    def _end(self, outcome: Outcome | None, error: Error | None, *, later: bool = False) -> None:
        super()._end(outcome, error, later=later)
        self.release()
        self.release = _nothing


def attach(response: Any, tap: Tap, *, asynchronous: bool) -> None:
    """Put `tap` between an httpx or httpx2 `response` and whoever reads it, until its call ends.

    The methods hold the response strongly: a stream that is collected closes it while it is itself in pieces, when a
    weak reference would be dead already.  And they are methods: one is pickled by its name, and so becomes the bare
    method of the response that is loaded; a function in here could not be pickled, nor any response that has one.
    """
    kind = type(response)

    def iter_bytes(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
        return tap.through(kind.iter_bytes(self, chunk_size))

    def close(self: Any) -> None:
        tap.closing()
        kind.close(self)

    def aiter_bytes(self: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        return tap.athrough(kind.aiter_bytes(self, chunk_size))

    async def aclose(self: Any) -> None:
        tap.closing()
        await kind.aclose(self)

    placed = (iter_bytes, close) if not asynchronous else (aiter_bytes, aclose)
    for function in placed:
        setattr(response, function.__name__, MethodType(function, response))

    def release() -> None:
        for function in placed:
            vars(response).pop(function.__name__, None)

    tap.release = release


def _nothing() -> None:
    return None


def _said_in(provider: Provider, decoder: Callable[[], Decode] | None, pieces: list[bytes]) -> list[Said]:
    payloads: list[bytes] = []
    if decoder is not None:
        decode = decoder()
        for piece in pieces:
            payloads += decode(piece)
    else:
        events = Events(None, lambda event: payloads.append(_data(event)))
        for piece in pieces:
            events.feed(piece)
        events.rest()
    return [said for data in payloads if (event := _parsed(data)) is not None for said in provider.said(event)]


def _data(event: bytes) -> bytes:
    return b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
