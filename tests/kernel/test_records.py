"""Properties of the kernel: folding a stream, and writing a call on a span and reading it back."""

from __future__ import annotations

from functools import reduce
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost import attributes
from otel_llm_cost.errors import classify
from otel_llm_cost.record import MAX_COUNT, Call, Error, ErrorClass, Outcome, Request, Response, Tags, Usage, fold

words = st.text(min_size=1, max_size=12)
counts = st.integers(0, MAX_COUNT)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """None or a value."""
    return st.none() | strategy


_OF_USAGE = {"estimated": st.booleans(), "estimated_counts": st.lists(st.sampled_from(Usage._fields)).map(tuple)}
usages = st.builds(Usage, **{f: optional(_OF_USAGE.get(f, counts)) for f in Usage._fields})
errors = st.builds(Error, type=words, error_class=st.sampled_from(get_args(ErrorClass)), status_code=optional(counts))
reasons = st.lists(words, max_size=3).map(lambda texts: tuple(enumerate(texts)))
scattered = st.dictionaries(st.integers(0, 4), words, min_size=1).map(lambda d: tuple(sorted(d.items())))
_TEXTS = ("id", "model", "service_tier", "system_fingerprint", "request_id", "speed", "inference_geo", "stated_cost")
responses = st.builds(
    Response,
    **{name: optional(words) for name in _TEXTS},
    usage=optional(usages),
    finish_reasons=optional(scattered),
    error=optional(errors),
)


@given(responses, responses, responses)
def test_folding_is_associative(a: Response, b: Response, c: Response) -> None:
    assert fold(fold(a, b), c) == fold(a, fold(b, c))


@given(responses)
def test_the_empty_response_is_neutral_and_folding_twice_changes_nothing(a: Response) -> None:
    assert fold(a, Response()) == fold(Response(), a) == fold(a, a) == a


@given(responses, responses)
def test_where_the_later_speaks_it_wins_and_nothing_is_added(a: Response, b: Response) -> None:
    folded = fold(a, b)
    for name in _TEXTS:
        assert getattr(folded, name) == (getattr(a, name) if getattr(b, name) is None else getattr(b, name))
    if a.usage is not None and b.usage is not None and b.usage.output_tokens is not None:
        assert folded.usage is not None
        assert folded.usage.output_tokens == b.usage.output_tokens


@given(usages, st.randoms())
def test_a_stream_folds_to_its_whole_answer(usage: Usage, random: Any) -> None:
    said = {f: getattr(usage, f) for f in Usage._fields}
    names = list(said)
    random.shuffle(names)
    parts = [Response(usage=Usage(**{name: said[name]})) for name in names]
    assert reduce(fold, parts).usage == usage


_NUMBERS = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")
_INTEGERS = ("server_port", "max_tokens", "seed", "choice_count")
_LISTS = ("stop_sequences", "encoding_formats")
_FLAGS = ("stream", "batch")


def _of_request(name: str) -> st.SearchStrategy[Any]:
    if name in _NUMBERS:
        return numbers
    if name in _INTEGERS:
        return st.integers(-(2**63) + 1, 2**63 - 1)
    if name in _LISTS:
        return st.lists(words, max_size=3).map(tuple)
    return st.booleans() if name in _FLAGS else words


requests = st.builds(Request, **{f: optional(_of_request(f)) for f in Request._fields})
tags = st.builds(
    Tags,
    **{name: optional(words) for name in ("project", "feature", "user", "session")},
    extra=st.dictionaries(words, words, max_size=3).map(lambda d: tuple(sorted(d.items()))),
)
calls = st.builds(
    Call,
    request=requests,
    response=st.builds(
        Response,
        **{name: optional(words) for name in _TEXTS},
        usage=optional(usages.filter(lambda u: u != Usage())),
        finish_reasons=optional(reasons),
        error=st.none(),
        asides=optional(st.lists(st.tuples(words, usages), min_size=1, max_size=2).map(tuple)),
    ),
    tags=tags,
    error=optional(errors),
    outcome=optional(st.sampled_from(get_args(Outcome))),
    resend_count=optional(counts),
    time_to_first_chunk=optional(numbers),
)


