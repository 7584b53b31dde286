from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from otel_llm_cost_exporter.access import Reader, Rejected
from otel_llm_cost_exporter.query import Limits, QueryEndpoint
from otel_llm_cost_exporter.store import Store

SHOP, BLOG, NASTY = "olc_shop", "olc_blog", "olc_nasty"
ODD_NAME = "it's \\ `odd`"
# two projects in one granule, so that nothing is left out by the index alone
FILL = """
INSERT INTO llm_calls
    (project, tenant, feature, ts, duration_ns, counted, cost, user_id, tags, finish_reasons, trace_id)
SELECT
    [{shop:String}, 'blog', {odd:String}][number % 3 + 1] AS p,
    p, concat('feature-of-', p),
    toDateTime64('2026-05-01 12:00:00', 9, 'UTC') - toIntervalSecond(number), number, true, toDecimal64('0.25', 12),
    concat('user-of-', p), map('team', p), ['stop'], toFixedString(leftPad(toString(number), 16, '0'), 16)
FROM numbers(300)
"""


class Keys:
    """Keys by their text: who may read what."""

    PROJECTS = {SHOP: ("shop",), BLOG: ("blog",), NASTY: (ODD_NAME,), "olc_all": None}  # noqa: RUF012

    def reader(self, user: str | None, password: str | None) -> Reader:
        if password not in self.PROJECTS:
            raise Rejected("unknown")
        return Reader(password, self.PROJECTS[password])


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> int:
        return int(self.headers.get("x-clickhouse-exception-code", "0"))


class Asker:
    """What curl would do."""

    def __init__(self, port: int, key: str = "") -> None:
        self.port = port
        self.key = key

    def __call__(
        self,
        sql: str | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "/",
        **parameters: Any,
    ) -> Answer:
        asked = ({"query": sql} if sql is not None else {}) | parameters
        given = {"X-ClickHouse-Key": self.key} if self.key else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, f"{path}?{urlencode(asked)}", body, given | dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def values(self, sql: str, **parameters: Any) -> list[str]:
        """The lines of an answer that has to be one."""
        answer = self(sql, **parameters)
        assert answer.status == 200, answer.text
        return answer.text.splitlines()


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.open("chdb://memory") as opened:
        opened.command(FILL, {"shop": "shop", "odd": ODD_NAME})
        yield opened


@pytest.fixture(scope="module")
def endpoint(store: Store) -> Iterator[QueryEndpoint]:
    with QueryEndpoint(store, port=0, keys=Keys(), limits=Limits(seconds=20, patience=0.2)) as running:
        yield running


@pytest.fixture
def ask(endpoint: QueryEndpoint) -> Asker:
    """Without a key, which on loopback sees everything."""
    return Asker(endpoint.port)


@pytest.fixture
def shop(endpoint: QueryEndpoint) -> Asker:
    """With a key that is bound to the project `shop`."""
    return Asker(endpoint.port, SHOP)
