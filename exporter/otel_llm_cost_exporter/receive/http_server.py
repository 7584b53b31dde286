"""OTLP over HTTP: POST /v1/traces as protobuf or JSON, and the health endpoints.

Answers are in the encoding of the request.  Work is done in threads, because a request waits until its calls are
stored; the event loop only moves bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
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
_HEALTH_WITHIN: Final = 3.0
Endpoint = Callable[[Request], Awaitable[Response]]


def http_app(ingest: Ingest, discard: Discard, health: Callable[[], Health]) -> Starlette:
    """The ASGI application; `health` may block."""
    threads = anyio.CapacityLimiter(_REQUESTS_AT_ONCE)
    return Starlette(
        routes=[
            Route("/v1/traces", _traces(ingest, threads), methods=["POST"]),
            Route("/v1/metrics", _discarded(discard, "metrics"), methods=["POST"]),
            Route("/v1/logs", _discarded(discard, "logs"), methods=["POST"]),
            Route("/livez", _live, methods=["GET"]),
            Route("/readyz", _ready(health), methods=["GET"]),
            Route("/health", _ready(health), methods=["GET"]),
        ]
    )


def _traces(ingest: Ingest, threads: anyio.CapacityLimiter) -> Endpoint:
    async def traces(request: Request) -> Response:
        encoding = _encoding(request)
        if encoding is None:
            told = "Content-Type must be application/x-protobuf or application/json"
            return await _refuse(request, Outcome(Status.UNSUPPORTED, told), "json")
        if threads.available_tokens <= 0:
            busy = Outcome(Status.UNAVAILABLE, f"{_REQUESTS_AT_ONCE} requests are being worked on", retry_after=1.0)
            return await _refuse(request, busy, encoding)
        async with threads:
            outcome = await _take(request, ingest, encoding)
        return _answer(outcome, encoding)

    return traces


async def _take(request: Request, ingest: Ingest, encoding: Encoding) -> Outcome:
    try:
        body = await _read(request, ingest.limit)
    except TooLarge:
        return ingest.too_large()
    except ClientDisconnect:
        return Outcome(Status.UNDECODABLE, "the connection was closed before the body was complete")
    work = partial(_accept, ingest, body, request.headers.get("content-encoding", ""), encoding)
    return await anyio.to_thread.run_sync(work, limiter=anyio.CapacityLimiter(1))


def _accept(ingest: Ingest, body: bytes, compression: str, encoding: Encoding) -> Outcome:
    try:
        plain = decompress(body, compression, ingest.limit)
    except TooLarge:
        return ingest.too_large()
    except UnknownEncoding as error:
        return Outcome(Status.UNSUPPORTED, str(error))
    except ValueError as error:
        return Outcome(Status.UNDECODABLE, str(error))
    return ingest.accept(plain, encoding)


async def _read(request: Request, limit: int) -> bytes:
    """The body as sent, at most `limit` bytes in memory; TooLarge if there is more.

    What is too much is read to its end all the same, unless it has none in sight: a sender that is still writing
    when the connection closes never sees the answer, takes it for a broken line, and sends the same again.
    """
    body = bytearray()
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received <= limit:
            body += piece
        elif received > _PATIENCE * max(limit, DEFAULT_LIMIT):
            break
    if received > limit:
        raise TooLarge
    return bytes(body)


async def _refuse(request: Request, outcome: Outcome, encoding: Encoding) -> Response:
    """Answer without keeping the body."""
    with suppress(TooLarge, ClientDisconnect):
        await _read(request, 0)
    return _answer(outcome, encoding)


def _encoding(request: Request) -> Encoding | None:
    return _ENCODINGS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())


def _answer(outcome: Outcome, encoding: Encoding) -> Response:
    message: Message = answers.response(outcome) if outcome.status is Status.STORED else answers.failure(outcome)
    body = MessageToJson(message, indent=None).encode() if encoding == "json" else message.SerializeToString()
    headers = {"Retry-After": str(max(1, round(outcome.retry_after)))} if outcome.retry_after else None
    return Response(body, _HTTP_CODES[outcome.status], headers, _MEDIA_TYPES[encoding])


def _discarded(discard: Discard, kind: str) -> Endpoint:
    async def discarded(request: Request) -> Response:
        async for _ in request.stream():
            pass  # read and let go
        discard.note(kind)
        encoding = _encoding(request) or "protobuf"
        return Response(b"{}" if encoding == "json" else b"", 200, media_type=_MEDIA_TYPES[encoding])

    return discarded


async def _live(request: Request) -> Response:
    del request
    return PlainTextResponse("ok\n")


def _ready(health: Callable[[], Health]) -> Endpoint:
    async def ready(request: Request) -> Response:
        del request
        found = Health([f"the store did not answer within {_HEALTH_WITHIN:g} s"])
        with anyio.move_on_after(_HEALTH_WITHIN):
            found = await anyio.to_thread.run_sync(health, abandon_on_cancel=True)
        return JSONResponse(found.as_json(), 200 if found.ready else 503)

    return ready
