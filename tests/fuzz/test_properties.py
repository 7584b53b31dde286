"""Whatever comes has an outcome; and what mutants brought to light once, in its smallest form."""

from __future__ import annotations

import gc
import json
import tracemalloc
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from otel_llm_cost.attributes import ASIDES
from otel_llm_cost_exporter.decode import Arrived, decode_body
from otel_llm_cost_exporter.receive.ingest import Encoding, Ingest
from otel_llm_cost_exporter.receive.outcome import Outcome
from otel_llm_cost_exporter.receive.outcome import Status as Became
from tests.access.receivers import Kept, receivers
from tests.exporter.otlp import chat, request, span

from .hostile import NAMES
from .json_mutants import Json
from .protobuf_mutants import Protobuf
from .truth import agree

IDS: Final = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}


def became(body: bytes, encoding: Encoding) -> tuple[Outcome, list[Arrived]]:
    """What is answered to a body, and the calls in what was taken of it."""
    kept = Kept()
    outcome = Ingest(kept).accept(body, encoding)
    assert outcome.status in (Became.STORED, Became.UNDECODABLE, Became.TOO_LARGE), outcome
    calls: list[Arrived] = []
    for entry in kept.entries:
        calls += decode_body(entry.body, entry.received_ns).calls
        agree(entry.body, calls)
    return outcome, calls


@given(st.binary(max_size=400))
def test_any_bytes_have_an_outcome(body: bytes) -> None:
    became(body, "protobuf")
    became(body, "json")


@given(st.integers(0, 2**32))
def test_any_mutant_has_an_outcome(seed: int) -> None:
    draw = Random(seed)  # noqa: S311
    became(_made(Protobuf, draw), "protobuf")
    became(_made(Json, draw), "json")


def _made(kind: type[Protobuf | Json], draw: Random) -> bytes:
    made: bytes = _MAKERS[kind].drawing(draw).mutant()
    return made


_MAKERS: Final[dict[type, Any]] = {kind: kind(Random(0)) for kind in (Protobuf, Json)}  # noqa: S311

_scalars = (
    st.builds(AnyValue, string_value=st.text(max_size=20))
    | st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1))
    | st.builds(AnyValue, double_value=st.floats())
    | st.builds(AnyValue, bool_value=st.booleans())
    | st.builds(AnyValue, bytes_value=st.binary(max_size=20))
    | st.builds(AnyValue)
)


def _containers(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    lists = st.builds(ArrayValue, values=st.lists(inner, max_size=3))
    maps = st.builds(KeyValueList, values=st.lists(st.builds(KeyValue, key=st.text(), value=inner), max_size=3))
    return st.builds(AnyValue, array_value=lists) | st.builds(AnyValue, kvlist_value=maps)


_attributes = st.lists(
    st.builds(KeyValue, key=st.sampled_from(NAMES), value=st.recursive(_scalars, _containers, max_leaves=6)), max_size=8
)
_moments = st.integers(0, 2**64 - 1)
_spans = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16) | st.binary(max_size=17),
    span_id=st.binary(min_size=8, max_size=8) | st.binary(max_size=9),
    parent_span_id=st.binary(max_size=9),
    start_time_unix_nano=_moments,
    end_time_unix_nano=_moments,
    attributes=_attributes,
    events=st.lists(st.builds(Span.Event, name=st.just("exception"), attributes=_attributes), max_size=2),
    status=st.builds(Status, code=st.sampled_from((0, 1, 2))),
)
_scopes = st.sampled_from(
    ("", "otel_llm_cost", "langfuse-sdk", "logfire.openai", "openinference.instrumentation.openai")
)


@given(st.lists(_spans, max_size=4), _scopes, st.text(max_size=10))
def test_any_spans_are_taken_and_read(spans: list[Span], scope: str, service: str) -> None:
    sent = request(*spans, scope=scope, resource={"service.name": service})
    outcome, calls = became(sent.SerializeToString(), "protobuf")
    assert outcome.status is Became.STORED
    assert len(calls) + outcome.rejected <= len(spans)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(tuple(IDS.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*IDS, "attributes", "x")), inner),
    max_leaves=8,
)


@given(_json, st.sampled_from(("resourceSpans", "scopeSpans", "spans", "span", "value", "key", "traceId")))
def test_any_json_has_an_outcome(anything: Any, place: str) -> None:
    became(json.dumps(_document(place, anything)).encode("utf-8", "surrogatepass"), "json")


def _document(place: str, anything: Any) -> dict[str, Any]:
    pair = {"key": "gen_ai.request.model", "value": {"stringValue": "m"}} | (
        {place: anything} if place in _PAIR else {}
    )
    one = IDS | {"attributes": [pair]} | ({"traceId": anything} if place == "traceId" else {})
    spans = anything if place == "spans" else [anything if place == "span" else one]
    scopes = anything if place == "scopeSpans" else [{"spans": spans}]
    return {"resourceSpans": anything if place == "resourceSpans" else [{"scopeSpans": scopes}]}


_PAIR: Final = ("key", "value")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(_document("value", {"doubleValue": 10**400})).encode(),
        b'{"resourceSpans": [{"\xed\xa0\x80": 1}]}',
        b'{"resourceSpans": []}'.decode().encode("utf-16"),
    ],
    ids=["a number too large for any", "a name with half a pair of bytes", "an alphabet that JSON is not sent in"],
)
def test_what_json_cannot_say_is_the_senders_fault(body: bytes) -> None:
    assert became(body, "json")[0].status is Became.UNDECODABLE


def test_a_field_that_is_spelled_twice_has_its_ids_read() -> None:
    document = {"resourceSpans": [{"scopeSpans": [{"spans": []}], "scope_spans": [{"spans": [IDS]}]}]}
    assert became(json.dumps(document).encode(), "json")[0].rejected == 0


def test_a_byte_order_mark_before_json_is_passed_over() -> None:
    assert became(b"\xef\xbb\xbf{}", "json")[0].status is Became.STORED


def test_asides_that_nest_too_deep_are_a_problem_of_that_attribute() -> None:
    sent = request(span(chat(**{ASIDES: ["[" * 100_000]})))
    (call,) = became(sent.SerializeToString(), "protobuf")[1]
    (problem,) = call.problems
    assert problem.startswith(ASIDES)


def test_a_body_of_no_bytes_is_no_fault_anywhere() -> None:
    with receivers(Kept()) as running:
        assert running.post(b"", kind="text/plain").status_code == 415
        assert running.post(b"", "/v1/metrics").status_code == 200
        assert running.post(b"", "/v1/logs", "application/json").status_code == 200
        assert running.post(b"").status_code == 200


def test_names_of_any_length_are_not_kept() -> None:
    def read(first: int) -> None:
        for number in range(first, first + 20):
            became(request(span(chat()), scope=f"{number}{'x' * 500_000}").SerializeToString(), "protobuf")

    read(0)  # what is kept once is kept now
    tracemalloc.start()
    try:
        read(100)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()
