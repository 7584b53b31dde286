"""The collector: journal, flusher, store, servers and what looks after them, as one thing that starts and stops.

Order matters.  Ports are taken before anything is served.  What a dead process left in the journal is read before a new
request can come in.  On the way down the servers finish the requests that they have while the journal still takes
them; then the flusher stores what waits, for a bounded time; what is left stays in the journal for the next start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter import observe
from otel_llm_cost_exporter.access import Gate
from otel_llm_cost_exporter.flush import Batch, Flusher
from otel_llm_cost_exporter.forward import Forwarder, Target, refuse_own
from otel_llm_cost_exporter.journal import Journal
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.ports import PortTaken, is_loopback, listen
from otel_llm_cost_exporter.query import QueryEndpoint
from otel_llm_cost_exporter.rollups import Watch
from otel_llm_cost_exporter.store import Store

from .discard import Discard
from .grpc_server import grpc_server, listen_grpc
from .health import Checkup
from .http_server import http_app
from .ingest import DEFAULT_LIMIT, Ingest
from .introspection import counters, parts, readings
from .serving import uvicorn_server
from .tls import TLS

__all__ = ["Collector", "NobodyMayWrite", "PortTaken"]

_log = logging.getLogger(__name__)

_GRACE: Final = 3
"""Seconds for requests at work when stopping: with all that follows, less than the 10 s Docker gives."""
_DRAIN: Final = 4.0
"""Seconds for the journal to be stored when stopping; what is left is stored by the next start."""
_LAST: Final = 1.0
"""Seconds for what is forwarded, and again for the collector's own metrics."""


class NobodyMayWrite(Exception):
    """It was to listen where others reach it, and there is no key; the text says what to do."""


