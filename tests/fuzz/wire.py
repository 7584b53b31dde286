"""Protobuf on the wire, without protobuf: fields taken apart and put together again, right or wrong."""

from __future__ import annotations

import struct
from typing import NamedTuple

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)


class Field(NamedTuple):
    """A field of a message; `content` is as on the wire, of BYTES without its length."""

    number: int
    kind: int
    content: bytes


def varint(value: int) -> bytes:
    """A number below 2^64; a negative one as its two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(number: int, content: str | bytes) -> Field:
    return Field(number, BYTES, content.encode() if isinstance(content, str) else content)


def double(number: int, value: float) -> Field:
    return Field(number, FIXED64, struct.pack("<d", value))


def whole(number: int, value: int) -> Field:
    return Field(number, VARINT, varint(value))


def message(number: int, *fields: Field) -> Field:
    return Field(number, BYTES, join(fields))


def join(fields: list[Field] | tuple[Field, ...]) -> bytes:
    """The message that these are the fields of."""
    out = bytearray()
    for number, kind, content in fields:
        out += varint(number << 3 | kind)
        if kind == BYTES:
            out += varint(len(content))
        out += content
    return bytes(out)


def split(body: bytes) -> list[Field]:
    """The fields of a well-formed message without groups; ValueError, IndexError where it is none."""
    fields, position = [], 0
    while position < len(body):
        tag, position = _number(body, position)
        start, kind = position, tag & 7
        if kind == VARINT:
            _, position = _number(body, position)
        elif kind == BYTES:
            length, start = _number(body, position)
            position = start + length
        elif kind in (FIXED32, FIXED64):
            position += 4 if kind == FIXED32 else 8
        else:
            raise ValueError(kind)
        fields.append(Field(tag >> 3, kind, body[start:position]))
    return fields


def _number(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
