"""How much a protobuf body holds, before any of it is parsed.

Two bytes on the wire can become two hundred in memory: a few kilobytes of compressed empty spans are gigabytes once
parsed.  So the tags are walked first, and nothing is made of what is too much.  The walk goes in the order of the
parser and stops at the first thing that is malformed, where the parser stops too: it has counted what the parser would
have made by then.

Resources, scopes and spans are counted always, which costs half a microsecond a span at most.  What is inside spans
(attributes, events, links and the values in them) is counted in large bodies only: in a smaller one it cannot be much.
"""

from __future__ import annotations

from typing import Any, Final

MOST_RECORDS: Final = 4_000_000
"""Messages within messages of a large body; ordinary spans fill the largest body with half as many."""
LOOK_INSIDE_ABOVE: Final = 16 * 1024 * 1024
"""Bytes of a body."""

_Schema = dict[int, Any]
"""Tag (field number and wire type) of a message within a message → its own schema; None is not looked into."""


def _tag(field: int) -> int:
    return field << 3 | 2


def _export(span: _Schema | None, values: _Schema | None) -> _Schema:
    resource = scope = values
    scope_spans = {_tag(1): scope, _tag(2): span}
    return {_tag(1): {_tag(1): resource, _tag(2): scope_spans}}


_ANY: Final[_Schema] = {}
_KEY_VALUE: Final[_Schema] = {_tag(2): _ANY}
_ANY.update({_tag(5): {_tag(1): _ANY}, _tag(6): {_tag(1): _KEY_VALUE}})
# attributes are field 1 of a resource, 3 of a scope and an event, 4 of a link, 9 of a span
_VALUES: Final[_Schema] = {_tag(1): _KEY_VALUE, _tag(3): _KEY_VALUE, _tag(4): _KEY_VALUE}
_SPAN: Final[_Schema] = {_tag(9): _KEY_VALUE, _tag(11): _VALUES, _tag(13): _VALUES, _tag(15): None}
_SHALLOW: Final = _export(None, None)
_DEEP: Final = _export(_SPAN, _VALUES)


def holds_more(body: bytes, most_spans: int) -> bool:
    """Whether an export request holds more spans (or resources and scopes) than that, or far too much within them."""
    if _walk(body, _SHALLOW, most_spans):
        return True
    return len(body) > LOOK_INSIDE_ABOVE and _walk(body, _DEEP, MOST_RECORDS)


def _walk(body: bytes, schema: _Schema, most: int) -> bool:  # noqa: C901  # a call for each field would cost more
    """Whether the body holds more than so many of the messages that the schema knows.

    One loop and no recursion, because the bytes of nested messages follow one another: what is entered is a nearer
    end and another schema.
    """
    position, end, left = 0, len(body), most
    around: list[tuple[int, _Schema]] = []
    try:
        while True:
            while position == end:
                if not around:
                    return False
                end, schema = around.pop()
            tag = body[position]
            position += 1
            if tag > 127:
                tag, position = _varint(body, position - 1)
            if tag & 7 != 2:
                position = _after(body, position, tag & 7)
                if position > end:
                    return False
                continue
            length = body[position]
            position += 1
            if length > 127:
                length, position = _varint(body, position - 1)
            if position + length > end:
                return False
            if tag in schema:
                left -= 1
                if left < 0:
                    return True
                inner = schema[tag]
                if inner is not None:
                    around.append((end, schema))
                    end, schema = position + length, inner
                    continue
            position += length
    except (IndexError, ValueError):
        return False


def _after(body: bytes, position: int, kind: int) -> int:
    """Where the next field begins after one that has no length; ValueError where there is no such kind of field."""
    if kind == 0:
        while body[position] > 127:
            position += 1
        return position + 1
    if kind in (1, 5):
        return position + (8 if kind == 1 else 4)
    if kind in (3, 4):  # the ends of a group, whose fields are walked as if they stood here
        return position
    raise ValueError(kind)


def _varint(body: bytes, position: int) -> tuple[int, int]:
    """A number of up to ten bytes and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = body[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("too long")
