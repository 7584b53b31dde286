"""The calls of a batch, reported when their results are downloaded: a span each, made when the provider made them.

A batch is asked for in one process, runs for hours at the provider, and its results may be read in another: only the
results say what was used.  They are read apart from the caller's thread, in the one that also ends collected streams,
because a result file may hold fifty thousand calls.  Downloaded twice, they are reported twice; the collector tells
them by their response ids and bills each once.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import MethodType
from typing import Any, Final

from opentelemetry import trace

from . import reaper
from .call import Telemetry
from .context import current_tags
from .provider import Provider
from .quiet import quietly
from .record import Request

_LONGEST_LINE: Final = 32 << 20
_OBJECT: Final = b"{"
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_FLUSHED: Final = 500
"""Results between two flushes: OpenTelemetry's batch processor holds 2,048 spans and drops what is more."""


class Download:
    """An answer that may hold results: one JSON document, or a line of JSON for each."""

    def __init__(self, telemetry: Telemetry, provider: Provider, request: Request) -> None:
        self._telemetry = telemetry
        self._provider = provider
        self._request = request
        self._tags = current_tags()
        self._asked_in = trace.get_current_span().get_span_context()
        self._reported = 0
        self._begun: list[bytes] = []  # the pieces of a line that has not ended
        self._size = 0
        self._judged = False
        self._dead = False
        reaper.start()

    def whole(self, body: bytes | str) -> None:
        """The answer has been read."""
        self.feed(body.encode() if isinstance(body, str) else body)
        self.end()

    def feed(self, data: bytes) -> None:
        """The next bytes of it; a file of any other kind is left alone from its first byte on."""
        if self._dead or not data:
            return
        *ended, rest = data.split(b"\n")
        if ended:
            lines = [b"".join([*self._begun, ended[0]]), *ended[1:]]
            self._begun.clear()
            self._size = 0
            if self._alive(lines):
                reaper.leave(partial(self._read, lines))
        if rest and not self._dead:
            self._begun.append(rest)
            self._size += len(rest)
            self._alive(self._begun[:1])

    def _alive(self, lines: list[bytes]) -> bool:
        """Judged by the first line that says anything: whether this can be a file of results at all."""
        if not self._judged and (first := b"".join(lines).lstrip(_BLANK)[:1]):
            self._judged = True
            self._dead = first != _OBJECT
        if self._size > _LONGEST_LINE:
            self._dead = True
        if self._dead:
            self._begun.clear()
        return not self._dead

    def end(self) -> None:
        """There is no more."""
        if self._begun and not self._dead:
            reaper.leave(partial(self._read, [b"".join(self._begun)]))
        self._dead = True
        self._begun = []

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What the caller iterates over instead of `chunks`."""
        for data in chunks:
            with quietly("read the results of a batch"):
                self.feed(data)
            yield data
        self.end()

    async def athrough(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same, asynchronously."""
        async for data in chunks:
            with quietly("read the results of a batch"):
                self.feed(data)
            yield data
        self.end()

    def _read(self, lines: list[bytes]) -> None:
        for line in lines:
            if (document := _parsed(line)) is not None:
                with quietly("report a batch's result"):
                    for result in self._provider.results(document, self._request):
                        self._telemetry.report(result, self._tags, self._asked_in)
                        self._reported += 1
                        if self._reported % _FLUSHED == 0:
                            self._telemetry.flush()


def attach(response: Any, download: Download, *, asynchronous: bool) -> None:
    """Have an httpx or httpx2 `response` that is still to be read pass through `download`."""
    kind = type(response)

    def iter_bytes(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
        return download.through(kind.iter_bytes(self, chunk_size))

    def aiter_bytes(self: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        return download.athrough(kind.aiter_bytes(self, chunk_size))

    placed = aiter_bytes if asynchronous else iter_bytes
    setattr(response, placed.__name__, MethodType(placed, response))  # a method can be pickled


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line) if line.strip() else None
    except (ValueError, RecursionError):
        return None
