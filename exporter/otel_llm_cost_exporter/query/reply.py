"""An answer on its way out: bytes as the engine writes them, and how an error before or behind them is told."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import anyio.to_thread
from starlette.types import Receive, Send

from otel_llm_cost_exporter.store.raw import EngineFault

from .answer import Refusal, late_fault, media_type, status_of, summary
from .desk import Answer
from .native import Cut

_HOLD: Final = 1 << 16
"""Bytes that are held back until more come or the end: so small an answer has the status that it deserves."""
_TRY_AGAIN: Final = 0.1
_ID: Final = re.compile(r"[\w.:\-]{1,100}")

InThread = Callable[..., Awaitable[Any]]


class Reply:
    """One request's answer.  `told` are headers that every answer has."""

    def __init__(
        self, receive: Receive, send: Send, in_thread: InThread, told: Mapping[str, str], query_id: str
    ) -> None:
        self._receive = receive
        self._send = send
        self._in_thread = in_thread
        self._began = time.perf_counter_ns()
        self._tag = secrets.token_hex(8)
        self._gone = False
        identity = query_id if _ID.fullmatch(query_id) else str(uuid.uuid4())
        self._told = {**told, "X-ClickHouse-Query-Id": identity}

    async def send(self, answer: Answer) -> None:
        """Send what the engine writes; end the query when the client has gone."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, answer)
            try:
                await self._all(answer)
            finally:
                with anyio.CancelScope(shield=True):
                    if not answer.running.ended:
                        await self._in_thread(answer.running.cancel)
                    await self._in_thread(answer.running.close)
            group.cancel_scope.cancel()

    async def fail(self, fault: Refusal | EngineFault, version: str) -> None:
        """An error instead of an answer."""
        text = f"{fault} (version {version})\n".encode()
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Length": str(len(text)),
            "X-ClickHouse-Exception-Code": str(fault.code),
        }
        await self._start(status_of(fault.code), headers)
        await self._send({"type": "http.response.body", "body": text})

    async def _all(self, answer: Answer) -> None:
        head, fault = await self._head(answer)
        if self._gone:
            return
        if fault is not None:
            await self.fail(fault, self._told["X-ClickHouse-Server-Version"])
            return
        await self._start(200, self._headers(answer))
        piece = head
        while piece and not self._gone:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            piece, fault = await self._next(answer)
        if fault is None:
            await self._send({"type": "http.response.body", "body": b""})
        elif not answer.packing and not self._gone:
            late = late_fault(str(fault), self._tag)
            await self._send({"type": "http.response.body", "body": late, "more_body": True})
        # after a fault nothing says that the answer is complete, and the server breaks the connection off

    async def _head(self, answer: Answer) -> tuple[bytes, Refusal | EngineFault | None]:
        head = b""
        while len(head) < _HOLD:
            piece, fault = await self._next(answer)
            head += piece
            if not piece:
                return head, fault
        return head, None

    async def _next(self, answer: Answer) -> tuple[bytes, Refusal | EngineFault | None]:
        """The next bytes; none at the end, and then the fault that ended it, if one did."""
        try:
            piece: bytes = await self._in_thread(answer.read)
        except (Refusal, EngineFault) as fault:
            return b"", fault
        except Cut as cut:
            return b"", answer.running.fault or EngineFault(str(cut))
        return piece, None if piece else answer.running.fault

    async def _watch(self, answer: Answer) -> None:
        """Wait for the client to go away; then nobody wants the query's end."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        while not answer.running.ended:  # one that has only begun is not known to the engine yet
            await self._in_thread(answer.running.cancel)
            await anyio.sleep(_TRY_AGAIN)

    def _headers(self, answer: Answer) -> dict[str, str]:
        headers = {
            "Content-Type": media_type(answer.form),
            "X-ClickHouse-Format": answer.form,
            "X-ClickHouse-Summary": summary(time.perf_counter_ns() - self._began),
            "X-ClickHouse-Exception-Tag": self._tag,
            "Cache-Control": "no-store",
        }
        return headers | ({"Content-Encoding": answer.packing} if answer.packing else {})

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        told = [(name.lower().encode(), value.encode()) for name, value in {**self._told, **headers}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": told})
