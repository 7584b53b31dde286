"""Money is integers from the published rate to the stored cost: no float sneaks in, one place rounds."""

from __future__ import annotations

import ast
import json
import lzma
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import otel_llm_cost.pricing
from otel_llm_cost.pricing import Context, PriceBook, Priced
from otel_llm_cost.pricing.money import parse, scale, times, usd
from otel_llm_cost.record import Call, Request, Response, Usage
from otel_llm_cost_exporter import costing, rows
from otel_llm_cost_exporter.decode import Arrived

BOOK = PriceBook.vendored()
DAYS = (date(2025, 5, 1), date(2026, 5, 1), date(2026, 11, 1))
CONTEXTS = (Context(), Context(batch=True), Context("flex"), Context("priority"), Context(region="us", speed="fast"))
MODULES = [*sorted(Path(otel_llm_cost.pricing.__file__).parent.glob("*.py")), Path(costing.__file__)]


def inexact(tree: ast.AST) -> Iterator[str]:
    """Float literals, `float` and `round` but to refuse one, and true division."""
    refusals = {
        id(name)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "isinstance"
        for name in ast.walk(call.args[1])
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"the literal {node.value} on line {node.lineno}"
        elif isinstance(node, ast.Name) and node.id in ("float", "round") and id(node) not in refusals:
            yield f"{node.id} on line {node.lineno}"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"/ on line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_module_of_prices_computes_with_floats(path: Path) -> None:
    assert list(inexact(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize("line", ["a = 1.0", "a = float(b)", "a = round(b)", "a = b / c", "a /= b", "a = b * 1e-6"])
def test_the_search_for_floats_finds_them(line: str) -> None:
    assert list(inexact(ast.parse(line)))


def test_a_refusal_of_floats_is_no_float() -> None:
    assert not list(inexact(ast.parse("isinstance(value, float)")))


def test_the_packaged_prices_have_no_float() -> None:
    packaged = files("otel_llm_cost.pricing").joinpath("data")
    for text in (
        lzma.decompress(packaged.joinpath("prices.json.xz").read_bytes()),
        packaged.joinpath("overlay.json").read_bytes(),
    ):
        json.loads(text, parse_float=pytest.fail)


def numbers(value: Any) -> Iterator[Any]:
    """Whatever is a number in a value of any depth."""
    if isinstance(value, dict):
        yield from numbers([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, (int, float, complex, Decimal, Fraction)) and not isinstance(value, bool):
        yield value


@pytest.mark.parametrize("provider", BOOK.providers())
def test_every_card_holds_integers_only(provider: str) -> None:
    for model in BOOK.models(provider):
        for day in DAYS:
            for context in CONTEXTS:
                found = BOOK.resolve(provider, model, day, context)
                if isinstance(found, Priced):
                    cards = [found.card, *(card for _, card in found.windows)]
                    assert all(type(n) is int and n >= 0 for card in cards for n in numbers((card.starts, card.rows)))


USAGE = Usage(
    input_tokens=250_001,
    output_tokens=777,
    cache_read_input_tokens=99_999,
    cache_write_5m_input_tokens=333,
    cache_write_1h_input_tokens=111,
    reasoning_output_tokens=77,
    web_search_requests=3,
)
MONEY = [name for name in rows.COLUMNS if "cost" in name or name in ("rates", "quantities")]


@pytest.mark.parametrize("context", [*CONTEXTS[:3], *CONTEXTS[4:]], ids=str)
@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-3-opus-latest", "claude-haiku-5-5", "nobody"])
def test_every_number_of_a_cost_and_of_its_row_is_an_integer(model: str, context: Context) -> None:
    response = Response(
        model=model,
        usage=USAGE,
        service_tier=context.service_tier,
        speed=context.speed,
        inference_geo=context.region,
        stated_cost="0.1234567890123",
        asides=(("claude-haiku-4-5", Usage(input_tokens=7, output_tokens=3)),),
    )
    call = Call(request=Request(provider="anthropic", model=model, batch=context.batch), response=response)
    arrived = Arrived(
        trace_id=b"", span_id=b"", parent_span_id=b"", start_ns=10**18, duration_ns=1, received_ns=10**18, call=call
    )
    cost = costing.price(BOOK, arrived)
    assert {type(number) for number in numbers((tuple(cost), cost.lines))} <= {int}
    stored = {name: rows.COLUMNS[name](rows.PricedCall(arrived, cost)) for name in MONEY}
    assert {type(number) for number in numbers(stored)} <= {int}
    assert stored["stated_cost"] == 123_456_789_012  # half a pico-dollar is rounded to even
    assert (stored["cost"] is None) == (model == "nobody")


@given(st.integers(0, 10**12), st.integers(0, 10**6), st.integers(1, 10**6))
def test_scaling_rounds_half_to_even(rate: int, numerator: int, denominator: int) -> None:
    assert scale(rate, numerator, denominator) == round(Fraction(rate * numerator, denominator))


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_factor_of_one_changes_nothing(rate: int, factor: int) -> None:
    assert times(((0, rate), (5, rate)), factor, factor) == ((0, rate), (5, rate))


@given(st.integers(0, 10**30))
def test_money_as_text_is_exact(pico: int) -> None:
    if pico <= 10**18:
        assert parse(usd(pico), 12) == pico
    assert "e" not in usd(pico).lower()
