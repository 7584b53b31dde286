"""OTLP over HTTP: POST /v1/traces as protobuf or JSON, and the health endpoints.

Answers are in the encoding of the request.  Work is done in threads, because a request waits until its calls are
stored; the event loop only moves bytes.  A body is read whole, within a time and beside not too many others, before a
thread is taken for it: who sends slowly keeps nobody else waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from . import answers
from .compression import TooLarge, UnknownEncoding, decompress
from .discard import Discard
from .health import Health
from .ingest import DEFAULT_LIMIT, Encoding, Ingest, Outcome, Status

_ENCODINGS: Final[dict[str, Encoding]] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_MEDIA_TYPES: Final[dict[Encoding, str]] = {encoding: media for media, encoding in _ENCODINGS.items()}
_HTTP_CODES: Final = {
    Status.STORED: 200,
    Status.UNDECODABLE: 400,
    Status.TOO_LARGE: 413,
    Status.UNSUPPORTED: 415,
    Status.FAULT: 500,
    Status.UNAVAILABLE: 503,
}
_REQUESTS_AT_ONCE: Final = 64
_PATIENCE: Final = 4
"""Times the limit that are read of a body that is too large before its sender is cut off."""
_READ_WITHIN: Final = 30.0
"""Seconds for a whole body."""
_MOST_WAITING_BYTES: Final = 256 * 1024 * 1024
"""Of all bodies that are being read or worked on, as sent; one body may always be as large as a request may."""
_HEALTH_WITHIN: Final = 3.0
Endpoint = Callable[[Request], Awaitable[Response]]


def http_app(ingest: Ingest, discard: Discard, health: Callable[[], Health]) -> Starlette:
    """The ASGI application; `health` may block."""
    threads = anyio.CapacityLimiter(_REQUESTS_AT_ONCE)
    room = _Room(max(_MOST_WAITING_BYTES, ingest.limit))
    return Starlette(
        routes=[
            Route("/v1/traces", _traces(ingest, threads, room), methods=["POST"]),
            Route("/v1/metrics", _discarded(discard, "metrics"), methods=["POST"]),
            Route("/v1/logs", _discarded(discard, "logs"), methods=["POST"]),
            Route("/livez", _live, methods=["GET"]),
            Route("/readyz", _ready(health, threads, room), methods=["GET"]),
            Route("/health", _ready(health, threads, room), methods=["GET"]),
        ]
    )


class _Busy(Exception):
    """There is no room for another body now."""


class _Room:
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


def _traces(ingest: Ingest, threads: anyio.CapacityLimiter, room: _Room) -> Endpoint:
    async def traces(request: Request) -> Response:
        encoding = _encoding(request)
        if encoding is None:
            told = "Content-Type must be application/x-protobuf or application/json"
            return await _refuse(request, Outcome(Status.UNSUPPORTED, told), "json")
        try:
            with room.body() as take:
                body = await _read(request, ingest.limit_of(encoding), take)
                if threads.available_tokens <= 0:
                    raise _Busy
                work = partial(_accept, ingest, body, request.headers.get("content-encoding", ""), encoding)
                return _answer(await anyio.to_thread.run_sync(work, limiter=threads), encoding)
        except _Busy:
            return _answer(
                Outcome(Status.UNAVAILABLE, "too many requests are being worked on", retry_after=1.0), encoding
            )
        except TooLarge:
            return _answer(ingest.too_large(encoding), encoding)
        except TimeoutError:
            return _cut_off(encoding)
        except ClientDisconnect:
            return _answer(Outcome(Status.UNDECODABLE, "the connection closed before the body was complete"), encoding)

    return traces


def _accept(ingest: Ingest, body: bytes, compression: str, encoding: Encoding) -> Outcome:
    try:
        plain = decompress(body, compression, ingest.limit_of(encoding))
    except TooLarge:
        return ingest.too_large(encoding)
    except UnknownEncoding as error:
        return Outcome(Status.UNSUPPORTED, str(error))
    except ValueError as error:
        return Outcome(Status.UNDECODABLE, str(error))
    return ingest.accept(plain, encoding)


async def _read(request: Request, limit: int, take: Callable[[int], bool]) -> bytes:
    """The body as sent, at most `limit` bytes in memory and no more than `take` gives room for.

    Raises TooLarge, _Busy, or TimeoutError if it takes too long.

    What is too much is read to its end all the same, unless it has none in sight: a sender that is still writing
    when the connection closes never sees the answer, takes it for a broken line, and sends the same again.
    """
    body = bytearray()
    received, room = 0, True
    with anyio.fail_after(_READ_WITHIN):
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
        raise _Busy
    return bytes(body)


async def _refuse(request: Request, outcome: Outcome, encoding: Encoding) -> Response:
    """Answer without keeping the body."""
    with suppress(TooLarge, ClientDisconnect, TimeoutError):
        await _read(request, 0, bool)
    return _answer(outcome, encoding)


def _cut_off(encoding: Encoding) -> Response:
    slow = Outcome(Status.UNAVAILABLE, f"the body did not arrive within {_READ_WITHIN:g} s", retry_after=1.0)
    answer = _answer(slow, encoding)
    answer.headers["Connection"] = "close"  # the rest of the body may come yet, and is no request
    return answer


def _encoding(request: Request) -> Encoding | None:
    return _ENCODINGS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())


def _answer(outcome: Outcome, encoding: Encoding) -> Response:
    message: Message = answers.response(outcome) if outcome.status is Status.STORED else answers.failure(outcome)
    body = MessageToJson(message, indent=None).encode() if encoding == "json" else message.SerializeToString()
    headers = {"Retry-After": str(max(1, round(outcome.retry_after)))} if outcome.retry_after else None
    return Response(body, _HTTP_CODES[outcome.status], headers, _MEDIA_TYPES[encoding])


def _discarded(discard: Discard, kind: str) -> Endpoint:
    async def discarded(request: Request) -> Response:
        with suppress(TooLarge, TimeoutError):
            await _read(request, 0, bool)
        discard.note(kind)
        encoding = _encoding(request) or "protobuf"
        return Response(b"{}" if encoding == "json" else b"", 200, media_type=_MEDIA_TYPES[encoding])

    return discarded


async def _live(request: Request) -> Response:
    del request
    return PlainTextResponse("ok\n")


def _ready(health: Callable[[], Health], threads: anyio.CapacityLimiter, room: _Room) -> Endpoint:
    async def ready(request: Request) -> Response:
        del request
        found = Health([f"the store did not answer within {_HEALTH_WITHIN:g} s"])
        with anyio.move_on_after(_HEALTH_WITHIN):
            found = await anyio.to_thread.run_sync(health, abandon_on_cancel=True)
        if threads.available_tokens <= 0 or room.left <= 0:
            found.reasons.append("as many requests as can be are being worked on: senders are told to come back")
        return JSONResponse(found.as_json(), 200 if found.ready else 503)

    return ready
