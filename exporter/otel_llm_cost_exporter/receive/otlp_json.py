"""OTLP's own JSON → protobuf.

It is protobuf's JSON with one exception: trace and span ids are hexadecimal, where protobuf has base64 for bytes.
An id that is not hexadecimal becomes empty, and so rejects its span and no other.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_ID_NAMES = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(body: bytes) -> ExportTraceServiceRequest:
    """ValueError where the body is no OTLP/JSON; fields that are not known are passed over."""
    try:
        document = json.loads(str(body, "utf-8-sig"))  # bytes it would read in other alphabets, and half pairs as well
        if _SURROGATE_ESCAPE.search(body):
            document = _without_surrogates(document)
        for span in _spans(document):
            _hex_to_base64(span)
        request = ExportTraceServiceRequest()
        ParseDict(document, request, ignore_unknown_fields=True)
    except (ParseError, RecursionError, AttributeError, TypeError, OverflowError) as error:
        raise ValueError(str(error)[:200]) from error
    return request


def _spans(document: Any) -> Iterator[dict[str, Any]]:
    """Every span and every link of one."""
    for resource_spans in _list(document, "resourceSpans", "resource_spans"):
        for scope_spans in _list(resource_spans, "scopeSpans", "scope_spans"):
            for span in _list(scope_spans, "spans"):
                yield span
                yield from _list(span, "links")


def _list(holder: Any, *names: str) -> list[Any]:
    if not isinstance(holder, dict):
        raise TypeError("expected an object")
    return [item for name in names for item in holder.get(name) or ()]


def _hex_to_base64(span: Any) -> None:
    if not isinstance(span, dict):
        raise TypeError("expected an object")
    for name in _ID_NAMES:
        if name in span:
            span[name] = _base64(span[name])


def _base64(value: Any) -> str:
    try:
        return base64.b64encode(bytes.fromhex(value)).decode()
    except (ValueError, TypeError):
        return ""


def _without_surrogates(value: Any) -> Any:
    """Half a surrogate pair can be written in JSON and has no bytes in UTF-8."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value
