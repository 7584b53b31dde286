"""What is read of a request half read is what the whole one says."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost_exporter import export_request
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.export_request import parse, read, read_event, read_placed

from .otlp import chat, pairs, request, span

_SCALARS = st.text(max_size=8) | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), _VALUES, min_size=1))
def test_attributes_come_back_as_they_were_told(told: dict[str, Any]) -> None:
    (of_resource,) = parse(request(span(told), resource=told, scope="s").SerializeToString()).resource_spans
    (of_scope,) = of_resource.scope_spans
    assert of_scope.scope.name == "s"
    assert read(of_scope.spans[0].attributes) == read(of_resource.resource.attributes) == told


@pytest.mark.parametrize(
    "value",
    [
        AnyValue(),
        AnyValue(bytes_value=b"x"),
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(int_value=1))])),
    ],
)
def test_what_no_reader_believes_is_nothing(value: AnyValue) -> None:
    inner = AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="deep")]))
    outer = AnyValue(array_value=ArrayValue(values=[inner, value, AnyValue(int_value=2)]))
    told = [KeyValue(key="one", value=value), KeyValue(key="list", value=outer)]
    assert read([pair.SerializeToString() for pair in told]) == {"one": None, "list": [None, None, 2]}


def test_the_last_of_a_name_is_taken() -> None:
    told = [*pairs({"a": 1, "b": 2}), *pairs({"a": "x"})]
    assert read([pair.SerializeToString() for pair in told]) == {"a": "x", "b": 2}


def test_bytes_that_are_no_attribute_say_nothing() -> None:
    assert read([b"\xff\xff"]) == {"": None}
    assert all(place < 0 for place, _ in read_placed([b"\xff\xff"]))
    assert read_event(b"\xff\xff") == ("", {})


def test_an_event_is_read_when_it_is_asked_for() -> None:
    event = Span.Event(name="exception", attributes=pairs({"exception.type": "E"}))
    assert read_event(event.SerializeToString()) == ("exception", {"exception.type": "E"})


def test_what_is_remembered_is_bounded_and_long_texts_are_not() -> None:
    remembered = export_request._PAIRS
    for number in range(export_request._MOST_REMEMBERED + 10):
        assert read([pairs({"n": number})[0].SerializeToString()]) == {"n": number}
    assert len(remembered) <= export_request._MOST_REMEMBERED
    long = pairs({"gen_ai.input.messages": "x" * 1000})[0].SerializeToString()
    assert read([long]) == {"gen_ai.input.messages": "x" * 1000}
    assert long not in remembered


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        (chat(), 0),
        (chat(**{"llm_cost.tag.team": "blue", "some.thing": 1}), 0),
        (chat(**{"gen_ai.usage.output_tokens": "many"}), 1),
        (chat(**{"gen_ai.usage.input_tokens": 1000.0, "gen_ai.request.temperature": "hot"}), 1),
    ],
)
def test_ours_and_the_same_in_other_hands_are_one_call(attributes: dict[str, Any], problems: int) -> None:
    resource = {"llm_cost.project": "shop", "llm_cost.tag.team": "red", "llm_cost.tag.x": 5}
    sent = span(attributes)
    (ours,) = decode(request(sent, resource=resource, scope="otel_llm_cost"), time.time_ns()).calls
    (any_other,) = decode(request(sent, resource=resource, scope="someone"), time.time_ns()).calls
    assert ours.call == any_other.call
    assert ours.problems == any_other.problems
    assert (len(ours.problems) - 1, ours.bad_usage) == (problems, any_other.bad_usage)
    assert ours.call.tags.project == "shop"


def test_a_span_of_ours_that_is_no_call_is_passed_over() -> None:
    for told in ({"gen_ai.operation.name": "execute_tool"}, {"gen_ai.provider.name": "openai"}, {}):
        assert decode(request(span(told), scope="otel_llm_cost"), time.time_ns()).calls == []