class Collector:
    """Runs from construction to `close`.  Port 0 takes any free one; `http_port` and `grpc_port` say which.

    `store` is open and migrated, or opens one (StoreError where it cannot yet: then it is asked again, and requests
    wait in the journal).  `journal` is the journal's folder, `journal_bytes` what may wait in it.  `limit` is the
    largest request in bytes, `most_wait` how long in seconds a call waits for company on its way to the store; `hosts`
    says who is behind a host that nobody knows.  `gate` decides who may write; without one everybody may, on loopback.
    `forward` is where enriched spans go on to, `metrics_to` where the collector's own metrics are sent besides being
    at /metrics.  With `query_port` an embedded store answers SQL over HTTP there, on 127.0.0.1.
    """

    def __init__(
        self,
        store: Store | Callable[[], Store],
        book: PriceBook,
        journal: Path,
        *,
        host: str = "127.0.0.1",
        http_port: int = 4318,
        grpc_port: int = 4317,
        limit: int = DEFAULT_LIMIT,
        journal_bytes: int = 4 << 30,
        keep_free: int = 512 << 20,
        most_wait: float = 1.0,
        hosts: Mapping[str, str] | None = None,
        gate: Gate | None = None,
        tls: TLS | None = None,
        forward: Target | None = None,
        metrics_to: Target | None = None,
        query_port: int | None = None,
    ) -> None:
        self.gate = _gate(gate, host)
        self._open = store
        self._book = book
        self._hosts = hosts
        self.store: Store | None = store if isinstance(store, Store) else None
        self.pipeline: Pipeline | None = None
        self.watch: Watch | None = None
        self._beside: Store | None = None
        """Handles for the watch, whose looks take long, so that nobody waits for them."""
        self._closed: bool | None = None
        with ExitStack() as built:
            self._socket = listen(host, http_port, "OTLP over HTTP", "--http-port")
            built.callback(self._socket.close)
            self.http_port: int = self._socket.getsockname()[1]
            self.journal = Journal(journal, most_bytes=journal_bytes, keep_free=keep_free)
            built.callback(self.journal.close)
            ingest, discard = Ingest(self.journal, limit=limit), Discard()
            self.ingested = ingest.counters
            self._grpc = grpc_server(ingest, discard, gate=self.gate)
            self.grpc_port = listen_grpc(self._grpc, host, grpc_port, tls)
            for target in filter(None, (forward, metrics_to)):
                refuse_own(target, host, self.http_port, self.grpc_port)
            self.queries = self._query_endpoint(query_port)
            self.forwarder = Forwarder(forward) if forward else None
            built.pop_all()
        self.flusher = Flusher(self.journal, self._connect, journal, most_wait=most_wait, stored=self._stored)
        self._observer = observe.Observer(partial(readings, self), push_to=metrics_to)
        health = Checkup(parts(self), partial(counters, self))
        app = http_app(ingest, discard, health, gate=self.gate, metrics=self._observer.render)
        self._http = uvicorn_server(app, tls=tls, grace=_GRACE)
        self.flusher.start()
        self._grpc.start()
        self._thread = threading.Thread(target=self._serve_http, name="llm-cost-http", daemon=True)
        self._thread.start()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was acknowledged is stored; False if that took too long."""
        return self.flusher.wait_until(self.journal.tail, timeout)

    @property
    def query_url(self) -> str | None:
        """Where SQL is answered."""
        return self.queries.url if self.queries else None

    def close(self) -> bool:
        """Stop taking requests, finish those at work, store what waits; False where some of it could not be stored.

        A store that was given is left open for its owner.  Safe to call again.
        """
        if self._closed is not None:
            return self._closed
        self._http.should_exit = True
        stopped = self._grpc.stop(_GRACE)
        self._thread.join()
        stopped.wait()
        self.journal.drain()
        if self.watch is not None:
            self.watch.stop()
        drained = self.flusher.close(_DRAIN)
        if self.forwarder is not None:
            self.forwarder.close(_LAST)
        if self.queries is not None:
            self.queries.close()
        self._observer.close(_LAST)
        if self.flusher.alive:
            _log.warning("the store does not answer; its connection and the journal are left to the end of the process")
        else:
            self._let_go()
        self._closed = drained
        return drained

    def _let_go(self) -> None:
        """Close what the flusher worked with."""
        if self.watch is not None and not self.watch.close(_LAST):
            _log.warning("a look at the rollups is not at its end; its connection is left to the end of the process")
        elif self._beside is not None:
            self._beside.close()
        self.journal.close()
        if self.store is not None and self.store is not self._open:
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve_http(self) -> None:
        # in a thread uvicorn leaves signals alone; the listening socket is ours
        self._http.run(sockets=[self._socket])

    def _connect(self) -> tuple[Store, Pipeline]:
        if self.store is None:
            self.store = self._open() if callable(self._open) else self._open
        if self.watch is None:
            self._beside = self.store.another()
            self.watch = Watch(self._beside, self.flusher.paused)
            self.watch.start()
        if self.pipeline is None:
            self.pipeline = Pipeline(self.store, self._book, hosts=self._hosts)
        return self.store, self.pipeline

    def _query_endpoint(self, port: int | None) -> QueryEndpoint | None:
        if port is None or self.store is None or not self.store.embedded:
            return None
        endpoint = QueryEndpoint(self.store, port=port, keys=self.gate.ring, anonymous=self.gate.anonymous)
        self.store.announce(endpoint.url, key=not self.gate.anonymous)
        return endpoint

    def _stored(self, batch: Batch) -> None:
        if self.watch is not None:
            self.watch.mark(batch.days)
        if self.forwarder is not None:
            self.forwarder.offer(batch)


def _gate(gate: Gate | None, host: str) -> Gate:
    """Who may write where this listens: without a key, nobody but this machine."""
    loopback = is_loopback(host)
    gate = gate or Gate(anonymous=loopback)
    if gate.anonymous and not loopback:
        raise NobodyMayWrite(
            f"others reach {host}, and nobody may write there without an API key: make one with `otel-llm-cost keys"
            " create --project NAME`, or listen on 127.0.0.1."
        )
    if not gate.anonymous and not gate.ring.active():
        raise NobodyMayWrite(
            "nobody may write without an API key, and there is none: make one with `otel-llm-cost keys create --project"
            " NAME`."
        )
    if gate.anonymous:
        _log.info("whoever is on this machine may write without an API key; --require-key ends that")
    return gate
