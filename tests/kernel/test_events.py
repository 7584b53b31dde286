"""Server-sent events: the same events and the same bytes, however the network cuts them and the lines end."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost.events import Events

_PAYLOADS = st.lists(st.sampled_from([b"data: {}", b"data: drop", b"event: a\ndata: 1", b": ping", b"data: \xc3\xb8"]))
_ENDS = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])


def _fed(events: Events, stream: bytes, cuts: list[int]) -> bytes:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return b"".join(events.feed(stream[a:b]) for a, b in pairwise(places)) + events.rest()


@given(_PAYLOADS, _ENDS, st.lists(st.integers(0, 400)), st.booleans())
def test_every_event_is_seen_once_and_what_is_kept_passes_unchanged(
    payloads: list[bytes], end: bytes, cuts: list[int], dropping: bool
) -> None:
    seen: list[bytes] = []

    def keeps(event: bytes) -> bool:
        seen.append(event)
        return b"drop" not in event

    stream = b"".join(payload + end for payload in payloads)
    passed = _fed(Events(keeps if dropping else None, seen.append), stream, cuts)
    assert seen == payloads
    assert passed == b"".join(p + end for p in payloads if not dropping or b"drop" not in p) or not dropping
    if not dropping:
        assert _passes_everything(stream, cuts)


def _passes_everything(stream: bytes, cuts: list[int]) -> bool:
    events = Events(None, lambda _event: None)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return all(events.feed(stream[a:b]) == stream[a:b] for a, b in pairwise(places))


def test_line_ends_may_differ_within_a_stream() -> None:
    seen: list[bytes] = []
    Events(None, seen.append).feed(b"data: 1\n\n: ping\r\n\r\ndata: 2\n\ndata: 3\r\rdata: 4\n\n")
    assert seen == [b"data: 1", b": ping", b"data: 2", b"data: 3", b"data: 4"]


def test_a_last_event_without_its_empty_line_is_seen_and_may_be_dropped() -> None:
    events = Events(lambda event: b"drop" not in event, lambda _event: None)
    assert events.feed(b"data: 1\n\ndata: drop") == b"data: 1\n\n"
    assert events.rest() == b""


def test_a_long_event_is_not_held_back_and_costs_time_in_proportion() -> None:
    def seconds(megabytes: int) -> float:
        events = Events(lambda _event: True, lambda _event: None)
        piece = b"x" * 16384
        began = time.perf_counter()
        passed = sum(len(events.feed(piece)) for _ in range(megabytes * 64))
        assert passed > (megabytes - 1) << 20
        return time.perf_counter() - began

    assert seconds(16) < 40 * max(seconds(2), 0.001)
