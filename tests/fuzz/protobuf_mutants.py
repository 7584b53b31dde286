"""Export requests in protobuf with something wrong in them: in their structure, or in their bytes.

A mutant is made on the wire: only the messages on the way to what is changed are taken apart, and the lengths around it
are written anew, so that most mutants are well-formed protobuf and go far.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost_exporter.decode import MOST_SPANS

from .hostile import BAD_UTF8, BYTES, TEXTS, WHOLES, any_value, key_value
from .seeds import requests
from .truth import spans_of
from .wire import BYTES as LENGTH
from .wire import FIXED32, FIXED64, VARINT, Field, join, split, varint

_WITHIN: Final[dict[str, dict[int, str]]] = {
    "request": {1: "resource_spans"},
    "resource_spans": {1: "resource", 2: "scope_spans"},
    "resource": {1: "key_value"},
    "scope_spans": {1: "scope", 2: "span"},
    "scope": {3: "key_value"},
    "span": {9: "key_value", 11: "event", 13: "link", 15: "status"},
    "event": {3: "key_value"},
    "link": {4: "key_value"},
    "status": {},
    "key_value": {2: "any_value"},
    "any_value": {5: "list", 6: "map"},
    "list": {1: "any_value"},
    "map": {1: "key_value"},
}
"""Kind of message → fields that are messages, and of which kind."""
_ATTRIBUTES: Final = {"resource": 1, "scope": 3, "span": 9, "event": 3, "link": 4, "map": 1}
_TIMES: Final = (0, 1, 10**18, 946_684_800 * 10**9 - 1, 2**63 - 1, 2**63, 2**64 - 1, 1_800_000_000 * 10**9)
_GROUP: Final = b"\xa3\x06\x08\x01\xa4\x06"
"""A field of number 100 that is a group with a number in it."""

Fields = list[Field]


class Protobuf:
    """Makes valid bodies and mutants of them.  Every body has ids of its own."""

    def __init__(self, draw: Random) -> None:
        self._draw = draw
        self._seeds = [(one.SerializeToString(), _ids(one)) for one in requests()]
        self._parts = {kind: [b""] for kind in _WITHIN}
        for body, _ in self._seeds:
            _collect("request", body, self._parts)

    def drawing(self, draw: Random) -> Self:
        """The same, which draws from elsewhere."""
        self._draw = draw
        return self

    def valid(self) -> bytes:
        """A request as it should be."""
        body: bytes
        body, ids = self._draw.choice(self._seeds)
        for one in ids:
            body = body.replace(one, self._draw.randbytes(len(one)))
        return body

    def mutant(self) -> bytes:
        """A request with one to three things wrong in it."""
        draw, body = self._draw, self.valid()
        for _ in range(draw.choice((1, 1, 2, 3))):
            body = self._in_structure(body)
        return self.in_bytes(body) if draw.random() < 0.25 else body

    def in_bytes(self, body: bytes) -> bytes:
        """The body with its bytes disturbed, whatever they mean."""
        return self._draw.choice(_BYTEWISE)(self._draw, body, self.valid)

    def _in_structure(self, body: bytes) -> bytes:
        try:
            return self._message("request", body)
        except (ValueError, IndexError):  # an earlier change has left nothing that can be taken apart
            return self.in_bytes(body)

    def _message(self, kind: str, body: bytes) -> bytes:
        draw, fields = self._draw, split(body)
        inner = [i for i, field in enumerate(fields) if field.kind == LENGTH and field.number in _WITHIN[kind]]
        if inner and draw.random() < (0.85 if kind not in ("span", "scope") else 0.5):
            index = draw.choice(inner)
            number, _, content = fields[index]
            fields[index] = Field(number, LENGTH, self._message(_WITHIN[kind][number], content))
        else:
            draw.choice(_CHANGES)(self, kind, fields)
        return join(fields)

    def _drop(self, kind: str, fields: Fields) -> None:
        del kind
        if fields:
            fields.pop(self._draw.randrange(len(fields)))

    def _repeat(self, kind: str, fields: Fields) -> None:
        often = self._draw.choice((1, 1, 1, 5, 40)) if kind not in ("span", "resource") else 300
        if fields:
            index = self._draw.randrange(len(fields))
            fields[index:index] = [fields[index]] * often

    def _shuffle(self, kind: str, fields: Fields) -> None:
        del kind
        self._draw.shuffle(fields)

    def _attribute(self, kind: str, fields: Fields) -> None:
        """Attributes of ours with hostile values, beside the right ones or before them."""
        if (number := _ATTRIBUTES.get(kind)) is None:
            self._value(kind, fields)
            return
        for _ in range(self._draw.choice((1, 2, 5))):
            index = self._draw.choice((0, len(fields)))
            fields.insert(index, Field(number, LENGTH, key_value(self._draw)))

    def _value(self, kind: str, fields: Fields) -> None:
        """Another value in the place of one, mostly of the right type."""
        draw = self._draw
        if kind == "any_value" or not fields:
            fields[:] = split(any_value(draw)) if kind == "any_value" else fields
            return
        index = draw.randrange(len(fields))
        number, wire, _ = fields[index]
        fields[index] = Field(number, wire, self._content(wire))

    def _content(self, wire: int) -> bytes:
        draw = self._draw
        if wire == VARINT:
            return varint(draw.choice(WHOLES))
        if wire == FIXED64:
            return struct.pack("<Q", draw.choice(_TIMES))
        if wire == FIXED32:
            return draw.randbytes(4)
        return draw.choice((draw.choice(TEXTS).encode(), draw.choice(BYTES), draw.choice(BAD_UTF8)))

    def _type(self, kind: str, fields: Fields) -> None:
        """A field of another number or another type on the wire."""
        del kind
        if fields:
            draw, index = self._draw, self._draw.randrange(len(fields))
            number, wire, content = fields[index]
            if draw.random() < 0.5:
                wire = draw.choice((VARINT, FIXED64, LENGTH, FIXED32))
                content = self._content(wire)
            else:
                number = draw.choice((1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 16, 17, 536_870_911, 0))
            fields[index] = Field(number, wire, content)

    def _unknown(self, kind: str, fields: Fields) -> None:
        """What a later version of OTLP may bring, and groups."""
        del kind
        draw, wire = self._draw, self._draw.choice((VARINT, FIXED64, LENGTH, FIXED32))
        fields.insert(draw.randrange(len(fields) + 1), Field(draw.choice((77, 4000)), wire, self._content(wire)))
        if draw.random() < 0.3:
            number, kind_of, content = fields[-1]
            if kind_of == LENGTH:
                fields[-1] = Field(number, kind_of, content + draw.choice((_GROUP, _GROUP[:2], _GROUP[-2:])))

    def _splice(self, kind: str, fields: Fields) -> None:
        """A message of the same kind out of another request."""
        fields[:] = split(self._draw.choice(self._parts[kind])) + self._draw.choice((fields, []))

    def _many(self, kind: str, fields: Fields) -> None:
        """Very many empty messages."""
        if not _WITHIN[kind]:
            return
        often = self._draw.choice((20, 200, 2_000))
        if kind == "scope_spans" and self._draw.random() < 0.01:
            often = self._draw.choice((MOST_SPANS - 10, MOST_SPANS + 1))
        fields += [Field(self._draw.choice(list(_WITHIN[kind])), LENGTH, b"")] * often


_CHANGES: Final[Sequence[Callable[[Protobuf, str, Fields], None]]] = (
    *(Protobuf._drop, Protobuf._repeat, Protobuf._shuffle, Protobuf._type, Protobuf._unknown, Protobuf._splice),
    *(Protobuf._attribute, Protobuf._attribute, Protobuf._attribute, Protobuf._value, Protobuf._value),
    Protobuf._many,
)


def _ids(request: ExportTraceServiceRequest) -> list[bytes]:
    spans = list(spans_of(request))
    return list(dict.fromkeys([*(one.trace_id for one in spans), *(one.span_id for one in spans)]))


def _collect(kind: str, body: bytes, into: dict[str, list[bytes]]) -> None:
    into[kind].append(body)
    for number, wire, content in split(body):
        if wire == LENGTH and number in _WITHIN[kind]:
            _collect(_WITHIN[kind][number], content, into)


def _flip(draw: Random, body: bytes, other: Callable[[], bytes]) -> bytes:
    del other
    changed = bytearray(body or b"\x00")
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(draw: Random, body: bytes, other: Callable[[], bytes]) -> bytes:
    del other
    return body[: draw.randrange(len(body) + 1)]


def _insert(draw: Random, body: bytes, other: Callable[[], bytes]) -> bytes:
    del other
    at = draw.randrange(len(body) + 1)
    junk = draw.choice((draw.randbytes(draw.randrange(1, 40)), b"\x00" * 9, b"\xff" * 11, varint(2**63), _GROUP))
    return body[:at] + junk + body[at:]


def _remove(draw: Random, body: bytes, other: Callable[[], bytes]) -> bytes:
    del other
    at = draw.randrange(len(body) + 1)
    return body[:at] + body[at + draw.randrange(1, 40) :]


def _mix(draw: Random, body: bytes, other: Callable[[], bytes]) -> bytes:
    """The beginning of one and the end of another, or one after the other, which is a request again."""
    second = other()
    if draw.random() < 0.3:
        return body + second
    return body[: draw.randrange(len(body) + 1)] + second[draw.randrange(len(second)) :]


def _copy(draw: Random, body: bytes, other: Callable[[], bytes]) -> bytes:
    """A piece of it in another place, over what was there."""
    del other
    start, at, size = draw.randrange(len(body) + 1), draw.randrange(len(body) + 1), draw.randrange(1, 60)
    return body[:at] + body[start : start + size] + body[at + size :]


def _lengths(draw: Random, body: bytes, other: Callable[[], bytes]) -> bytes:
    """Small numbers, as lengths are, made a little or a lot larger or smaller."""
    del other
    changed = bytearray(body or b"\x00")
    for _ in range(draw.choice((1, 2))):
        at = draw.randrange(len(changed))
        changed[at] = draw.choice((0, 1, 127, 128, 255, changed[at] + 1 & 255, changed[at] - 1 & 255))
    return bytes(changed)


_BYTEWISE: Final = (_flip, _cut, _insert, _remove, _mix, _copy, _lengths)
