"""Requests of any size → requests that a receiver takes.

Export requests in protobuf are joined by writing them one after another, because all that they hold is one repeated
field.  What is too large is halved, by spans, until it fits: both halves keep the resource and the scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import Final, NamedTuple, TypeVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_Message = TypeVar("_Message")
MOST_BYTES: Final = 4_000_000
"""gRPC servers take messages of 4 MiB unless told otherwise, and with them Jaeger and the OpenTelemetry Collector."""

_WORTH_IT: Final = 1.5


class Part(NamedTuple):
    """A request to send and the number of spans in it."""

    body: bytes
    spans: int


def pack(parts: Iterable[Part], most: int = MOST_BYTES) -> Iterator[Part]:
    """The same spans in requests of at most `most` bytes; larger is only what cannot be halved."""
    waiting: list[bytes] = []
    size = spans = 0
    for part in _small(parts, most):
        if waiting and size + len(part.body) > most:
            yield Part(b"".join(waiting), spans)
            waiting, size, spans = [], 0, 0
        waiting.append(part.body)
        size, spans = size + len(part.body), spans + part.spans
    if waiting:
        yield Part(b"".join(waiting), spans)


def _small(parts: Iterable[Part], most: int) -> Iterator[Part]:
    for part in parts:
        if len(part.body) <= most or part.spans <= 1:
            yield part
            continue
        halves = _halves(part)
        if sum(len(half.body) for half in halves) > _WORTH_IT * len(part.body):
            yield part  # most of it is one resource, which every half would hold again
        else:
            yield from _small(halves, most)


def _halves(part: Part) -> tuple[Part, Part]:
    half = part.spans // 2
    return (
        Part(_cut(part.body, 0, half), half),
        Part(_cut(part.body, half, part.spans), part.spans - half),
    )


def _cut(body: bytes, first: int, end: int) -> bytes:
    """The request with only those of its spans, counted through all of it."""
    request = ExportTraceServiceRequest.FromString(body)
    seen = 0
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            count = len(of_scope.spans)
            low, high = (min(max(bound - seen, 0), count) for bound in (first, end))
            del of_scope.spans[high:]
            del of_scope.spans[:low]
            seen += count
        _drop_empty(of_resource.scope_spans, lambda of_scope: bool(of_scope.spans))
    _drop_empty(request.resource_spans, lambda of_resource: bool(of_resource.scope_spans))
    cut: bytes = request.SerializeToString()
    return cut


def _drop_empty(repeated: MutableSequence[_Message], holds_some: Callable[[_Message], bool]) -> None:
    for index in reversed(range(len(repeated))):
        if not holds_some(repeated[index]):
            del repeated[index]
