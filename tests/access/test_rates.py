"""Token buckets: the rate holds over any time, and nobody is locked out for good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost_exporter.access.rates import Bucket, Rates, default_rate

from .conftest import Clock


def test_a_burst_of_ten_seconds_then_the_rate(clock: Clock) -> None:
    bucket = Bucket(10, clock)
    assert bucket.take(60).admitted
    assert bucket.take(40).left == 0
    refused = bucket.take(5)
    assert (refused.admitted, refused.retry_after) == (False, 0.5)
    clock.now += 0.5
    assert bucket.take(5).admitted


def test_a_request_larger_than_the_bucket_waits_until_it_is_full_and_is_paid_for(clock: Clock) -> None:
    bucket = Bucket(10, clock)
    assert bucket.take(300).admitted
    assert not bucket.look().admitted
    assert bucket.look().retry_after == pytest.approx(20.1)
    clock.now += 29
    refused = bucket.take(300)
    assert not refused.admitted
    assert refused.retry_after == pytest.approx(1)
    clock.now += 1
    assert bucket.take(300).admitted


def test_what_was_not_used_is_given_back(clock: Clock) -> None:
    bucket = Bucket(1, clock)
    assert bucket.take(10).admitted
    bucket.give_back(10)
    assert bucket.take(10).admitted
    bucket.give_back(1_000)
    assert bucket.look().left == 10


@given(st.floats(0.01, 1e6), st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50_000)), max_size=50))
def test_over_any_time_the_rate_holds(rate: float, sent: list[tuple[float, int]]) -> None:
    clock = Clock()
    bucket, taken, largest, begun = Bucket(rate, clock), 0, 0, clock.now
    for wait, spans in sent:
        clock.now += wait
        if bucket.take(spans).admitted:
            taken += spans
            largest = max(largest, spans)
    bound = max(1, rate * 10) + rate * (clock.now - begun) + largest
    assert taken <= bound * (1 + 1e-6)


@given(st.floats(0.01, 1e6), st.integers(1, 50_000), st.integers(1, 50_000))
def test_who_waits_as_long_as_told_gets_in(rate: float, first: int, second: int) -> None:
    clock = Clock()
    bucket = Bucket(rate, clock)
    assert bucket.take(first).admitted
    found = bucket.take(second)
    clock.now += found.retry_after
    assert found.admitted or bucket.take(second).admitted


def test_the_headers(clock: Clock) -> None:
    bucket = Bucket(2.5, clock)
    assert bucket.take(20).headers() == {"RateLimit-Policy": '"spans";q=25;w=10', "RateLimit": '"spans";r=5;t=8'}


def test_each_key_has_its_bucket_and_its_own_rate_goes_before_the_default(clock: Clock) -> None:
    rates = Rates(None, clock)
    assert rates.bucket("a", None) is None
    one = rates.bucket("a", 5)
    assert one is not None
    assert rates.bucket("a", 5) is one
    assert rates.bucket("a", 6) is not one
    with_default = Rates(7, clock)
    found = [with_default.bucket(key, rate) for key, rate in (("", None), ("a", None), ("b", 1.0))]
    assert [bucket.rate for bucket in found if bucket] == [7, 7, 1]
    assert len(set(map(id, found))) == 3


def test_the_default_comes_from_the_environment() -> None:
    assert default_rate({}) is None
    assert default_rate({"OTEL_LLM_COST_RATE_LIMIT": " 500 "}) == 500
    for nonsense in ("fast", "0", "-1", "inf", "nan"):
        with pytest.raises(ValueError, match="OTEL_LLM_COST_RATE_LIMIT"):
            default_rate({"OTEL_LLM_COST_RATE_LIMIT": nonsense})
