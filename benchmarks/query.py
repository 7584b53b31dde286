"""What the embedded query endpoint costs beside asking the engine directly, and how fast it streams.

    python -m benchmarks.query

Small answers: the time of one query by both roads.  Large ones: MiB/s over HTTP on loopback, and how much the process
grew meanwhile.  Client and server share this process, so the figures are what one machine does with both.
"""

from __future__ import annotations

import http.client
import resource
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlencode

from otel_llm_cost_exporter.query import QueryEndpoint
from otel_llm_cost_exporter.store import Store

CALLS = 1_000_000
FILL = """
INSERT INTO llm_calls (project, feature, provider, request_model, ts, counted, cost)
SELECT ['shop', 'blog'][number % 2 + 1], concat('f', toString(number % 20)), 'openai', 'gpt-4o',
    now64(9) - toIntervalSecond(number), true, toDecimal64(number % 1000, 12) / 1000000
FROM numbers({calls:UInt64})
"""
SMALL = {
    "SELECT 1": "SELECT 1",
    "30 days by feature": "SELECT feature, sum(cost), count() FROM llm_calls WHERE counted GROUP BY feature ORDER BY 2",
    "one project, by hour": "SELECT toStartOfHour(ts) AS t, sum(cost) FROM llm_calls WHERE project = 'shop' GROUP BY t",
}
LARGE = "SELECT number, toString(number) AS s, number / 3 AS f FROM numbers(20000000)"
FORMS = {
    "Native": {"default_format": "Native"},
    "Native, as drivers want it": {"default_format": "Native", "client_protocol_version": "54460"},
    "JSONCompact": {"default_format": "JSONCompact"},
    "TabSeparated": {},
}


def main() -> None:
    with Store.open("chdb://memory") as store, QueryEndpoint(store, port=0) as endpoint:
        store.command(FILL, {"calls": CALLS})
        connection = http.client.HTTPConnection("127.0.0.1", endpoint.port)
        print(f"{'ms a query':32}{'direct':>10}{'endpoint':>10}{'ratio':>8}")
        for name, sql in SMALL.items():
            direct = _median(lambda sql=sql: store.query(sql))  # type: ignore[misc]
            through = _median(lambda sql=sql: _read(connection, sql, FORMS["Native, as drivers want it"]))  # type: ignore[misc]
            print(f"{name:32}{direct * 1e3:10.2f}{through * 1e3:10.2f}{through / direct:8.2f}")
        print(f"\n{'streamed':32}{'MiB':>10}{'MiB/s':>10}{'grew by':>8} MiB")
        for name, asked in FORMS.items():
            _read(connection, LARGE.replace("20000000", "2000000"), asked)
            before, began = _peak(), time.perf_counter()
            size = _read(connection, LARGE, asked) / 2**20
            seconds = time.perf_counter() - began
            print(f"{name:32}{size:10.0f}{size / seconds:10.0f}{_peak() - before:8.0f}")
        connection.close()


def _read(connection: http.client.HTTPConnection, sql: str, asked: dict[str, str]) -> int:
    """Bytes of an answer, read and thrown away."""
    connection.request("GET", f"/?{urlencode({'query': sql, **asked})}")
    size = 0
    with connection.getresponse() as response:
        assert response.status == 200, response.read()
        while piece := response.read(1 << 20):
            size += len(piece)
    return size


def _median(work: Callable[[], object], times: int = 30) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _peak() -> float:
    """The most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