@given(calls)
def test_a_call_survives_the_wire(call: Call) -> None:
    decoded = attributes.decode(attributes.encode(call))
    assert decoded.call == call
    assert decoded.problems == ()


_NONSENSE = st.one_of(words, st.booleans(), st.integers(max_value=-1), st.integers(MAX_COUNT + 1), st.none())


@given(st.sampled_from(sorted(set(attributes.USAGE_NAMES.values()) - {"llm_cost.usage.estimated"})), _NONSENSE)
def test_a_count_that_is_none_is_a_problem_and_never_a_number(name: str, value: Any) -> None:
    decoded = attributes.decode({name: value, "gen_ai.request.model": "m"})
    assert decoded.call.response.usage is None
    assert decoded.bad_usage
    assert name in decoded.problems[0]
    assert decoded.call.request.model == "m"


@given(st.dictionaries(st.sampled_from([*attributes._READERS, "x"]), st.none() | words | numbers | st.booleans()))
def test_no_attributes_break_the_reader(odd: dict[str, Any]) -> None:
    attributes.decode(odd)


@given(
    st.dictionaries(
        st.sampled_from([*attributes._READERS, f"{attributes.TAG_PREFIX}team", "x"]),
        st.none() | words | counts | numbers | st.booleans() | st.lists(words, max_size=2),
    )
)
def test_attributes_read_one_by_one_are_the_same_call(told: dict[str, Any]) -> None:
    decoded = attributes.decode(told)
    quickly = attributes.decode_placed(attributes.placed(name, value) for name, value in told.items())
    assert quickly == (None if decoded.problems else decoded.call)


@given(calls)
def test_a_call_survives_the_wire_attribute_by_attribute(call: Call) -> None:
    written = attributes.encode(call)
    assert attributes.decode_placed(attributes.placed(name, value) for name, value in written.items()) == call


@pytest.mark.parametrize("names", [("openai.response", "llm_cost.response"), ("llm_cost.response", "openai.response")])
def test_the_name_for_all_vendors_goes_before_openais_own(names: tuple[str, str]) -> None:
    of_both = {f"{name}.service_tier": name for name in names}
    assert attributes.decode(of_both).call.response.service_tier == "llm_cost.response"


def test_every_field_has_its_attribute() -> None:
    written = {field for _, field, _ in attributes._READERS.values()}
    for kind in (Request, Usage, Tags, Error):
        assert set(kind._fields) - {"extra"} <= written


def test_older_spellings_are_read() -> None:
    decoded = attributes.decode({"gen_ai.usage.cache_creation.input_tokens": 7, "openai.response.service_tier": "flex"})
    assert decoded.call.response.usage == Usage(cache_write_input_tokens=7)
    assert decoded.call.response.service_tier == "flex"


@pytest.mark.parametrize(
    ("status", "code", "exception", "expected"),
    [
        (429, "", "", "rate_limit"),
        (429, "insufficient_quota", "", "quota"),
        (529, "", "", "overloaded"),
        (503, "", "", "overloaded"),
        (500, "", "", "server"),
        (502, "", "", "server"),
        (400, "content_filter", "", "content_filter"),
        (400, "context_length_exceeded", "", "bad_request"),
        (401, "", "", "auth"),
        (403, "", "", "auth"),
        (404, "model_not_found", "", "not_found"),
        (402, "", "", "quota"),
        (None, "", "APITimeoutError", "timeout"),
        (None, "", "APIConnectionError", "connection"),
        (None, "", "CancelledError", "cancelled"),
        (None, "", "ValueError", "unknown"),
    ],
)
def test_one_taxonomy(status: int | None, code: str, exception: str, expected: str) -> None:
    assert classify(status, code, exception) == expected
