"""The server: how it starts and stops, how many questions at once, and the paths that it knows.

It listens on loopback, where whoever is on the machine as this user could open the store's files too; `door` says who
else comes in.  Questions run on connections of their own, so none of them holds up an insert.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import anyio
import anyio.to_thread
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from otel_llm_cost_exporter.ports import listen
from otel_llm_cost_exporter.store import Store
from otel_llm_cost_exporter.store.raw import EngineFault

from .answer import BAD_ARGUMENTS, BUSY, TOO_LARGE, Refusal
from .desk import Answer, Desk
from .door import Door, Readers
from .limits import Limits
from .reply import Reply
from .request import question

_log = logging.getLogger(__name__)
# a connection that breaks off on purpose, which the server takes for a fault of the application
logging.getLogger("uvicorn.error").addFilter(
    lambda record: record.msg != "ASGI callable returned without completing response."
)

_GRACE: Final = 2
"""Seconds for answers under way when stopping; their queries are ended before."""
_BODY_WITHIN: Final = 10.0
_METHODS: Final = frozenset({"GET", "POST", "HEAD"})


class QueryEndpoint:
    """Answers from construction to `close`.  Port 0 takes any free one; `port` and `url` say which.

    `keys` says who may read; `anonymous`, whether who comes without a key may read all projects, which on any other
    address than loopback nobody may.  PortTaken; ValueError where nobody could come in; StoreError for a store on a
    server.
    """

    def __init__(
        self,
        store: Store,
        *,
        host: str = "127.0.0.1",
        port: int = 8123,
        keys: Readers | None = None,
        anonymous: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self._door = Door(host, keys, anonymous=anonymous)
        self._limits = limits or Limits()
        self._raw = store.raw()
        try:
            self._desk = Desk(self._raw, self._limits)
            self._socket = listen(host, port, "queries", "--query-port")
        except BaseException:
            self._raw.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._told = {
            "X-ClickHouse-Timezone": self._raw.timezone,
            "X-ClickHouse-Server-Display-Name": "otel-llm-cost",
            "X-ClickHouse-Server-Version": self._raw.version,
        }
        self._places = anyio.Semaphore(self._limits.at_once)
        self._threads = anyio.CapacityLimiter(4 * self._limits.at_once)
        self._under_way: set[Answer] = set()
        self.answered = 0
        self.refused: Counter[str] = Counter()
        """By the name of ClickHouse's error, in lower case; `engine` where it was the engine that refused."""
        self._http = uvicorn.Server(
            uvicorn.Config(
                self._app,
                log_config=None,
                access_log=False,
                interface="asgi3",
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="llm-cost-query-http", daemon=True)
        self._thread.start()

    @property
    def anonymous(self) -> bool:
        """Whether who is on this machine may read without a key."""
        return self._door.anonymous

    def close(self) -> None:
        """Stop answering; queries at work are ended.  The store is left open for its owner."""
        self._http.should_exit = True
        under_way = tuple(self._under_way)
        for answer in under_way:
            answer.running.cancel()
        self._thread.join()
        for answer in {*under_way, *self._under_way}:  # the server does not wait for ever
            answer.running.close()
        self._desk.close()
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        # in a thread uvicorn leaves signals alone; the listening socket is ours
        self._http.run(sockets=[self._socket])

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        reply = Reply(receive, send, self._in_thread, self._told, request.query_params.get("query_id", ""))
        try:
            if (plain := _plain(request)) is not None:
                await plain(scope, receive, send)
            else:
                await self._question(request, reply)
        except (Refusal, EngineFault) as fault:
            self.refused[fault.name.lower() if isinstance(fault, Refusal) else "engine"] += 1
            await reply.fail(fault, self._raw.version)
        except ClientDisconnect:
            _log.debug("a client went away before its question was complete")

    async def _question(self, request: Request, reply: Reply) -> None:
        reader = self._door.let_in(request.url.query, request.headers)
        body = await _body(request, self._limits.body)
        asked = question(request.url.query, request.headers, body, self._limits.body)
        async with self._place():
            answer: Answer = await self._in_thread(self._desk.begin, asked, reader)
            self._under_way.add(answer)
            try:
                await reply.send(answer)
                self.answered += 1
            finally:
                self._under_way.discard(answer)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the places for queries at work; Refusal if none comes free in time."""
        with anyio.move_on_after(self._limits.patience) as waited:
            await self._places.acquire()
        if waited.cancelled_caught:
            raise Refusal(BUSY, f"Too many simultaneous queries: {self._limits.at_once} are at work. Ask again later.")
        try:
            yield
        finally:
            self._places.release()

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await anyio.to_thread.run_sync(partial(work, *args), limiter=self._threads)


def _plain(request: Request) -> Callable[[Scope, Receive, Send], Awaitable[None]] | None:
    """The answer to what asks nothing of the store."""
    if request.url.path == "/ping" or (request.url.path in ("", "/") and _asks_nothing(request)):
        return PlainTextResponse("Ok.\n")
    if request.url.path not in ("", "/") or request.method not in _METHODS:
        return PlainTextResponse("There is no such handle here: ask GET or POST / with a query.\n", 404)
    return None


def _asks_nothing(request: Request) -> bool:
    return request.method == "HEAD" or (request.method == "GET" and "query" not in request.query_params)


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    try:
        with anyio.fail_after(_BODY_WITHIN):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise Refusal(TOO_LARGE, f"a request may have {most} bytes.")
    except TimeoutError:
        raise Refusal(BAD_ARGUMENTS, f"the request did not arrive within {_BODY_WITHIN:g} s.") from None
    return bytes(body)
