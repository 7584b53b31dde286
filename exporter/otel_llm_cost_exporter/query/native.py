"""Native blocks as a client of a newer protocol expects them.

The embedded engine writes Native as for a client of revision 0.  Drivers say a revision (`client_protocol_version`)
and then expect more in each block: a block info before it, one byte a column that says how it is serialized (0:
plainly), and time zones in the names of DateTime types.  The data themselves are the same bytes; only where each
column ends must be known, which follows from its type.

Layout of types: https://clickhouse.com/docs/native-protocol/columns
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from .answer import NOT_SUPPORTED, Refusal

# fields by number: 1 is_overflows = 0, 2 bucket_num = -1, and 0 for the end
_BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_TIME_ZONES_SINCE: Final = 54337
_CUSTOM_SERIALIZATION_SINCE: Final = 54454
_AT_LEAST: Final = 1 << 18
"""Bytes that go on as one piece, if there are as many."""

_WIDTHS: Final = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32", "Time"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("Int256", "UInt256", "Decimal256"), 32),
}
_GEOMETRY: Final = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "MultiLineString": "Array(LineString)",
    "Polygon": "Array(Ring)",
    "MultiPolygon": "Array(Polygon)",
}
_BARE_DATE_TIME: Final = re.compile(r"\bDateTime\b(?!\()")
_FIELD_NAME: Final = re.compile(r"(?:`(?:[^`\\]|\\.)*`|\w+) (?=[A-Z])")


class Cut(EOFError):
    """The stream ended within a block."""


class Tape:
    """Bytes as they come, of which what has been passed since the last `cut` can be had as one piece."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._data = bytearray()
        self._at = 0

    def more(self) -> bool:
        """Whether anything follows."""
        return self._at < len(self._data) or self._fill()

    def skip(self, size: int) -> None:
        self._need(size)
        self._at += size

    def take(self, size: int) -> bytes:
        self._need(size)
        self._at += size
        return bytes(self._data[self._at - size : self._at])

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def varint(self) -> int:
        """An unsigned LEB128."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def strings(self, count: int) -> None:
        """Pass over so many strings, each behind its length: the one place where every value costs a step."""
        while count:
            data, at, end = self._data, self._at, len(self._data)
            while count and at < end and (size := data[at]) < 128 and at + size < end:
                at += size + 1
                count -= 1
            self._at = at
            if count:
                self.skip(self.varint())
                count -= 1

    def cut(self) -> bytes:
        """What was passed since the last time."""
        piece = bytes(self._data[: self._at])
        del self._data[: self._at]
        self._at = 0
        return piece

    def _need(self, size: int) -> None:
        while len(self._data) - self._at < size:
            if not self._fill():
                raise Cut("the answer of the engine ends within a block")

    def _fill(self) -> bool:
        piece = self._read()
        self._data += piece
        return bool(piece)


def reframed(
    read: Callable[[], bytes], revision: int, described: Callable[[], Sequence[str]] | None = None
) -> Iterator[bytes]:
    """The blocks of a stream of revision 0, as for a client of `revision`.

    `described` gives the columns' types with time zones, and is asked once and only where there may be some; without
    it the types are the blocks' own.  At most a column is in memory.  Cut where the stream ends too soon, Refusal at a
    type whose length cannot be told.
    """
    tape = Tape(read)
    types: Sequence[str] = ()
    pending = bytearray()
    while tape.more():
        columns, rows = tape.varint(), tape.varint()
        pending += _BLOCK_INFO + tape.cut()
        for index in range(columns):
            name, kind = tape.take(tape.varint()), tape.take(tape.varint()).decode()
            tape.cut()
            shown = kind
            if described is not None and revision >= _TIME_ZONES_SINCE and _BARE_DATE_TIME.search(kind):
                types = types or described()
                shown = types[index]
            pending += _text(name) + _text(shown.encode()) + (b"\0" if revision >= _CUSTOM_SERIALIZATION_SINCE else b"")
            if rows:
                column = layout(kind)
                column.prefix(tape)
                column.values(tape, rows)
            pending += tape.cut()
            if len(pending) >= _AT_LEAST:
                yield bytes(pending)
                pending.clear()
    if pending:
        yield bytes(pending)


def _text(text: bytes) -> bytes:
    size, head = len(text), bytearray()
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    return bytes((*head, size)) + text


class Layout:
    """Of `width` bytes a value.  The prefixes of a column and all in it come before the first value."""

    def __init__(self, width: int) -> None:
        self.width = width

    def prefix(self, tape: Tape) -> None:
        """Pass over what stands once before a column of a block."""

    def values(self, tape: Tape, rows: int) -> None:
        """Pass over so many values."""
        tape.skip(self.width * rows)


class _String(Layout):
    def values(self, tape: Tape, rows: int) -> None:
        tape.strings(rows)


class _Around(Layout):
    """A type that has others in it."""

    def __init__(self, *inner: Layout) -> None:
        super().__init__(0)
        self.inner = inner

    def prefix(self, tape: Tape) -> None:
        for one in self.inner:
            one.prefix(tape)

    def values(self, tape: Tape, rows: int) -> None:
        for one in self.inner:
            one.values(tape, rows)


class _Nullable(_Around):
    def values(self, tape: Tape, rows: int) -> None:
        tape.skip(rows)
        super().values(tape, rows)


class _Array(_Around):
    def values(self, tape: Tape, rows: int) -> None:
        tape.skip(8 * (rows - 1))
        if length := tape.number(8):
            super().values(tape, length)


class _LowCardinality(_Around):
    """Distinct values, then an index a row; the low byte of the flags says how wide an index is."""

    def prefix(self, tape: Tape) -> None:
        tape.skip(8)

    def values(self, tape: Tape, rows: int) -> None:
        passed = 0
        while passed < rows:
            flags = tape.number(8)
            super().values(tape, tape.number(8))
            count = tape.number(8)
            tape.skip(count << (flags & 255))
            passed += count


@lru_cache(maxsize=1024)
def layout(kind: str) -> Layout:
    """How the values of a type lie; Refusal where that depends on more than the type."""
    name, _, rest = kind.partition("(")
    inner = _parts(rest[:-1]) if rest else []
    if name in _WIDTHS:
        return Layout(_WIDTHS[name])
    if name in _GEOMETRY:
        return layout(_GEOMETRY[name])
    if name.startswith("Interval"):
        return Layout(8)
    if name == "FixedString":
        return Layout(int(inner[0]))
    if name == "Decimal":
        digits = int(inner[0])
        return Layout(next(width for width, most in ((4, 9), (8, 18), (16, 38), (32, 76)) if digits <= most))
    if name == "String":
        return _String(0)
    if name == "SimpleAggregateFunction":
        return layout(inner[1])
    return _around(name, inner, kind)


def _around(name: str, inner: Sequence[str], kind: str) -> Layout:
    if name == "Nullable":
        return _Nullable(layout(inner[0]))
    if name == "Array":
        return _Array(layout(inner[0]))
    if name == "LowCardinality":
        plain = inner[0].removeprefix("Nullable(").removesuffix(")") if inner[0].startswith("Nullable(") else inner[0]
        return _LowCardinality(layout(plain))
    if name == "Map":
        return _Array(_Around(*map(layout, inner)))
    if name in ("Tuple", "Nested") and inner:
        fields = _Around(*map(layout, map(_unnamed, inner)))
        return fields if name == "Tuple" else _Array(fields)
    raise Refusal(
        NOT_SUPPORTED,
        f"the type {kind[:80]} cannot be sent as Native to this client: convert it (toString, finalizeAggregation), or"
        " ask for another format.",
    )


def _unnamed(field: str) -> str:
    name = _FIELD_NAME.match(field)
    return field[name.end() :] if name else field


def _parts(text: str) -> list[str]:
    """What stands between the commas that are in no parentheses and no quotes."""
    parts, depth, start, quote = [], 0, 0, ""
    at = 0
    while at < len(text):
        char = text[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'`":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    return [*parts, text[start:].strip()]
