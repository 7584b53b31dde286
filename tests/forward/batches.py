"""Stored batches as the flusher would hand them on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from otel_llm_cost.pricing import Cost
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.entry import ANONYMOUS, Entry, Sender
from otel_llm_cost_exporter.rows import PricedCall

DOLLAR = 10**12


def known(pico: int, status: Any = "exact", reason: str = "") -> Cost:
    return Cost(status, reason, pico, pico, None, None, None, None, "gpt-4o", "test")


def entry(request: ExportTraceServiceRequest, sender: Sender = ANONYMOUS) -> Entry:
    spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    return Entry(request.SerializeToString(), time.time_ns(), spans, sender)


@dataclass(frozen=True)
class Stored:
    """A batch as whoever stored it tells of it."""

    entries: Sequence[Entry]
    calls: Sequence[PricedCall] = ()
    seen: frozenset[bytes] = frozenset()


def batch(*entries: Entry, cost: Cost | None = None, set_aside: Mapping[bytes, str] | None = None) -> Stored:
    """All calls at one cost (a cent and a half); `set_aside` by span id."""
    calls = []
    for one in entries:
        request = ExportTraceServiceRequest.FromString(one.body)
        for call in decode(request, one.received_ns, {}, one.sender).calls:
            why = (set_aside or {}).get(call.span_id, "")
            calls.append(PricedCall(call, cost or known(15 * DOLLAR // 1000), why))
    return Stored(entries, calls)


def told(attributes: Any) -> dict[str, Any]:
    """Attributes as a backend shows them; a name that stands there twice fails."""
    found: dict[str, Any] = {}
    for pair in attributes:
        assert pair.key not in found, f"{pair.key} is there twice"
        found[pair.key] = _value(pair)
    return found


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    if kind == "array_value":
        return [item.string_value for item in pair.value.array_value.values]
    return getattr(pair.value, kind) if kind else None
