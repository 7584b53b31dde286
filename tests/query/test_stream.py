"""Answers go out while the engine works, and nobody's query outlives its reader or holds up another."""

# ruff: noqa: S608  # no statement here has anything of anybody in it
from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead
from typing import Any
from urllib.parse import urlencode

import pytest

from otel_llm_cost_exporter.query import Limits, QueryEndpoint
from otel_llm_cost_exporter.store import Store

from .conftest import Asker

SLOW = "SELECT number, sleepEachRow(0.001) FROM numbers(100000)"
FAILS_LATE = "SELECT number, throwIf(number = 2000000) FROM numbers(3000000)"


@contextmanager
def _asked(port: int, sql: str, headers: Mapping[str, str] | None = None, **asked: Any) -> Iterator[HTTPConnection]:
    """A question that was sent and whose answer was not looked at; at the end the client goes away."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/?" + urlencode({"query": sql, **asked}), headers=dict(headers or {}))
        yield connection
    finally:
        connection.close()


def _at_work(store: Store) -> int:
    return int(
        store.query("SELECT count() AS n FROM system.processes WHERE query NOT LIKE '%system.processes%'")[0]["n"]
    )


def _wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it came about in time; the engine tells of its queries only when asked."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _idle_within(store: Store, seconds: float) -> bool:
    return _wait_for(lambda: _at_work(store) == 0, seconds)


@pytest.mark.parametrize(
    "asked", [{}, {"default_format": "JSONCompact"}, {"default_format": "Native", "client_protocol_version": 54460}]
)
def test_the_first_bytes_come_before_the_query_ends(
    endpoint: QueryEndpoint, store: Store, asked: dict[str, Any]
) -> None:
    with _asked(endpoint.port, "SELECT number, toString(number) FROM numbers(1000000000)", **asked) as connection:
        response = connection.getresponse()
        assert len(response.read(100_000)) == 100_000
        assert _at_work(store) == 1
        response.close()
    assert _idle_within(store, 5)


def test_who_leaves_before_the_first_byte_ends_the_query(endpoint: QueryEndpoint, store: Store) -> None:
    with _asked(endpoint.port, "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"):
        _wait_for(lambda: _at_work(store) == 1)
    assert _idle_within(store, 5)


@pytest.mark.parametrize("form", ["TabSeparated", "JSON", "JSONCompact", "CSV", "RowBinary"])
def test_half_an_answer_is_never_taken_for_a_whole_one(endpoint: QueryEndpoint, form: str) -> None:
    with _asked(endpoint.port, FAILS_LATE, default_format=form) as connection, connection.getresponse() as response:
        assert response.status == 200
        with pytest.raises(IncompleteRead) as broken:
            response.read()
        tag = response.headers["X-ClickHouse-Exception-Tag"].encode()
    marked = re.search(
        rb"\r\n__exception__\r\n%b\r\n(.*\n)(\d+) %b\r\n__exception__\r\n$" % (tag, tag),
        broken.value.partial,
        re.DOTALL,
    )
    assert marked is not None
    assert marked[1].startswith(b"Code: 395")
    assert int(marked[2]) == len(marked[1])


@pytest.mark.parametrize(
    "asked", [{"default_format": "Native", "client_protocol_version": 54460}, {"default_format": "Native"}]
)
def test_half_a_native_answer_breaks_off_too(endpoint: QueryEndpoint, asked: dict[str, Any]) -> None:
    with _asked(endpoint.port, FAILS_LATE, **asked) as connection:
        response = connection.getresponse()
        with pytest.raises(IncompleteRead):
            response.read()
        response.close()


def test_a_packed_answer_that_fails_breaks_off(endpoint: QueryEndpoint) -> None:
    packed = {"Accept-Encoding": "gzip"}
    with _asked(endpoint.port, FAILS_LATE, packed) as connection, connection.getresponse() as response:
        assert response.headers["Content-Encoding"] == "gzip"
        with pytest.raises(IncompleteRead):
            response.read()


def test_a_slow_query_holds_up_neither_inserts_nor_quick_ones(
    endpoint: QueryEndpoint, store: Store, ask: Asker
) -> None:
    with _asked(endpoint.port, SLOW, max_block_size=1000):
        _wait_for(lambda: _at_work(store) == 1)
        began = time.monotonic()
        store.command("INSERT INTO llm_price_loads (load, price_version) SELECT 'x', 'v'")
        assert ask.values("SELECT count() FROM llm_calls") == ["300"]
        assert time.monotonic() - began < 3
        assert _at_work(store) == 1
    assert _idle_within(store, 5)


def test_more_than_there_are_places_for_is_refused_for_now(store: Store) -> None:
    with QueryEndpoint(store, port=0, limits=Limits(at_once=1, patience=0.1)) as endpoint:
        ask = Asker(endpoint.port)
        with _asked(endpoint.port, SLOW, max_block_size=1000):
            _wait_for(lambda: _at_work(store) == 1)
            answer = ask("SELECT 1")
            assert (answer.status, answer.code) == (503, 202)
        _wait_for(lambda: ask("SELECT 1").status == 200)


def test_stopping_ends_what_is_at_work(store: Store) -> None:
    endpoint = QueryEndpoint(store, port=0)
    with _asked(endpoint.port, SLOW, max_block_size=1000):
        _wait_for(lambda: _at_work(store) == 1)
        began = time.monotonic()
        endpoint.close()
        assert time.monotonic() - began < 5
    assert _at_work(store) == 0


def test_several_ask_at_once(ask: Asker) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: ask.values(f"SELECT {n} + count() FROM llm_calls")[0], range(24)))
    assert found == [str(300 + n) for n in range(24)]


_LARGE = """
import resource, sys, urllib.parse, urllib.request
from otel_llm_cost_exporter.query import QueryEndpoint
from otel_llm_cost_exporter.store import Store
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
with Store.open("chdb://memory") as store, QueryEndpoint(store, port=0) as endpoint:
    def read(rows, **asked):
        sql = f"SELECT number, toString(number) AS s, number / 3 AS f FROM numbers({rows})"
        url = f"{endpoint.url}/?{urllib.parse.urlencode({'query': sql, **asked})}"
        with urllib.request.urlopen(url) as response:
            size = 0
            while piece := response.read(1 << 20):
                size += len(piece)
        return size
    native = {"default_format": "Native", "client_protocol_version": 54460}
    for asked in ({}, {"default_format": "JSONCompact"}, native):
        read(2_000_000, **asked)
        before = peak()
        print(read(20_000_000, **asked) >> 20, peak() - before, flush=True)
"""


@pytest.mark.integration
def test_half_a_gigabyte_goes_through_in_flat_memory() -> None:
    done = subprocess.run([sys.executable, "-c", _LARGE], capture_output=True, text=True, check=True, timeout=120)
    for line in done.stdout.splitlines():
        size, grown = map(int, line.split())
        assert size > 450
        assert grown < 60, f"{size} MiB went out, and {grown} MiB more memory was taken"
