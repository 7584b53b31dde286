"""Bodies of HTTP requests, read whole: within a time, and beside not too many others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request

from .compression import TooLarge
from .ingest import DEFAULT_LIMIT

_PATIENCE: Final = 4
"""Times the limit that are read of a body that is too large before its sender is cut off."""
READ_WITHIN: Final = 30.0
"""Seconds for a whole body."""


class Busy(Exception):
    """There is no room for another body now."""


class Room:
    """Bytes of bodies that are in memory.  Used by the event loop alone, so nothing is locked."""

    def __init__(self, most: int) -> None:
        self.left = most

    @contextmanager
    def body(self) -> Iterator[Callable[[int], bool]]:
        """Gives what takes room, if there is that much; all of it is given back at the end."""
        taken = 0

        def take(size: int) -> bool:
            nonlocal taken
            if size > self.left:
                return False
            self.left -= size
            taken += size
            return True

        try:
            yield take
        finally:
            self.left += taken


async def read(request: Request, limit: int, take: Callable[[int], bool]) -> bytes:
    """The body as sent, at most `limit` bytes in memory and no more than `take` gives room for.

    Raises TooLarge, Busy, or TimeoutError if it takes too long.

    What is too much is read to its end all the same, unless it has none in sight: a sender that is still writing
    when the connection closes never sees the answer, takes it for a broken line, and sends the same again.
    """
    body = bytearray()
    received, room = 0, True
    with anyio.fail_after(READ_WITHIN):
        async for piece in request.stream():
            received += len(piece)
            room = room and (received > limit or take(len(piece)))
            if received <= limit and room:
                body += piece
            elif received > _PATIENCE * max(limit, DEFAULT_LIMIT):
                break
    if received > limit:
        raise TooLarge
    if not room:
        raise Busy
    return bytes(body)


async def drain(request: Request) -> None:
    """Read a body to its end and keep nothing of it, so that its sender sees the answer."""
    with suppress(TooLarge, ClientDisconnect, TimeoutError):
        await read(request, 0, lambda _: True)
