"""What must become of a body, worked out without the parts that are tested; and what decoding must agree with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost_exporter import export_request
from otel_llm_cost_exporter.decode import MOST_SPANS, Arrived
from otel_llm_cost_exporter.receive.outcome import Status


class Due(NamedTuple):
    """The right answer: one of these statuses, and of a stored request how many spans are rejected."""

    statuses: frozenset[Status]
    rejected: int = 0


ANY = frozenset({Status.STORED, Status.UNDECODABLE, Status.TOO_LARGE})
"""What may become of a body of which nobody knows what is in it."""


def refused(status: Status) -> Due:
    return Due(frozenset({status}))


def due_protobuf(body: bytes, limit: int) -> Due:
    """What OTLP asks for of a body in protobuf."""
    if len(body) > limit:
        return refused(Status.TOO_LARGE)
    # resources and scopes count as spans do, also those that are empty, of two bytes each
    perhaps = {Status.TOO_LARGE} if len(body) > 2 * MOST_SPANS else set()
    try:
        spans = list(spans_of(ExportTraceServiceRequest.FromString(body)))
    except DecodeError:
        return Due(frozenset({Status.UNDECODABLE} | perhaps))
    if len(spans) > MOST_SPANS:
        return refused(Status.TOO_LARGE)
    return Due(frozenset({Status.STORED} | perhaps), sum(not _has_ids(span.trace_id, span.span_id) for span in spans))


def due_json(body: bytes, limit: int) -> Due:
    """The same of a body in JSON, as far as it can be told without protobuf's own reader."""
    if len(body) > limit:
        return refused(Status.TOO_LARGE)
    try:
        document = json.loads(body.decode("utf-8-sig"))
        spans = [
            span
            for resource in _items(document, "resourceSpans", "resource_spans")
            for scope in _items(resource, "scopeSpans", "scope_spans")
            for span in _items(scope, "spans")
        ]
        without = sum(
            not _has_ids(_hex(span, "traceId", "trace_id"), _hex(span, "spanId", "span_id")) for span in spans
        )
    except (ValueError, RecursionError, TypeError, AttributeError):
        return refused(Status.UNDECODABLE)
    return Due(frozenset({Status.STORED, Status.UNDECODABLE}), without)


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def keys_of(calls: Sequence[Arrived]) -> set[tuple[bytes, bytes]]:
    return {(call.trace_id, call.span_id) for call in calls}


def agree(body: bytes, calls: Sequence[Arrived]) -> None:
    """The quick reading of a body says what protobuf's plain one says, and no call comes from nowhere."""
    plain, quick = ExportTraceServiceRequest.FromString(body), export_request.parse(body)
    keys = {(span.trace_id, span.span_id) for span in spans_of(plain) if _has_ids(span.trace_id, span.span_id)}
    assert keys_of(calls) <= keys
    assert len(plain.resource_spans) == len(quick.resource_spans)
    for resource, half in zip(plain.resource_spans, quick.resource_spans, strict=True):
        assert _said(resource.resource.attributes) == repr(export_request.read(half.resource.attributes))
        for scope, half_scope in zip(resource.scope_spans, half.scope_spans, strict=True):
            assert (scope.scope.name, scope.scope.version) == (half_scope.scope.name, half_scope.scope.version)
            for span, half_span in zip(scope.spans, half_scope.spans, strict=True):
                assert _facts(span) == _facts(half_span)
                assert _said(span.attributes) == repr(export_request.read(half_span.attributes))
                for event, raw in zip(span.events, half_span.events, strict=True):
                    name, attributes = export_request.read_event(raw)
                    assert (event.name, _said(event.attributes)) == (name, repr(attributes))


def _facts(span: Any) -> tuple[Any, ...]:
    ids = (span.trace_id, span.span_id, span.parent_span_id, span.name, span.status.code)
    return (*ids, span.start_time_unix_nano, span.end_time_unix_nano, len(span.events), len(span.attributes))


def _said(attributes: Sequence[KeyValue]) -> str:
    """As text, in which a number is no flag and what is no number equals itself."""
    return repr({pair.key: _value(pair.value) for pair in attributes})


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [
            None if item.WhichOneof("value") == "array_value" else _value(item) for item in value.array_value.values
        ]
    return getattr(value, kind) if kind in ("string_value", "int_value", "double_value", "bool_value") else None


def _has_ids(trace_id: bytes, span_id: bytes) -> bool:
    return (len(trace_id), len(span_id)) == (16, 8) and trace_id != bytes(16) and span_id != bytes(8)


def _items(holder: Any, *names: str) -> list[Any]:
    """Of a field that is spelled in two ways the last counts."""
    told = [value for name, value in holder.items() if name in names]
    return told[-1] or [] if told else []


def _hex(span: dict[str, Any], *names: str) -> bytes:
    told = [value for name, value in span.items() if name in names]
    try:
        return bytes.fromhex(told[-1])
    except (IndexError, TypeError, ValueError):
        return b""
