"""Whatever a host sends, the program gets what it gets without us, and our readers take it without a fault."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from tests.instrumentation.conftest import watching
from tests.instrumentation.wire import CHAT_USAGE_CHUNK

from .doors import INSTRUMENTORS, SOME, STREAMS, Door, each, instrumented
from .hosts import Part, Shape, cut

pytestmark = pytest.mark.integration

BOM = b"\xef\xbb\xbf"
DEEP = b"[" * 100_000 + b"]" * 100_000
SHAPES: dict[str, Shape] = {
    "in one piece": lambda parts: [b"".join(parts)],
    "byte by byte": cut(1),
    "in pieces of 7": cut(7),
    "in pieces of 50": cut(50),
    "lines end in CRLF": lambda parts: [part.replace(b"\n", b"\r\n") for part in parts],
    "CRLF in pieces": lambda parts: cut(3)([part.replace(b"\n", b"\r\n") for part in parts]),
    "lines end in CR": lambda parts: [part.replace(b"\n", b"\r") for part in parts],
    "a byte order mark": lambda parts: [BOM, *parts],
    "empty pieces": lambda parts: [piece for part in parts for piece in (b"", part, b"")],
    "empty": lambda _parts: [],
    "no JSON": lambda _parts: [b"<html>no</html>"],
    "no text": lambda parts: [b"data: \xff\xfe\n\n", *parts],
    "null": lambda _parts: [b"null"],
    "a list": lambda _parts: [b"[1]"],
    "a text": lambda _parts: [b'"x"'],
    "truncated": lambda parts: [*parts[:-1], parts[-1][: len(parts[-1]) // 2]],
    "only half an event": lambda parts: [parts[0][: len(parts[0]) // 2]],
    "broken at once": lambda _parts: [ConnectionResetError("no")],
    "broken after the first": lambda parts: [parts[0], ConnectionResetError("no")],
    "broken within the first": lambda parts: [parts[0][:9], ConnectionResetError("no")],
    "an event too many": lambda parts: [*parts, b'data: {"usage": 1}\n\n'],
    "events of no kind": lambda parts: [b"event: x\nid: 1\nretry: 5\n: y\n\n", *parts],
    "deep": lambda parts: [b"data: " + DEEP + b"\n\n", *parts],
    "only deep": lambda _parts: [DEEP],
    "a huge number": lambda parts: [b'data: {"usage":' + b"9" * 5000 + b"}\n\n", *parts],
}
HEADERS: dict[str, dict[str, str]] = {
    "text/plain": {"content-type": "text/plain"},
    "octets": {"content-type": "application/octet-stream"},
    "none": {"content-type": ""},
    "bedrock": {"content-type": "application/vnd.amazon.eventstream"},
    "charset": {"content-type": "text/event-stream; charset=utf-16"},
    "deflated, it says": {"content-encoding": "deflate"},
}


async def same(door: Door, body: Any = None, **host: Any) -> None:
    """The program gets the same from the bare SDK and from the instrumented one."""
    seen, bare = door.host(body), door.host(body)
    for name, value in host.items():
        setattr(seen, name, value)
        setattr(bare, name, value)
    with instrumented(door):
        observed = await door.outcome(seen)
    assert observed == await door.outcome(bare), host


@each(SOME)
async def test_any_shape(door: Door) -> None:
    for shape in SHAPES.values():
        await same(door, shape=shape)


@each(SOME)
async def test_any_shape_of_an_error(door: Door) -> None:
    for status in (400, 404, 429, 500):
        for name in ("in one piece", "empty", "no JSON", "null", "a list", "only deep", "broken at once"):
            await same(door, status=status, shape=SHAPES[name])


@each(SOME)
async def test_any_content_type(door: Door) -> None:
    for headers in HEADERS.values():
        await same(door, headers=headers)


@each(SOME)
async def test_a_compressed_body(door: Door) -> None:
    def compressed(parts: list[bytes]) -> list[Part]:
        whole = gzip.compress(b"".join(parts))
        return [whole[:20], whole[20:31], whole[31:]]

    await same(door, shape=compressed, headers={"content-encoding": "gzip"})


@each(STREAMS)
async def test_comments_between_events_reach_who_reads_lines(door: Door) -> None:
    def commented(parts: list[bytes]) -> list[Part]:  # as often with the usage event as without
        return [parts[0], b": ping\n\n", *parts[1:]]

    for pieces in (list, cut(4)):
        await same(door, shape=lambda parts, pieces=pieces: pieces(commented(parts)))


@each(STREAMS)
async def test_characters_of_many_bytes_are_cut_anywhere(door: Door) -> None:
    text = json.loads(json.dumps(door.way.body).replace("Oslo", "Øslø 🌍"))
    for size in (1, 2, 3):
        for ascii_only in (True, False):

            def spoken(parts: list[bytes], ascii_only: bool = ascii_only, size: int = size) -> list[Part]:
                whole = b"".join(parts)
                return cut(size)([whole if ascii_only else whole.decode("unicode_escape").encode("utf-8", "replace")])

            await same(door, text, shape=spoken)


# -- values of any kind anywhere

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = [
    "usage",
    "usageMetadata",
    "choices",
    "content",
    "candidates",
    "message",
    "delta",
    "id",
    "model",
    "parts",
    "output",
    "response",
    "finish_reason",
    "stop_reason",
    "finishReason",
    "type",
    "prompt_tokens",
    "input_tokens",
    "cache_creation",
    "prompt_tokens_details",
    "promptTokensDetails",
    "promptTokenCount",
    "service_tier",
    "index",
    "modelVersion",
    "interaction",
    "event_type",
    "server_tool_use",
    "groundingMetadata",
    "custom_id",
    "body",
    "status_code",
    "error",
]


def replaced(body: Any, key: str, value: Any) -> Any:
    """The body with every `key` in it replaced, save in the event that only we ask for."""
    if body == CHAT_USAGE_CHUNK:
        return body
    if isinstance(body, dict):
        return {k: value if k == key else replaced(v, key, value) for k, v in body.items()}
    return [replaced(item, key, value) for item in body] if isinstance(body, list) else body


class _Raising(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise AssertionError(record.getMessage())


@pytest.fixture(scope="module")
def _loud() -> Iterator[None]:
    """An exporter that fails to encode an attribute only logs it."""
    log, handler = logging.getLogger("opentelemetry"), _Raising(logging.WARNING)
    log.addHandler(handler)
    yield
    log.removeHandler(handler)


@pytest.mark.usefixtures("_loud")
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([door for door in SOME if not isinstance(door.way.body, bytes)]), st.sampled_from(KEYS), VALUES)
@example(next(door for door in SOME if "responses helper" in door.way.name), "type", [])
def test_any_value_anywhere(door: Door, key: str, value: Any) -> None:
    body = replaced(door.way.body, key, value)
    if body == door.way.body:
        return

    async def compared() -> None:
        with watching(INSTRUMENTORS[door.sdk], capture_content="span_only") as seen:
            observed = await door.outcome(door.host(body))
            spans = list(seen.spans)
        assert repr(observed) == repr(await door.outcome(door.host(body)))
        assert encode_spans(spans)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the SDKs', on values that they do not know
        asyncio.run(compared())
