"""The upstream ClickHouse exporter, as far as its rows go: every attribute is text, lists are JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_llm_cost_exporter.store import Store
from otel_llm_cost_exporter.store.statements import split

ROAD = Path(__file__).parents[2] / "clickhouse" / "otel_traces"
STATUS = ("Unset", "Ok", "Error")


def table(store: Store) -> None:
    """The table that a team has already."""
    run(store, Path(__file__).with_name("otel_traces.sql"))


def road(store: Store) -> None:
    """What the documents say to apply."""
    for file in sorted(ROAD.glob("[0-9]*.sql")):
        run(store, file)


def run(store: Store, file: Path) -> None:
    for statement in split(file.read_text()):
        store.query(statement)


def text(value: AnyValue) -> str:
    """A value as the Collector's `AsString` has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return json.dumps([plain(item) for item in value.array_value.values], separators=(",", ":"))
    found = plain(value)
    if isinstance(found, bool):
        return "true" if found else "false"
    return "" if found is None else str(int(found) if isinstance(found, float) and found.is_integer() else found)


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in ("string_value", "int_value", "double_value", "bool_value") else None


def texts(pairs: Iterable[KeyValue]) -> dict[str, str]:
    return {pair.key: text(pair.value) for pair in pairs}


def rows(request: ExportTraceServiceRequest) -> Iterator[dict[str, Any]]:
    """A row for every span, of models or not."""
    for of_resource in request.resource_spans:
        resource = texts(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield {
                    "Timestamp": span.start_time_unix_nano,
                    "TraceId": span.trace_id.hex(),
                    "SpanId": span.span_id.hex(),
                    "ParentSpanId": span.parent_span_id.hex(),
                    "SpanName": span.name,
                    "SpanKind": "Client",
                    "ServiceName": resource.get("service.name", ""),
                    "ResourceAttributes": resource,
                    "ScopeName": of_scope.scope.name,
                    "ScopeVersion": of_scope.scope.version,
                    "SpanAttributes": texts(span.attributes),
                    "Duration": max(0, span.end_time_unix_nano - span.start_time_unix_nano),
                    "StatusCode": STATUS[span.status.code],
                    "StatusMessage": span.status.message,
                }


def export(store: Store, *requests: ExportTraceServiceRequest) -> None:
    """One insert, as the Collector's batches are."""
    found = [row for request in requests for row in rows(request)]
    columns = {name: [row[name] for row in found] for name in found[0]}
    store.insert("otel_traces", columns, str(hash(str(found))))
