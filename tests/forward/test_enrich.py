"""What is written on spans that go onward, and that nothing else about them changes."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from otel_llm_cost.pricing.cost import unknown
from otel_llm_cost.record import Call, Error, Response, Tags
from otel_llm_cost_exporter.decode import Arrived
from otel_llm_cost_exporter.entry import ANONYMOUS, Entry, Sender
from otel_llm_cost_exporter.forward.batch import Bills
from otel_llm_cost_exporter.forward.enrich import MOST_HOPS, Enriched, additions, enrich
from otel_llm_cost_exporter.rows import PricedCall
from tests.exporter.otlp import chat, pairs, request, span
from tests.forward.batches import DOLLAR, Stored, batch, entry, known, told

MARK = "llm_cost.forwarded_by"


def sent(of: Entry, stored: Stored, instance: str = "me") -> ExportTraceServiceRequest:
    found: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(enrich(of, Bills.of(stored), instance).body)
    return found


def only_span(of: ExportTraceServiceRequest) -> Span:
    found: list[Span] = [s for r in of.resource_spans for scope in r.scope_spans for s in scope.spans]
    assert len(found) == 1
    return found[0]


def enriched(
    attributes: dict[str, Any], sender: Sender = ANONYMOUS, resource: dict[str, Any] | None = None, **of_batch: Any
) -> dict[str, Any]:
    one = entry(request(span(attributes), resource=resource), sender)
    return told(only_span(sent(one, batch(one, **of_batch))).attributes)


def test_a_call_carries_its_cost() -> None:
    found = enriched(chat(), cost=known(1_234_567_890_123))
    assert found["gen_ai.usage.cost.amount"] == 1.234567890123
    assert found["gen_ai.usage.cost.currency"] == "USD"
    assert found["gen_ai.usage.cost.source"] == "local"
    assert found["llm_cost.price.status"] == "exact"
    assert not {"llm_cost.price.reason", "llm_cost.counted", "llm_cost.error.class"} & found.keys()
    assert chat().items() <= found.items()


def test_nothing_is_a_cost_of_zero() -> None:
    assert enriched(chat(), cost=known(0))["gen_ai.usage.cost.amount"] == 0.0


def test_an_unknown_cost_is_no_amount_but_a_reason() -> None:
    found = enriched(chat(), cost=unknown("unknown_model", "test"))
    assert found["llm_cost.price.status"] == "unknown"
    assert found["llm_cost.price.reason"] == "unknown_model"
    assert not any(name.startswith("gen_ai.usage.cost.") for name in found)


def test_an_amount_that_the_provider_states_is_named_as_such() -> None:
    stated = chat(**{"llm_cost.stated_cost": "0.25"})
    found = enriched(stated, cost=unknown("unknown_model", "test"))
    assert (found["gen_ai.usage.cost.amount"], found["gen_ai.usage.cost.source"]) == (0.25, "provider")
    assert found["llm_cost.price.status"] == "unknown"
    assert enriched(stated, cost=known(DOLLAR))["gen_ai.usage.cost.source"] == "local"


def test_a_call_that_is_set_aside_says_so_and_bears_no_amount() -> None:
    of = span(chat())
    one = entry(request(of))
    found = told(only_span(sent(one, batch(one, set_aside={of.span_id: "parent_of_billed"}))).attributes)
    assert found["llm_cost.counted"] is False
    assert found["llm_cost.counted.reason"] == "parent_of_billed"
    assert found["llm_cost.price.status"] == "exact"
    assert "gen_ai.usage.cost.amount" not in found


def test_the_project_is_what_the_key_says() -> None:
    claims = chat(**{"llm_cost.project": "theirs"})
    assert enriched(claims, Sender("k", "ours"))["llm_cost.project"] == "ours"
    assert enriched(claims, Sender("k", "ours", None))["llm_cost.project"] == "theirs"
    assert enriched(claims)["llm_cost.project"] == "theirs"
    assert enriched(chat(), resource={"llm_cost.project": "shop"})["llm_cost.project"] == "shop"
    assert "llm_cost.project" not in enriched(chat())


def test_a_failure_has_a_class_and_one_that_is_said_stays() -> None:
    failed = chat(**{"error.type": "RateLimitError"})
    assert enriched(failed)["llm_cost.error.class"] == "unknown"
    assert enriched(failed | {"llm_cost.error.class": "rate_limit"})["llm_cost.error.class"] == "rate_limit"


def test_other_spans_stay_as_they_are() -> None:
    one = entry(request(span({"http.route": "/"}, name="GET /"), span(chat())))
    before = ExportTraceServiceRequest.FromString(one.body).resource_spans[0].scope_spans[0].spans[0]
    assert sent(one, batch(one)).resource_spans[0].scope_spans[0].spans[0] == before


def test_calls_of_another_tenant_with_the_same_ids_are_not_meant() -> None:
    ours = entry(request(span(chat())), Sender("k", "ours"))
    theirs = ours._replace(sender=Sender("l", "theirs"))
    assert "llm_cost.price.status" not in told(only_span(sent(theirs, batch(ours))).attributes)


def test_what_a_collector_before_said_gives_way() -> None:
    """With one bill known and then not, nothing stale stays."""
    one = entry(request(span(chat(**{"error.type": "timeout"}))), Sender("k", "shop"))
    first = sent(one, batch(one, cost=known(7 * DOLLAR)), "first")
    again = entry(first, Sender("k", "office"))
    second = sent(again, batch(again, cost=unknown("unknown_model", "test")), "second")
    found = told(only_span(second).attributes)
    assert found["llm_cost.project"] == "office"
    assert found["llm_cost.price.reason"] == "unknown_model"
    assert "gen_ai.usage.cost.amount" not in found
    third_in = entry(second)
    third = sent(third_in, batch(third_in, cost=known(2 * DOLLAR)), "third")
    found = told(only_span(third).attributes)
    assert found["gen_ai.usage.cost.amount"] == 2.0
    assert "llm_cost.price.reason" not in found
    assert told(third.resource_spans[0].resource.attributes)[MARK] == ["first", "second", "third"]


def test_an_amount_of_somebody_else_stays_where_we_know_none() -> None:
    theirs = chat(**{"gen_ai.usage.cost.amount": 0.5, "gen_ai.usage.cost.currency": "EUR"})
    assert enriched(theirs, cost=unknown("no_usage", "test"))["gen_ai.usage.cost.currency"] == "EUR"
    found = enriched(theirs, cost=known(DOLLAR))
    assert (found["gen_ai.usage.cost.amount"], found["gen_ai.usage.cost.currency"]) == (1.0, "USD")


def test_what_comes_back_is_not_sent_again() -> None:
    one = entry(request(span(chat())))
    returned = entry(sent(one, batch(one)))
    assert enrich(returned, Bills.of(batch(returned)), "me") == Enriched(b"", 0, 0, 1)
    assert enrich(returned, Bills.of(batch(returned)), "other").spans == 1


def test_only_what_came_back_is_left_out_of_a_request() -> None:
    one = entry(request(span(chat())))
    both = sent(one, batch(one))
    both.resource_spans.append(request(span(chat())).resource_spans[0])
    mixed = entry(both)
    made = enrich(mixed, Bills.of(batch(mixed)), "me")
    assert (made.spans, made.looped) == (1, 1)


@pytest.mark.parametrize("mark", ["me", ["me"], ["other", "me"]])
def test_a_mark_is_known_as_text_and_as_a_list(mark: Any) -> None:
    one = entry(request(span(chat()), resource={MARK: mark}))
    assert enrich(one, Bills.of(batch(one)), "me").looped == 1


def test_a_circle_of_collectors_that_forget_their_marks_ends() -> None:
    one = entry(request(span(chat())))
    hops = 0
    while (made := enrich(one, Bills.of(batch(one)), f"restarted {hops}")).spans:
        one = entry(ExportTraceServiceRequest.FromString(made.body))
        hops += 1
    assert hops == MOST_HOPS


def test_a_call_goes_onward_once() -> None:
    """The same span twice in a batch, and spans that were stored before, with what is new beside them."""
    of, old = span(chat()), span(chat())
    one, two = entry(request(of, old)), entry(request(of, span({"http.route": "/"})))
    stored = batch(one, two)
    key = old.trace_id + old.span_id
    bills = Bills.of(Stored((one, two), [call for call in stored.calls if call.arrived.key != key], frozenset({key})))
    assert enrich(one, bills, "me")[1:] == (1, 1, 0)
    assert enrich(two, bills, "me")[1:] == (1, 1, 0)


def test_a_project_of_any_length_is_cut_as_in_the_store() -> None:
    assert enriched(chat(**{"llm_cost.project": "x" * 5000}))["llm_cost.project"] == "x" * 1024


# --- for any request: what is sent is what came, and what is added

_texts = st.text(max_size=8)
_values = st.recursive(
    st.one_of(
        st.builds(AnyValue),
        st.builds(lambda v: AnyValue(string_value=v), _texts),
        st.builds(lambda v: AnyValue(bool_value=v), st.booleans()),
        st.builds(lambda v: AnyValue(int_value=v), st.integers(-(1 << 63), (1 << 63) - 1)),
        st.builds(lambda v: AnyValue(double_value=v), st.floats(allow_nan=False)),
        st.builds(lambda v: AnyValue(bytes_value=v), st.binary(max_size=8)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda v: AnyValue(array_value=ArrayValue(values=v)), st.lists(inner, max_size=2)),
        st.builds(
            lambda v: AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=one) for one in v])),
            st.lists(inner, max_size=2),
        ),
    ),
    max_leaves=3,
)
_attributes = st.lists(st.builds(KeyValue, key=_texts, value=_values), max_size=3)


@st.composite
def _of_the_future(draw: st.DrawFn, message: Any) -> Any:
    """With a field that nobody here knows, perhaps."""
    made = draw(message)
    if draw(st.booleans()):
        data = draw(st.binary(max_size=8))
        made.MergeFromString(b"\xc2\x3e" + bytes([len(data)]) + data)
    return made


_uint32 = st.integers(0, (1 << 32) - 1)
_uint64 = st.integers(0, (1 << 64) - 1)
_spans = _of_the_future(
    st.builds(
        Span,
        trace_id=st.binary(max_size=17),
        span_id=st.binary(max_size=9),
        trace_state=_texts,
        parent_span_id=st.binary(max_size=8),
        flags=_uint32,
        name=_texts,
        start_time_unix_nano=_uint64,
        end_time_unix_nano=_uint64,
        attributes=_attributes,
        dropped_attributes_count=_uint32,
        events=st.lists(st.builds(Span.Event, time_unix_nano=_uint64, name=_texts, attributes=_attributes), max_size=2),
        links=st.lists(st.builds(Span.Link, trace_id=st.binary(max_size=16), attributes=_attributes), max_size=2),
        status=st.builds(Status, message=_texts, code=st.integers(0, 2)),
    )
)
_scopes = _of_the_future(
    st.builds(
        ScopeSpans,
        scope=st.builds(InstrumentationScope, name=_texts, version=_texts, attributes=_attributes),
        spans=st.lists(_spans, max_size=3),
        schema_url=_texts,
    )
)
_resources = _of_the_future(
    st.builds(
        ResourceSpans,
        resource=_of_the_future(st.builds(Resource, attributes=_attributes, dropped_attributes_count=_uint32)),
        scope_spans=st.lists(_scopes, max_size=2),
        schema_url=_texts,
    )
)
_requests = _of_the_future(
    st.builds(ExportTraceServiceRequest, resource_spans=st.lists(_resources, min_size=1, max_size=2))
)
_calls = st.builds(
    Call,
    response=st.builds(Response, stated_cost=st.none() | st.just("0.5")),
    tags=st.builds(Tags, project=st.none() | _texts),
    error=st.none() | st.just(Error(type="timeout", error_class="timeout")),
)
_costs = st.one_of(
    st.builds(known, st.integers(0, 10**18), st.sampled_from(["exact", "alias", "partial"]), _texts),
    st.builds(unknown, _texts, st.just("test")),
)


@settings(max_examples=80, deadline=None)
@given(st.data(), _requests)
def test_what_is_sent_is_what_came_and_what_is_added(data: st.DataObject, came: ExportTraceServiceRequest) -> None:
    sender = data.draw(st.sampled_from([ANONYMOUS, Sender("k", "shop")]))
    priced = _price_some(data, came, sender)
    one = entry(came, sender)
    made = enrich(one, Bills(priced), "me")
    if not made.spans:
        assert not one.spans
        return
    found = ExportTraceServiceRequest.FromString(made.body)
    for of_resource, scopes in ((r, r.scope_spans) for r in found.resource_spans):
        mark = of_resource.resource.attributes.pop()
        assert told([mark]) == {MARK: ["me"]}
        for of in (s for scope in scopes for s in scope.spans):
            call = priced.get(sender.tenant.encode() + of.trace_id + of.span_id)
            expected = additions(call) if call else {}
            last = len(of.attributes) - len(expected)
            assert told(of.attributes[last:]) == expected
            del of.attributes[last:]
    for of_resource in came.resource_spans:  # a resource that is not there and one with nothing in it are one
        of_resource.resource.SetInParent()
    assert found.SerializeToString(deterministic=True) == came.SerializeToString(deterministic=True)


def _price_some(data: st.DataObject, came: ExportTraceServiceRequest, sender: Sender) -> dict[bytes, PricedCall]:
    """Some of the spans are calls; each span has ids of its own, whatever else it is."""
    priced = {}
    for of in (s for r in came.resource_spans for scope in r.scope_spans for s in scope.spans):
        of.span_id += os.urandom(8)
        if data.draw(st.booleans()):
            arrived = Arrived(
                trace_id=of.trace_id,
                span_id=of.span_id,
                parent_span_id=b"",
                start_ns=0,
                duration_ns=0,
                received_ns=0,
                tenant=sender.tenant,
                call=data.draw(_calls),
            )
            priced[arrived.key] = PricedCall(arrived, data.draw(_costs), data.draw(st.sampled_from(["", "not_billed"])))
    return priced


def test_a_request_without_a_resource_is_marked_too() -> None:
    bare = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(attributes=pairs(chat()))])])]
    )
    one = entry(bare)
    assert told(sent(one, batch(one)).resource_spans[0].resource.attributes) == {MARK: ["me"]}
