"""Amazon's event stream, in which Bedrock streams an answer: binary messages around the vendor's own events.

A message is, in big-endian: its whole length (4 bytes), the length of its headers (4), a checksum of these (4), the
headers, the payload, a checksum of all (4).  A header is a name after its length (1), a type (1) and a value.  An event
of `invoke-with-response-stream` has the payload `{"bytes": BASE64, …}`, where the bytes are one JSON event of the
vendor; a failure has a header that names it (AWS SDK for Java, "Event stream encoding"; Bedrock API reference,
ResponseStream).
"""

from __future__ import annotations

import binascii
import json
import struct
from typing import Any, Final

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

_PRELUDE: Final = struct.Struct(">III")
_CHECKSUM: Final = 4
_LEAST: Final = _PRELUDE.size + _CHECKSUM
_LONGEST: Final = 24 << 20
"""Bytes of a message that the format allows; a longer one is no message."""
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Type of a header → bytes of its value; bytes (6) and text (7) have their length before them."""
_FAILURES: Final = (b":exception-type", b":error-code")


class EventStream:
    """Decodes a body as it passes.  What is no event stream yields nothing, from its first wrong length on."""

    __slots__ = ("_dead", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._dead = False

    def feed(self, data: bytes) -> list[bytes]:
        """The JSON events that are complete with these bytes.

        A failure becomes `{"type": "error", "error": {"type": NAME}}`, the form of Anthropic's own; its message stays
        behind.
        """
        if self._dead:
            return []
        self._rest += data
        events: list[bytes] = []
        start = 0
        while len(self._rest) - start >= _LEAST:
            length, header_length, _ = _PRELUDE.unpack_from(self._rest, start)
            if not _LEAST + header_length <= length <= _LONGEST:
                self._dead = True
                self._rest.clear()
                return events
            if len(self._rest) - start < length:
                break
            event = _event(bytes(self._rest[start : start + length]), header_length)
            if event is not None:
                events.append(event)
            start += length
        del self._rest[:start]
        return events


def _event(message: bytes, header_length: int) -> bytes | None:
    """The JSON event within one message."""
    payload_at = _PRELUDE.size + header_length
    failure = _failure(message[_PRELUDE.size : payload_at])
    if failure is not None:
        return json.dumps({"type": "error", "error": {"type": failure}}).encode()
    try:
        payload: Any = json.loads(message[payload_at:-_CHECKSUM])
        encoded = payload.get("bytes") if isinstance(payload, dict) else None
        return binascii.a2b_base64(encoded) if isinstance(encoded, str) else None
    except ValueError:  # binascii.Error is one
        return None


def _failure(headers: bytes) -> str | None:
    """The name of the failure that the headers tell of."""
    at = 0
    while at < len(headers):
        name_ends = at + 1 + headers[at]
        name, kind = headers[at + 1 : name_ends], headers[name_ends : name_ends + 1]
        at = name_ends + 1
        size = _SIZES.get(kind[0]) if kind else None
        if size is None:
            size = int.from_bytes(headers[at : at + 2], "big")
            at += 2
        if name in _FAILURES:
            return headers[at : at + size].decode("utf-8", "replace")
        at += size
    return None
