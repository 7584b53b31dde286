"""Export requests in OTLP's JSON with something wrong in them: in their structure, or in their text."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any, Final, Self

from google.protobuf.json_format import MessageToDict

from .hostile import NAMES, TEXTS, WHOLES, json_value, vendor_json
from .seeds import requests

_IDS: Final = ("traceId", "spanId", "parentSpanId")
_BAD_IDS: Final[tuple[Any, ...]] = (
    "",
    "zz",
    "0" * 32,
    "abc",
    "0af7651916cd43dd",
    5,
    None,
    [],
    {},
    "ab " * 8,
    "é" * 16,
    "AB" * 16,
    "0x" * 8,
)
_SPELLED: Final = {"resourceSpans": "resource_spans", "scopeSpans": "scope_spans", "spanId": "span_id"}
_NUMBERS: Final = (
    *WHOLES,
    10**30,
    10**400,
    "10" * 300,
    "0x10",
    "",
    " 1",
    "1.0",
    1e300,
    1.5,
    math.nan,
    math.inf,
)


class Json:
    """Makes valid bodies and mutants of them.  Every body has ids of its own."""

    def __init__(self, draw: Random) -> None:
        self._draw = draw
        self._seeds = [
            _with_places(as_otlp_json(MessageToDict(one, use_integers_for_enums=True))) for one in requests()
        ]

    def drawing(self, draw: Random) -> Self:
        """The same, which draws from elsewhere."""
        self._draw = draw
        return self

    def valid(self) -> bytes:
        """A request as it should be."""
        text, ids = self._draw.choice(self._seeds)
        for one in ids:
            text = text.replace(one, self._draw.randbytes(len(one) // 2).hex())
        return text.encode()

    def mutant(self) -> bytes:
        """A request with one to three things wrong in it."""
        draw, document = self._draw, json.loads(self.valid())
        for _ in range(draw.choice((1, 1, 2, 3))):
            _descend(draw, document)
        body = json.dumps(document, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
        return draw.choice(_TEXTUAL)(draw, body) if draw.random() < 0.4 else body


def as_otlp_json(document: dict[str, Any]) -> dict[str, Any]:
    """Protobuf's JSON as OTLP's, which has hexadecimal ids."""
    for span in _spans(document):
        for one in (span, *span.get("links", ())):
            one |= {name: base64.b64decode(one[name]).hex() for name in _IDS if name in one}
    return document


def _spans(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        span for resource in document["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]
    ]


def _with_places(document: dict[str, Any]) -> tuple[str, list[str]]:
    ids = dict.fromkeys(span[name] for name in ("traceId", "spanId") for span in _spans(document))
    return json.dumps(document), list(ids)


def _descend(draw: Random, value: Any) -> None:
    """Change something somewhere in an object or a list, in place."""
    while True:
        inner = [one for one in (value.values() if isinstance(value, dict) else value) if isinstance(one, (dict, list))]
        if not inner or draw.random() < 0.15:
            break
        value = draw.choice(inner)
    if isinstance(value, dict):
        draw.choice(_OF_OBJECTS)(draw, value)
    else:
        draw.choice(_OF_LISTS)(draw, value)


def _anything(draw: Random, it: dict[str, Any]) -> None:
    if it:
        it[draw.choice(list(it))] = json_value(draw)


def _drop(draw: Random, it: dict[str, Any]) -> None:
    if it:
        it.pop(draw.choice(list(it)))


def _add(draw: Random, it: dict[str, Any]) -> None:
    it[draw.choice(("unknown", "@type", "[a.b]", "", "stringValue", "intValue", "attributes", "trace_id"))] = (
        json_value(draw)
    )


def _number(draw: Random, it: dict[str, Any]) -> None:
    it[draw.choice(("startTimeUnixNano", "kind", "flags", "intValue", "doubleValue", "status"))] = draw.choice(_NUMBERS)


def _id(draw: Random, it: dict[str, Any]) -> None:
    it[draw.choice((*_IDS, "trace_id"))] = deepcopy(draw.choice(_BAD_IDS))


def _attribute(draw: Random, it: dict[str, Any]) -> None:
    value = draw.choice(
        (
            {"stringValue": draw.choice(TEXTS)},
            {"stringValue": draw.choice(("\ud800", "a\udfff", "\ud83d\ude00"))},
            {"stringValue": vendor_json(draw)},
            {"intValue": draw.choice(_NUMBERS)},
            {"doubleValue": draw.choice((*_NUMBERS, "NaN", "-Infinity", "1e999"))},
            {"boolValue": draw.choice((True, "true", 1))},
            {"bytesValue": draw.choice(("%%%", "a", "AAAA", "\u00e9"))},
            {"stringValue": "a", "intValue": 1},
            _deep(draw),
            json_value(draw),
        )
    )
    attributes = it.setdefault("attributes", [])
    if isinstance(attributes, list):
        attributes.append({"key": draw.choice(NAMES), "value": value})


def _deep(draw: Random) -> Any:
    value: Any = {"intValue": "1"}
    for _ in range(draw.choice((10, 40, 45, 46, 47, 48, 60, 90))):
        value = {"arrayValue": {"values": [value]}}
    return value


def _spell(draw: Random, it: dict[str, Any]) -> None:
    """Names as protobuf has them, in the place of JSON's or beside them."""
    for ours, theirs in _SPELLED.items():
        if ours in it:
            it[theirs] = it[ours] if draw.random() < 0.3 else it.pop(ours)


