"""Requests that a receiver takes, from requests of any size."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost_exporter.forward.split import MOST_BYTES, Part, pack
from tests.exporter.otlp import request, span
from tests.forward.batches import told


def part(*spans: Span, service: str = "shop", resource: str = "") -> Part:
    made = request(*spans, resource={"service.name": service, "note": resource}, scope=service)
    return Part(made.SerializeToString(), len(spans))


def spans(count: int, size: int = 10) -> list[Span]:
    return [span({"prompt": "x" * size}, name=str(number)) for number in range(count)]


def read(parts: list[Part]) -> list[tuple[str, str, str]]:
    """Service, scope and name of every span, in order; each request says how many it holds."""
    found = []
    for one in parts:
        told_here = [
            (told(of_resource.resource.attributes)["service.name"], of_scope.scope.name, of.name)
            for of_resource in ExportTraceServiceRequest.FromString(one.body).resource_spans
            for of_scope in of_resource.scope_spans
            for of in of_scope.spans
        ]
        assert len(told_here) == one.spans
        found += told_here
    return found


def test_small_requests_go_together_in_their_order() -> None:
    small = [part(*spans(3), service="shop"), part(*spans(2), service="office")]
    (one,) = pack(small)
    assert read([one]) == [
        ("shop", "shop", "0"),
        ("shop", "shop", "1"),
        ("shop", "shop", "2"),
        ("office", "office", "0"),
        ("office", "office", "1"),
    ]


def test_a_large_request_is_cut_and_keeps_resource_and_scope() -> None:
    large = part(*spans(101, 500))
    most = 5_000
    cut = list(pack([large], most))
    assert read(cut) == [("shop", "shop", str(number)) for number in range(101)]
    assert max(len(one.body) for one in cut) <= most


def test_spans_of_several_scopes_are_cut_between_and_within_them() -> None:
    both = ExportTraceServiceRequest()
    for service in ("shop", "office", "none"):
        both.MergeFromString(part(*(spans(7, 300) if service != "none" else []), service=service).body)
    cut = list(pack([Part(both.SerializeToString(), 14)], 1_500))
    assert read(cut) == [(service, service, str(n)) for service in ("shop", "office") for n in range(7)]


def test_nothing_is_nothing() -> None:
    assert list(pack([])) == []


def test_a_span_larger_than_a_request_is_alone_in_its_own() -> None:
    sizes = [one.spans for one in pack([part(*spans(2), *spans(1, 3_000), *spans(2))], 2_000)]
    assert sum(sizes) == 5
    assert 1 in sizes


def test_a_huge_resource_is_not_copied_for_every_span() -> None:
    huge = part(*spans(1_000), resource="x" * MOST_BYTES)
    assert sum(len(one.body) for one in pack([huge])) < 3 * len(huge.body)
