"""Rows a second from the upstream exporter's table to priced calls, by SQL alone, beside the collector's road.

    python -m benchmarks.sql_road [--rows 50000] [--rounds 3] [--json]

Both on an embedded store in memory with its rollups, one process.  The road by SQL has a share that each insert costs
however small it is, so it is measured by single rows, too.  Then the price dictionaries: rows, bytes, lookups a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.otel_traces import upstream

from benchmarks.collector import body
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.prices.table import load
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.store import Store

_LOOKUPS = """
SELECT sum(length(dictGet('llm_prices_dict', 'rates',
    ('openai', 'gpt-4o', '', ['input', 'output', 'cache_read', 'reasoning'][1 + number % 4]), today()))) AS n
FROM numbers(2000000)
"""
_DICTIONARIES = """
SELECT sum(element_count) AS rows, sum(bytes_allocated) AS bytes, sum(loading_duration) AS seconds
FROM system.dictionaries WHERE name LIKE 'llm_price%'
"""


def _seconds(run: Callable[[], Any], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def _spans(number: int) -> list[bytes]:
    return [body(min(10_000, number - start)) for start in range(0, number, 10_000)]


def measure(rows: int, rounds: int) -> dict[str, float]:
    """Name → figure."""
    book = load_book()
    with Store.open("chdb://memory") as store:
        upstream.table(store)
        began = time.perf_counter()
        load(store, book)
        loading = time.perf_counter() - began
        store.query("CREATE TABLE kept AS otel_traces ENGINE = MergeTree ORDER BY tuple()")
        for part in _spans(rows):
            upstream.export(store, ExportTraceServiceRequest.FromString(part))
        store.query("INSERT INTO kept SELECT * FROM otel_traces")
        upstream.road(store)
        into = "INSERT INTO llm_otel_spans SELECT * FROM kept"
        whole = _seconds(lambda: store.query(into), rounds)
        one = _seconds(lambda: store.query(f"{into} LIMIT 1"), rounds)
        ingest = Ingest(Pipeline(store, book, patience=0.0))
        ingest.accept(body(100), "protobuf")
        collector = _seconds(lambda: [ingest.accept(part, "protobuf") for part in _spans(rows)], 1)
        lookups = 2e6 / _seconds(lambda: store.query(_LOOKUPS), rounds)
        [sizes] = store.query(_DICTIONARIES)
    return {
        "SQL, rows a second": rows / whole,
        "SQL, seconds of an insert of one row": one,
        "SQL, microseconds of a row beyond that": (whole - one) / rows * 1e6,
        "collector, rows a second": rows / collector,
        "prices, seconds to compile and load": loading,
        "dictionaries, rows": float(sizes["rows"]),
        "dictionaries, MB": sizes["bytes"] / 1e6,
        "dictionaries, seconds to load": float(sizes["seconds"]),
        "dictionaries, lookups a second": lookups,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.rows, options.rounds)
    if options.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"  {name:42} {figure:>14,.2f}")


if __name__ == "__main__":
    main()
