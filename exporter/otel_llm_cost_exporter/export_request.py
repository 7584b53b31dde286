"""An export request, read only as far as it must be.

A span's attributes are most of what a request holds, and nearly all of them have been seen before: the same names with
the same models, hosts and counts.  As messages each is three objects that are made to be asked once.  So the request
is read by OTLP's own descriptors with one change: attributes, events and links stay the bytes that they are on the
wire, as protobuf allows (a message in a message and bytes are written alike).  The bytes of an attribute are then
looked up as a whole, and only those that are new are parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol, cast

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from otel_llm_cost.attributes import Placed, placed

_MOST_REMEMBERED: Final = 32_768
_LONGEST_REMEMBERED: Final = 128
"""Bytes of an attribute; what is longer is a text that hardly comes twice."""
_AS_BYTES: Final = frozenset({"attributes", "events", "links"})

Attributes = Sequence[bytes]
"""Attributes as they are on the wire, a serialized `KeyValue` each."""


class _HasAttributes(Protocol):
    attributes: Attributes


class _Status(Protocol):
    code: int


class _Scope(Protocol):
    name: str
    version: str


class HasIds(Protocol):
    """Any span."""

    trace_id: bytes
    span_id: bytes


class Span(HasIds, _HasAttributes, Protocol):
    """A span of which attributes and events are not read yet."""

    parent_span_id: bytes
    name: str
    start_time_unix_nano: int
    end_time_unix_nano: int
    events: Sequence[bytes]
    status: _Status


class _ScopeSpans(Protocol):
    scope: _Scope
    spans: Sequence[Span]


class _ResourceSpans(Protocol):
    resource: _HasAttributes
    scope_spans: Sequence[_ScopeSpans]


class ExportRequest(Protocol):
    """An `ExportTraceServiceRequest`, read this far."""

    resource_spans: Sequence[_ResourceSpans]


def _half_read(file: FileDescriptor) -> bytes:
    said = FileDescriptorProto()
    file.CopyToProto(said)
    for message in said.message_type:
        _leave_as_bytes(message)
    return bytes(said.SerializeToString())


def _leave_as_bytes(message: DescriptorProto) -> None:
    for field in message.field:
        if field.name in _AS_BYTES:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    for nested in message.nested_type:
        _leave_as_bytes(nested)


def _request_class() -> Any:
    service, pool = trace_service_pb2.DESCRIPTOR, DescriptorPool()
    for file in (common_pb2.DESCRIPTOR, resource_pb2.DESCRIPTOR, trace_pb2.DESCRIPTOR, service):
        pool.AddSerializedFile(_half_read(file))
    return GetMessageClass(pool.FindMessageTypeByName(f"{service.package}.ExportTraceServiceRequest"))


_Request: Final = _request_class()


def parse(body: bytes) -> ExportRequest:
    """The request of these bytes; `DecodeError` if they are none.  What is left as bytes is not looked at."""
    return cast(ExportRequest, _Request.FromString(body))


class _Remembered(dict[bytes, tuple[Any, Any]]):
    """Serialized `KeyValue` → what is read of it.  Bounded by being emptied."""

    def __init__(self, read: Callable[[bytes], tuple[Any, Any]]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, raw: bytes) -> tuple[Any, Any]:
        found = self._read(raw)
        if len(raw) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[raw] = found
        return found


def read(attributes: Attributes) -> dict[str, Any]:
    """Attributes by name, the last of a name.  Lists may be shared between spans: they are to be left as they are."""
    return dict(map(_PAIRS.__getitem__, attributes))


def read_placed(attributes: Attributes) -> Iterator[Placed]:
    """Attributes as `otel_llm_cost.attributes.decode_placed` takes them."""
    return map(_PLACED.__getitem__, attributes)


def read_event(event: bytes) -> tuple[str, dict[str, Any]]:
    """Name and attributes of a serialized event."""
    try:
        told = trace_pb2.Span.Event.FromString(event)
    except DecodeError:
        return "", {}
    return told.name, {pair.key: _value(pair.value) for pair in told.attributes}


def _pair(raw: bytes) -> tuple[str, Any]:
    """What does not parse says nothing; a request that was parsed in full on arrival has no such attribute."""
    try:
        pair = KeyValue.FromString(raw)
    except DecodeError:
        return "", None
    return pair.key, _value(pair.value)


def _placed(raw: bytes) -> Placed:
    return placed(*_pair(raw))


_PAIRS: Final = _Remembered(_pair)
_PLACED: Final = _Remembered(_placed)


def _value(value: AnyValue) -> Any:
    """Scalars and lists of scalars as Python has them; anything else as something no reader believes."""
    if text := value.string_value:
        return text
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return ""
    if kind == "array_value":
        # lists in lists mean nothing here, and following them would be as deep as the sender likes
        return [None if item.HasField("array_value") else _value(item) for item in value.array_value.values]
    if kind in ("int_value", "double_value", "bool_value"):
        return getattr(value, kind)
    return None
