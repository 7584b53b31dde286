"""A thin HTTP server around the vendors' pure answers.

It is the standard library's threading server, so that a test needs nothing else.  Every answer is in the ledger
before its last byte leaves: who has read an answer to its end will find it there.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from . import prose
from .body import read_body
from .office import Office
from .reply import Ask, Refusal, Reply, Vendor, to_json
from .scripts import HEADER, Chosen, choose, play
from .vendors import vendor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)
_MAX_BODY = 32 * 1024 * 1024
_NO_KEY = Refusal(
    status=401, code="invalid_api_key", kind="invalid_request_error", message="You didn't provide an API key."
)


class Server(ThreadingHTTPServer):
    """One listener; several may share an office."""

    daemon_threads = False  # so that server_close waits for the handlers
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], office: Office) -> None:
        self.office = office
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
        if self.path == "/ledger":
            self._send(Reply(body=to_json(self.server.office.ledger.as_json())))
        else:
            self._serve({})

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(min(size, _MAX_BODY))
        self._serve(read_body(self.headers.get("content-type") or "", raw))

    def _serve(self, body: Mapping[str, Any]) -> None:
        office, path = self.server.office, unquote(urlsplit(self.path).path)
        same = prose.digest(path, body)
        ask = Ask(
            method=self.command,
            path=path,
            body=body,
            serial=next(office.serials),
            attempt=office.attempts.number(self.headers.get("x-stainless-retry-count"), same),
            created=int(time.time()),
            origin=f"http://{self.headers.get('host')}",
            memory=office.memory,
        )
        vendor = vendor_of(path)
        chosen = choose(ask, self.headers.get(HEADER) or "", office.scripts)
        reply = self._reply(chosen, vendor)
        office.attempts.answered(same, reply.status)
        office.record(ask, vendor, chosen.name, reply)
        try:
            self._send(reply)
        except OSError:
            office.ledger.abandon(ask.serial)
            self.close_connection = True

    def _reply(self, chosen: Chosen, vendor: Vendor) -> Reply:
        if not any(self.headers.get(name) for name in vendor.KEYS):
            return vendor.refuse(_NO_KEY)
        return play(chosen, vendor)

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
        self.send_header("content-type", reply.media)
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
