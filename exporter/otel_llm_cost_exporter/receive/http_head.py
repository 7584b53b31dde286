"""The head of an HTTP request (its line and headers), bounded: the parser keeps all of it that comes.

The protocol cuts off a head that does not end; the application refuses one that has ended and is too large.  Between
the two no more than a piece as the operating system gives it is kept.
"""

from __future__ import annotations

from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from otel_llm_cost_exporter import logs

_MOST_BYTES: Final = 32 * 1024
_MOST_HEADERS: Final = 100
_WITHIN: Final = 30.0
"""Seconds for a head to come, from the connection or the request before it."""
_BODY_WITHIN: Final = 45.0
"""Seconds for the body behind it, whoever reads it: more than the application gives who may come in, so that it is for
those who were turned away and go on sending."""
_MOST_CONNECTIONS: Final = 512
"""At once.  More are closed unheard: descriptors are for the journal and the store, too."""
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedHead(HttpToolsProtocol):
    """uvicorn's protocol, with a bound on bytes and seconds of a head that is not complete."""

    _kept = 0
    _open = True
    """A head is being read."""
    _fresh = False
    """It began in the piece at hand, so that is not all of the head."""
    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """A head must come now."""
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            self._give_up()
            return
        self._timer = self.loop.call_later(_WITHIN, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a piece, and count it if all of it belongs to a head."""
        super().data_received(data)
        if not self._open or self.transport.is_closing():
            return
        self._kept += 0 if self._fresh else len(data)
        self._fresh = False
        if self._kept > _MOST_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._kept, self._open, self._fresh = 0, True, True
        self._stop_timer()
        self._timer = self.loop.call_later(_WITHIN, self._give_up)

    def on_headers_complete(self) -> None:
        """A head ends, and a body may begin."""
        self._open = False
        self._stop_timer()
        self._timer = self.loop.call_later(_BODY_WITHIN, self._give_up)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A body ends."""
        self._stop_timer()
        super().on_message_complete()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class Head:
    """The outermost part of the application: bounds heads, and gives every request an id and its answer the same."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _size(scope) > _MOST_BYTES or len(scope["headers"]) > _MOST_HEADERS:
            refusal = PlainTextResponse("too many or too large headers\n", 431, {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        said = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        identity = logs.request_id(said.decode("latin-1"))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity.encode())]
            await send(message)

        with logs.of_request(identity):
            await self._app(scope, receive, send_with_id)


def _size(scope: Any) -> int:
    line = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    return line + sum(len(name) + len(value) for name, value in scope["headers"])