def _item(draw: Random, it: list[Any]) -> None:
    it.insert(draw.randrange(len(it) + 1), json_value(draw))


def _twice(draw: Random, it: list[Any]) -> None:
    it.extend(it[: draw.randrange(5)])


def _empty(draw: Random, it: list[Any]) -> None:
    it.extend([{}] * draw.choice((1, 10, 1000)))


_OF_OBJECTS: Final[tuple[Callable[[Random, dict[str, Any]], None], ...]] = (
    *(_anything, _drop, _add, _number, _id, _attribute, _attribute, _spell),
)
_OF_LISTS: Final[tuple[Callable[[Random, list[Any]], None], ...]] = (_item, _twice, _empty)


def _flip(draw: Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(draw.choice((1, 1, 3))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(draw: Random, body: bytes) -> bytes:
    return body[: draw.randrange(len(body))]


def _keys_twice(draw: Random, body: bytes) -> bytes:
    """An object with one name twice: the last is believed."""
    name = draw.choice((b'"traceId":', b'"spans":', b'"attributes":', b'"intValue":', b'"resourceSpans":'))
    said = json.dumps(json_value(draw)).encode()
    return body.replace(name, name + said + b"," + name, 1)


def _escape(draw: Random, body: bytes) -> bytes:
    bad = draw.choice((rb"\ud800", rb"\u12", rb"\x41", b"\x01", b"\xff", rb"\uDFFF\uD800", b"\xed\xa0\x80", b"\x00"))
    at = body.find(b'"', draw.randrange(len(body)))
    return body[: at + 1] + bad + body[at + 1 :]


def _brackets(draw: Random, body: bytes) -> bytes:
    deep = draw.choice((100, 900, 3000, 50_000))
    return body[:-1] + b',"x":' + b"[" * deep + b"]" * draw.choice((deep, 0)) + b"}"


def _another_alphabet(draw: Random, body: bytes) -> bytes:
    """Python's reader knows these by their first bytes."""
    return body.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-be")))


def _replaced(draw: Random, body: bytes) -> bytes:
    del body
    return draw.choice((b"", b"null", b"[]", b"7", b'""', b"{}", b"NaN", b"\xef\xbb\xbf", b"9" * 5000, b"[" * 100_000))


_TEXTUAL: Final = (_flip, _cut, _keys_twice, _escape, _brackets, _another_alphabet, _replaced)
