"""A thin HTTP server around the vendors' pure answers.

It is the standard library's threading server, so that a test needs nothing else.  Every answer is in the ledger
before its last byte leaves: who has read an answer to its end will find it there.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import openai
from .ledger import Entry, Ledger
from .reply import Ask, Refusal, Reply, Vendor, to_json
from .scripts import HEADER, Chosen, choose, play

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)
_VENDOR: Vendor = openai
_MAX_BODY = 32 * 1024 * 1024
_NO_KEY = Refusal(
    status=401, code="invalid_api_key", kind="invalid_request_error", message="You didn't provide an API key."
)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for the handlers
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], scripts: Mapping[str, str]) -> None:
        self.scripts = scripts
        self.ledger = Ledger()
        self.kept: dict[str, bytes] = {}
        self.serials = count()  # `next` on it is atomic
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the pauses of slow answers, and wake the handlers that wait for a next request."""
        self.stopping.set()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the base class's signature
        error = sys.exception()
        log.log(logging.DEBUG if isinstance(error, OSError) else logging.ERROR, "a request failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a frame at a time, at once
    server: Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/ledger":
            self._send(Reply(body=to_json(self.server.ledger.as_json())))
        else:
            self._serve(self._ask(path, {}))

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(min(size, _MAX_BODY))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        self._serve(self._ask(urlsplit(self.path).path, body if isinstance(body, dict) else {}))

    def _ask(self, path: str, body: Mapping[str, Any]) -> Ask:
        tried = self.headers.get("x-stainless-retry-count") or "0"
        return Ask(
            method=self.command,
            path=path,
            body=body,
            serial=next(self.server.serials),
            attempt=int(tried) if tried.isdigit() else 0,
            created=int(time.time()),
        )

    def _serve(self, ask: Ask) -> None:
        chosen = choose(ask, self.headers.get(HEADER) or "", self.server.scripts)
        reply = self._reply(ask, chosen)
        self.server.ledger.add(_entry(ask, chosen.name, reply))
        if reply.keep is not None:
            self.server.kept[reply.keep[0]] = reply.keep[1]
        try:
            self._send(reply)
        except OSError:
            self.server.ledger.abandon(ask.serial)
            self.close_connection = True

    def _reply(self, ask: Ask, chosen: Chosen) -> Reply:
        if not self.headers.get("authorization"):
            return _VENDOR.refuse(_NO_KEY)
        kept = self.server.kept.get(ask.path) if ask.method == "GET" else None
        if kept is not None:
            return Reply(body=kept, operation="fetch_response", response_id=ask.path.rsplit("/", 1)[-1])
        return play(chosen, _VENDOR)

    def _send(self, reply: Reply) -> None:
        self._rest(reply.pause)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.events is not None:
            self._send_events(reply)
        else:
            self._send_whole(reply)
        if reply.ending == "cut":
            self.close_connection = True

    def _send_whole(self, reply: Reply) -> None:
        missing = 1 if reply.ending == "cut" else 0  # announce more than will come
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply.body) + missing))
        self.end_headers()
        self.wfile.write(reply.body)

    def _send_events(self, reply: Reply) -> None:
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for frame in reply.events or ():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            self._rest(reply.pause)
        if reply.ending == "complete":
            self.wfile.write(b"0\r\n\r\n")

    def _rest(self, seconds: float) -> None:
        if seconds:
            self.server.stopping.wait(seconds)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's signature
        log.debug(format, *args)


def _entry(ask: Ask, script: str, reply: Reply) -> Entry:
    return Entry(
        serial=ask.serial,
        method=ask.method,
        path=ask.path,
        operation=reply.operation or _operation(ask.path),
        model=ask.model,
        stream=reply.events is not None,
        script=script,
        attempt=ask.attempt,
        status=reply.status,
        response_id=reply.response_id,
        usage=reply.usage if reply.status == 200 else None,
        outcome="cut" if reply.ending == "cut" else "completed",
    )


def _operation(path: str) -> str:
    """The operation of a call that was refused."""
    return "embeddings" if path.endswith("/embeddings") else "chat"
