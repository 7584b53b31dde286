"""What the collector makes of spans that tell of one call, without the frameworks that make them."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.dedupe import Window
from tests.exporter.otlp import request, span

TRACE, OTHER = b"1" * 16, b"2" * 16
PARENT, CHILD, GRANDCHILD = b"11111111", b"22222222", b"33333333"
SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
OURS, THEIRS = "otel_llm_cost", "openinference.instrumentation.langchain"
USED = {"gen_ai.usage.input_tokens": 1002, "gen_ai.usage.output_tokens": 11}


def told(
    scope: str, *, at: float = 0.0, lasts: float = 1.0, ids: dict[str, Any], **said: Any
) -> ExportTraceServiceRequest:
    """A request with one span; `at` and `lasts` in seconds."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", **USED, **said}
    made = span({name: value for name, value in attributes.items() if value is not None}, **ids)
    made.start_time_unix_nano = START + int(at * SECOND)
    made.end_time_unix_nano = START + int((at + lasts) * SECOND)
    return request(made, scope=scope)


def reasons(*requests: ExportTraceServiceRequest) -> list[str]:
    """Why each span is set aside, when the requests come one after the other; empty for a counted one."""
    window, found = Window(), []
    for each in requests:
        judged = window.judge(decode(each, START + 100 * SECOND).calls)
        window.remember(judged.kept)
        found += [reason for _, reason in judged.kept]
    return found


def above(**more: Any) -> ExportTraceServiceRequest:
    return told(THEIRS, ids={"trace_id": TRACE, "span_id": PARENT}, **more)


def below(**more: Any) -> ExportTraceServiceRequest:
    return told(OURS, ids={"trace_id": TRACE, "span_id": CHILD, "parent_span_id": PARENT}, **{"at": 0.1, **more})


def unlinked(**more: Any) -> ExportTraceServiceRequest:
    return told(OURS, ids={"trace_id": OTHER, "span_id": CHILD}, **{"at": 0.1, "lasts": 0.8, **more})


NO_USAGE: dict[str, Any] = dict.fromkeys(USED)


def test_of_parent_and_child_the_child_is_billed_if_it_comes_first() -> None:
    assert reasons(below(), above()) == ["", "parent_of_billed"]


def test_of_parent_and_child_the_parent_is_billed_if_it_comes_first() -> None:
    assert reasons(above(), below()) == ["", "child_of_billed"]


def test_what_is_below_a_covered_span_is_covered() -> None:
    deep = told(OURS, at=0.2, ids={"trace_id": TRACE, "span_id": GRANDCHILD, "parent_span_id": CHILD})
    assert reasons(above(), below(), deep) == ["", "child_of_billed", "child_of_billed"]


def test_a_span_that_began_after_its_billed_parent_had_ended_is_a_call_of_its_own() -> None:
    assert reasons(above(lasts=1.0), below(at=5.0)) == ["", ""]


def test_a_parent_that_says_nothing_of_usage_gives_way_to_ours() -> None:
    assert reasons(below(), above(**NO_USAGE)) == ["", "parent_of_billed"]
    assert reasons(below(**NO_USAGE), above(**NO_USAGE)) == ["", "parent_of_ours"]


def test_a_child_without_usage_of_a_billed_call_is_set_aside() -> None:
    ours = told(OURS, ids={"trace_id": TRACE, "span_id": PARENT})
    theirs = told(THEIRS, at=0.1, ids={"trace_id": TRACE, "span_id": CHILD, "parent_span_id": PARENT}, **NO_USAGE)
    assert reasons(ours, theirs) == ["", "child_of_billed"]


def test_zeros_are_no_usage_and_never_stand_in_the_way_of_a_bill() -> None:
    zeros = dict.fromkeys(USED, 0)
    known = {"gen_ai.response.id": "r1", "gen_ai.provider.name": "openai"}
    assert reasons(above(**zeros, **known), unlinked(**known)) == ["", ""]
    assert reasons(unlinked(**known), above(**zeros, **known)) == ["", "duplicate_response"]


def test_spans_in_no_way_linked_are_one_call_if_tokens_model_and_time_agree() -> None:
    assert reasons(unlinked(), above()) == ["", "duplicate_call"]
    assert reasons(above(), unlinked()) == ["", "duplicate_call"]


def test_unlinked_spans_that_differ_are_two_calls() -> None:
    assert reasons(unlinked(), above(at=5.0)) == ["", ""]
    assert reasons(unlinked(), above(**{"gen_ai.request.model": "gpt-4.1"})) == ["", ""]
    assert reasons(unlinked(), above(**{"gen_ai.usage.output_tokens": 12})) == ["", ""]
    assert reasons(unlinked(**{"gen_ai.response.id": "r1"}), above(**{"gen_ai.response.id": "r2"})) == ["", ""]


def test_equal_calls_of_one_hand_are_as_many_calls() -> None:
    again = told(OURS, at=0.1, ids={"trace_id": OTHER, "span_id": GRANDCHILD})
    assert reasons(unlinked(), again) == ["", ""]


def test_many_equal_calls_each_find_their_own_telling() -> None:
    ours = [told(OURS, at=10 * n, ids={"trace_id": OTHER, "span_id": bytes([n] * 8)}) for n in range(1, 6)]
    theirs = [told(THEIRS, at=10 * n, ids={"trace_id": TRACE, "span_id": bytes([n] * 8)}) for n in range(1, 6)]
    assert reasons(*ours, *theirs) == [""] * 5 + ["duplicate_call"] * 5


def test_behind_a_gateway_one_response_with_two_names_of_the_provider_is_one_call() -> None:
    ours = unlinked(**{"gen_ai.response.id": "r1", "gen_ai.provider.name": "llm.example"})
    theirs = {"gen_ai.response.id": "r1", "gen_ai.provider.name": "openai"}
    assert reasons(ours, above(**theirs)) == ["", "duplicate_response"]
    assert reasons(ours, above(at=5.0, **theirs)) == ["", ""]


def test_openllmetrys_tasks_are_no_calls() -> None:
    task = above(**{"gen_ai.operation.name": "execute_task", **NO_USAGE})
    assert decode(task, START).calls == []
