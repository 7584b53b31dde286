"""The parts of a difference add up to it, whatever the two sides are."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost_exporter.reconcile.ours import Holding
from otel_llm_cost_exporter.reconcile.parts import Cell, cost_of, known_by, projected, rates_of, split, value_of, whole
from otel_llm_cost_exporter.reconcile.records import ANY, STANDARD, Lane, lane

LANES = (STANDARD, STANDARD._replace(batch=True), STANDARD._replace(tier="priority"))
CELLS = st.builds(
    Cell,
    st.sampled_from(["gpt-4o", "o3"]),
    st.sampled_from(LANES),
    st.sampled_from(["input", "cache_read", "cache_write", "output", "output_audio"]),
)
COUNTS = st.integers(0, 10**12)
PRICES = st.integers(0, 10**9)
FRACTIONS = st.fractions(0, 10**6, max_denominator=7)


@st.composite
def holdings(draw: st.DrawFn) -> Holding:
    priced = draw(COUNTS)
    return Holding(priced, priced * draw(FRACTIONS), draw(st.sampled_from([0, 1]) | COUNTS))


OURS = st.dictionaries(CELLS, holdings(), max_size=8)
THEIRS = st.dictionaries(CELLS, st.fractions(0, 10**12, max_denominator=9), max_size=8)
BOOKS = st.dictionaries(CELLS, PRICES.map(Fraction), max_size=8)


def nobody(cell: Cell) -> Fraction | None:
    return None


@given(st.integers(0, 10**24), OURS, THEIRS, BOOKS)
def test_the_parts_add_up_to_the_difference(
    theirs: int, ours: dict[Cell, Holding], used: dict[Cell, Fraction], book: dict[Cell, Fraction]
) -> None:
    parts = split(Fraction(theirs), ours, used, rates_of(ours, book.get))
    assert sum(parts.values()) == theirs - cost_of(ours)
    difference = theirs - round(cost_of(ours))
    told = whole(parts, difference)
    assert sum(told.values()) == difference
    assert all(type(part) is int and part for part in told.values())
    assert abs(told.get("rounding", 0)) <= len(parts) + 1


@given(OURS, st.integers(2, 50))
def test_the_same_several_times_over_is_untraced_alone(ours: dict[Cell, Holding], times: int) -> None:
    priced = {cell: held._replace(unpriced=0) for cell, held in ours.items() if held.priced}
    used = {cell: Fraction(held.priced * times) for cell, held in priced.items()}
    parts = split(cost_of(priced) * times, priced, used, rates_of(priced, nobody))
    assert {name for name, part in parts.items() if part} <= {"untraced"}


@given(OURS)
def test_the_same_is_no_difference(ours: dict[Cell, Holding]) -> None:
    priced = {cell: held._replace(unpriced=0) for cell, held in ours.items() if held.priced}
    used = {cell: Fraction(held.priced) for cell, held in priced.items()}
    rate = rates_of(priced, nobody)
    assert value_of(used, rate) == cost_of(priced)
    assert not any(split(cost_of(priced), priced, used, rate).values())


@given(OURS, st.integers(1, 10**15))
def test_the_same_at_another_price_is_price_alone(ours: dict[Cell, Holding], more: int) -> None:
    priced = {cell: held._replace(unpriced=0) for cell, held in ours.items() if held.priced}
    used = {cell: Fraction(held.priced) for cell, held in priced.items()}
    parts = split(cost_of(priced) + more, priced, used, rates_of(priced, nobody))
    assert {name: part for name, part in parts.items() if part} == {"price": more}


def test_an_export_is_believed_in_what_it_knows_and_no_further() -> None:
    batch = Cell("m", STANDARD._replace(batch=True), "input")
    known = known_by([Cell("m", lane(tier="default"), "input")])
    assert known == Lane(tier="standard")
    assert projected(batch, known).lane == Lane(tier="standard")
    assert projected(batch._replace(lane=ANY), known).lane == Lane(tier="standard")
    assert known_by([]) == ANY


def test_a_price_that_nobody_knows_is_no_zero() -> None:
    cell = Cell("m", ANY, "input")
    assert value_of({cell: Fraction(1)}, nobody) is None
    assert value_of({cell: Fraction(0)}, nobody) == 0
    parts = split(Fraction(100), {cell: Holding(unpriced=25)}, {cell: Fraction(50)}, nobody)
    assert {name: int(part) for name, part in parts.items() if part} == {"unpriced": 50, "untraced": 50}
