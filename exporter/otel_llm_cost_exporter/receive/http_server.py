"""OTLP over HTTP: POST /v1/traces as protobuf or JSON, and what the collector tells of itself.

Answers are in the encoding of the request.  Who sends is asked before a body is read.  Work is done in threads, because
a request waits until its calls are safe; the event loop only moves bytes.  A body is read whole, within a time and
beside not too many others, before a thread is taken for it: who sends slowly keeps nobody else waiting.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from otel_llm_cost_exporter.access.gate import Gate, Visitor, credential

from . import answers, http_body
from .compression import TooLarge, UnknownEncoding, decompress
from .discard import Discard
from .door import Door, TurnedAway
from .health import Check, Health
from .http_body import Busy, Room, drain, read
from .http_head import Head
from .ingest import Encoding, Ingest
from .outcome import Outcome, Status

_ENCODINGS: Final[dict[str, Encoding]] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_MEDIA_TYPES: Final[dict[Encoding, str]] = {encoding: media for media, encoding in _ENCODINGS.items()}
_HTTP_CODES: Final = {
    Status.STORED: 200,
    Status.UNDECODABLE: 400,
    Status.TOO_LARGE: 413,
    Status.UNSUPPORTED: 415,
    Status.UNAUTHENTICATED: 401,
    Status.FORBIDDEN: 403,
    Status.LIMITED: 429,
    Status.FAULT: 500,
    Status.UNAVAILABLE: 503,
}
_REQUESTS_AT_ONCE: Final = 64
_MOST_WAITING_BYTES: Final = 256 * 1024 * 1024
"""Of all bodies that are being read or worked on, as sent; one body may always be as large as a request may."""
_UNPACKED_FREELY: Final = 4 * 1024 * 1024
_UNPACKED_AT_ONCE: Final = 4
"""Bodies that become larger than that: a few hundred kilobytes on the wire can be 64 MiB, and wait as such."""
_HEALTH_WITHIN: Final = 3.0
_CHALLENGE: Final = 'Bearer realm="otel-llm-cost"'
_TRACES: Final = "HTTP /v1/traces"
Endpoint = Callable[[Request], Awaitable[Response]]


def http_app(
    ingest: Ingest,
    discard: Discard,
    health: Callable[[], Health],
    *,
    gate: Gate | None = None,
    metrics: Callable[[], tuple[bytes, str]] | None = None,
) -> Starlette:
    """The ASGI application; `health` and `metrics` (body and content type) may block.

    Without a gate everybody may write.
    """
    threads = anyio.CapacityLimiter(_REQUESTS_AT_ONCE)
    room = Room(max(_MOST_WAITING_BYTES, ingest.limit))
    door = Door(gate or Gate(), ingest.counters)
    ready = _ready(health, threads, room, door.gate)
    told = [Route("/metrics", _metrics(metrics, door.gate), methods=["GET"])] if metrics else []
    return Starlette(
        routes=[
            Route("/v1/traces", _Traces(ingest, door, threads, room).post, methods=["POST"]),
            Route("/v1/metrics", _discarded(discard, "metrics", door), methods=["POST"]),
            Route("/v1/logs", _discarded(discard, "logs", door), methods=["POST"]),
            Route("/livez", _live, methods=["GET"]),
            Route("/readyz", ready, methods=["GET"]),
            Route("/health", ready, methods=["GET"]),
            *told,
        ],
        middleware=[Middleware(Head)],
    )


class _Traces:
    """The endpoint for traces."""

    def __init__(self, ingest: Ingest, door: Door, threads: anyio.CapacityLimiter, room: Room) -> None:
        self._ingest = ingest
        self._door = door
        self._threads = threads
        self._room = room
        self._unpacking = threading.BoundedSemaphore(_UNPACKED_AT_ONCE)

    async def post(self, request: Request) -> Response:
        """Let in, read, hand over to a thread, answer."""
        encoding = _encoding(request)
        try:
            visitor = _enter(self._door, request)
        except TurnedAway as turned:
            return _answer(turned.outcome, encoding or "json")
        if encoding is None:
            told = "Content-Type must be application/x-protobuf or application/json"
            await drain(request)
            return self._turn_away(request, Outcome(Status.UNSUPPORTED, told), "json")
        try:
            with self._room.body() as take:
                body = await read(request, self._ingest.limit_of(encoding), take)
                if self._threads.available_tokens <= 0:
                    raise Busy
                compression = request.headers.get("content-encoding", "")
                work = partial(self._accept, body, compression, encoding, visitor)
                return _answer(await anyio.to_thread.run_sync(work, limiter=self._threads), encoding)
        except Busy:
            busy = Outcome(Status.UNAVAILABLE, "too many requests are being worked on", retry_after=1.0)
            return self._turn_away(request, busy, encoding)
        except TooLarge:
            return self._turn_away(request, self._ingest.too_large(encoding), encoding)
        except TimeoutError:
            slow = Outcome(
                Status.UNAVAILABLE, f"the body did not arrive within {http_body.READ_WITHIN:g} s", retry_after=1.0
            )
            answer = self._turn_away(request, slow, encoding)
            answer.headers["Connection"] = "close"  # the rest of the body may come yet, and is no request
            return answer
        except ClientDisconnect:
            gone = Outcome(Status.UNDECODABLE, "the connection closed before the body was complete")
            return self._turn_away(request, gone, encoding)

    def _turn_away(self, request: Request, outcome: Outcome, encoding: Encoding) -> Response:
        return _answer(self._door.turned_away(_via(request), outcome), encoding)

    def _accept(self, body: bytes, compression: str, encoding: Encoding, visitor: Visitor) -> Outcome:
        limit = self._ingest.limit_of(encoding)
        with suppress(TooLarge):
            return self._take(body, compression, encoding, visitor, min(limit, _UNPACKED_FREELY))
        with self._unpacking:
            try:
                return self._take(body, compression, encoding, visitor, limit)
            except TooLarge:
                return self._door.turned_away(_TRACES, self._ingest.too_large(encoding))

    def _take(self, body: bytes, compression: str, encoding: Encoding, visitor: Visitor, most: int) -> Outcome:
        """TooLarge where it is more than `most` bytes unpacked."""
        try:
            plain = decompress(body, compression, most)
        except UnknownEncoding as error:
            return self._door.turned_away(_TRACES, Outcome(Status.UNSUPPORTED, str(error)))
        except ValueError as error:
            return self._door.turned_away(_TRACES, Outcome(Status.UNDECODABLE, str(error)))
        return self._door.told(_TRACES, self._ingest.accept(plain, encoding, visitor.sender, visitor.bucket))


def _enter(door: Door, request: Request, *, with_spans: bool = True) -> Visitor:
    headers = request.headers
    return door.enter(
        _via(request),
        headers.get("authorization"),
        headers.get("x-api-key"),
        from_page="origin" in headers,
        with_spans=with_spans,
    )


def _via(request: Request) -> str:
    return f"HTTP {request.scope['path']}"


def _encoding(request: Request) -> Encoding | None:
    return _ENCODINGS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())


def _answer(outcome: Outcome, encoding: Encoding) -> Response:
    message: Message = answers.response(outcome) if outcome.status is Status.STORED else answers.failure(outcome)
    body = MessageToJson(message, indent=None).encode() if encoding == "json" else message.SerializeToString()
    return Response(body, _HTTP_CODES[outcome.status], _headers(outcome), _MEDIA_TYPES[encoding])


def _headers(outcome: Outcome) -> dict[str, str]:
    headers = outcome.standing.headers() if outcome.standing else {}
    if outcome.retry_after:
        headers["Retry-After"] = str(max(1, math.ceil(outcome.retry_after)))
    if outcome.status is Status.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = _CHALLENGE
    return headers


def _discarded(discard: Discard, kind: str, door: Door) -> Endpoint:
    async def discarded(request: Request) -> Response:
        encoding = _encoding(request) or "protobuf"
        try:
            _enter(door, request, with_spans=False)
        except TurnedAway as turned:
            return _answer(turned.outcome, encoding)
        await drain(request)
        discard.note(kind)
        return Response(b"{}" if encoding == "json" else b"", 200, media_type=_MEDIA_TYPES[encoding])

    return discarded


async def _live(request: Request) -> Response:
    del request
    return PlainTextResponse("ok\n")


def _ready(health: Callable[[], Health], threads: anyio.CapacityLimiter, room: Room, gate: Gate) -> Endpoint:
    async def ready(request: Request) -> Response:
        found = Health({"health": Check(False, f"no answer within {_HEALTH_WITHIN:g} s")}, frozenset({"health"}))
        with anyio.move_on_after(_HEALTH_WITHIN):
            found = await anyio.to_thread.run_sync(health, abandon_on_cancel=True)
        if threads.available_tokens <= 0 or room.left <= 0:
            full = Check(False, "as many as can be are being worked on: senders are told to come back")
            found = found.with_check("requests", full)
        return JSONResponse(found.as_json(brief=not _may_look(gate, request)), 200 if found.ready else 503)

    return ready


def _metrics(metrics: Callable[[], tuple[bytes, str]], gate: Gate) -> Endpoint:
    async def told(request: Request) -> Response:
        if not _may_look(gate, request):
            remedy = "an API key that may read is needed: otel-llm-cost keys create --project NAME --read\n"
            return PlainTextResponse(remedy, 401, {"WWW-Authenticate": _CHALLENGE})
        body, kind = await anyio.to_thread.run_sync(metrics)
        return Response(body, headers={"content-type": kind})

    return told


def _may_look(gate: Gate, request: Request) -> bool:
    return gate.may_look(credential(request.headers.get("authorization"), request.headers.get("x-api-key")))
