"""An export request → the same with the bill on its calls.

Whatever is no call of the batch stays as it came, so that traces arrive whole.  What is added is for eyes; the exact
bill is in the store.  The amount stands only where the call is counted, so that whoever adds the amounts of a trace up
gets what was billed; one that is set aside says so instead.  Names are those proposed for the conventions
(open-telemetry/semantic-conventions-genai, pull request 443), where `provider` is an amount that the answer itself
stated, and our own.

A request also gets a mark of this collector on its resources.  Where the way onward leads back here, what carries our
mark is not sent a second time.  Marks are kept in a list, so that a circle of several collectors ends too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, MutableSequence, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_llm_cost.attributes import (
    COST_AMOUNT,
    COST_CURRENCY,
    COST_SOURCE,
    COUNTED,
    COUNTED_REASON,
    ERROR_CLASS,
    FORWARDED_BY,
    PRICE_REASON,
    PRICE_STATUS,
    PROJECT,
)
from otel_llm_cost_exporter.entry import Entry
from otel_llm_cost_exporter.rows import COLUMNS, LONGEST_TEXT, PricedCall

from .batch import Bills

MOST_HOPS: Final = 8
"""Collectors of ours that a span passes.  One that restarts has another mark, so marks alone might not end a circle."""
Value = str | bool | float
_PICO: Final = 10**12
_ADDED: Final = frozenset(
    {COST_AMOUNT, COST_CURRENCY, COST_SOURCE, PRICE_STATUS, PRICE_REASON, COUNTED, COUNTED_REASON}
)
_MAY_BE_SAID: Final = tuple(name.encode() for name in (*sorted(_ADDED), PROJECT, ERROR_CLASS))
_stated_cost = COLUMNS["stated_cost"]


class Enriched(NamedTuple):
    """A request to send (empty: nothing is left of it), and how many of its spans go onward and how many do not."""

    body: bytes
    spans: int
    seen: int
    looped: int


def enrich(entry: Entry, bills: Bills, instance: str) -> Enriched:
    """The request with the bills on its calls, marked as forwarded by `instance`; they are noted as done."""
    request = ExportTraceServiceRequest.FromString(entry.body)
    looped = _leave_out_returned(request, instance)
    enricher = _Enricher(entry, bills)
    spans = seen = 0
    for of_resource in request.resource_spans:
        _mark(of_resource.resource, instance)
        for of_scope in of_resource.scope_spans:
            seen += enricher.enrich(of_scope)
            spans += len(of_scope.spans)
    return Enriched(request.SerializeToString() if spans else b"", spans, seen, looped)


def additions(priced: PricedCall) -> dict[str, Value]:
    """What is said of a call: its price, whether it is counted, whose it is and how it failed."""
    said: dict[str, Value] = {PRICE_STATUS: priced.cost.status}
    if priced.cost.reason:
        said[PRICE_REASON] = priced.cost.reason
    if priced.set_aside:
        said |= {COUNTED: False, COUNTED_REASON: priced.set_aside}
    else:
        said |= _amount(priced)
    if (project := priced.arrived.call.tags.project) is not None:
        said[PROJECT] = project[:LONGEST_TEXT]
    if (error := priced.arrived.call.error) is not None:
        said[ERROR_CLASS] = error.error_class
    return said


def _amount(priced: PricedCall) -> dict[str, Value]:
    """In US dollars, by our own prices, else as the answer stated it, else nothing: unknown is not zero."""
    pico, source = priced.cost.total, "local"
    if pico is None:
        pico, source = _stated_cost(priced), "provider"
    return {} if pico is None else {COST_AMOUNT: pico / _PICO, COST_CURRENCY: "USD", COST_SOURCE: source}


class _Enricher:
    """Writes on the calls of one request."""

    def __init__(self, entry: Entry, bills: Bills) -> None:
        self._tenant = entry.sender.tenant.encode()
        self._bills = bills
        self._may_be_said = any(name in entry.body for name in _MAY_BE_SAID)
        """Whether any of the names stands in the request at all; looking for them span by span takes longer."""

    def enrich(self, of_scope: ScopeSpans) -> int:
        """Write on the calls of a scope, take out those that went onward before, and return how many these are."""
        bills = self._bills
        again: list[int] = []
        for index, span in enumerate(of_scope.spans):
            key = self._tenant + span.trace_id + span.span_id
            if key in bills.done or key in bills.seen:
                again.append(index)
            elif (priced := bills.priced.get(key)) is not None:
                bills.done.add(key)
                _write(span, additions(priced), self._may_be_said)
        _remove(of_scope.spans, again)
        return len(again)


def _write(span: Span, said: dict[str, Value], may_be_said: bool) -> None:
    """Add the attributes; what another collector of ours said before gives way, and an error class stays."""
    if may_be_said:
        names = [pair.key for pair in span.attributes]
        if ERROR_CLASS in said and ERROR_CLASS in names:
            del said[ERROR_CLASS]
        stale = said.keys() | _ADDED if PRICE_STATUS in names else said.keys()
        _remove(span.attributes, [index for index, name in enumerate(names) if name in stale])
    span.MergeFromString(_encoded(said))


def _encoded(said: dict[str, Value]) -> bytes:
    """A span of nothing but these attributes.  The amount is the one that differs from call to call."""
    amount = said.pop(COST_AMOUNT, None)
    encoded = _span_of(tuple(said.items()))
    return encoded if amount is None else encoded + _AMOUNT + _DOUBLE.pack(amount)


@lru_cache(maxsize=1024)
def _span_of(pairs: tuple[tuple[str, Value], ...]) -> bytes:
    span = Span()
    for name, value in pairs:
        told = span.attributes.add(key=name).value
        if isinstance(value, bool):
            told.bool_value = value
        elif isinstance(value, float):
            told.double_value = value
        else:
            told.string_value = value
    encoded: bytes = span.SerializeToString()
    return encoded


_DOUBLE: Final = struct.Struct("<d")
_AMOUNT: Final = _span_of(((COST_AMOUNT, 0.0),))[: -_DOUBLE.size]
"""The attribute up to its number, which stands last."""


def _remove(repeated: MutableSequence[Any], indices: Sequence[int]) -> None:
    for index in reversed(indices):
        del repeated[index]


def _leave_out_returned(request: ExportTraceServiceRequest, instance: str) -> int:
    """Take out what this collector has forwarded, or too many have, and return how many spans it was."""
    looped = 0
    for index in reversed(range(len(request.resource_spans))):
        of_resource = request.resource_spans[index]
        marks = _marks(of_resource.resource.attributes)
        if instance in marks or len(marks) >= MOST_HOPS:
            looped += _spans(of_resource)
            del request.resource_spans[index]
    return looped


def _spans(of_resource: ResourceSpans) -> int:
    return sum(len(of_scope.spans) for of_scope in of_resource.scope_spans)


def _marks(attributes: Iterable[KeyValue]) -> list[str]:
    return [mark.string_value for pair in attributes if pair.key == FORWARDED_BY for mark in _items(pair.value)]


def _items(value: AnyValue) -> list[AnyValue]:
    """A Collector on the way may have made one text of a list of one."""
    return list(value.array_value.values) if value.HasField("array_value") else [value]


def _mark(resource: Resource, instance: str) -> None:
    marks = [*_marks(resource.attributes), instance]
    _remove(resource.attributes, [index for index, pair in enumerate(resource.attributes) if pair.key == FORWARDED_BY])
    pair = resource.attributes.add(key=FORWARDED_BY)
    for mark in marks:
        pair.value.array_value.values.add(string_value=mark)
