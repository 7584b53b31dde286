"""What a user is told about a difference, by day and model."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.reconcile import Line
from otel_llm_cost_exporter.store import Store

from .world import (
    CLAUDE,
    DAY,
    GPT,
    TODAY,
    anthropic_page,
    by_model,
    call,
    cents,
    compared,
    completions,
    cost,
    fill,
    messages,
    openai_page,
)

MILLION = 1_000_000


def costs(model: str, plain: str, cached: str, output: str) -> str:
    items = ((f"{model}, input", plain), (f"{model}, cached input", cached), (f"{model}, output", output))
    return openai_page("costs", *(cost(name, float(value)) for name, value in items))


def only(lines: tuple[Line, ...]) -> Line:
    (line,) = lines
    return line


def parts(line: Line) -> dict[str, str]:
    return {name: f"{amount.normalize():f}" for name, amount in line.parts.items()}


def test_the_same_money_is_equal(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=MILLION, read=200_000, output=100_000))
    line = only(compared(store, book, costs(GPT, "2.0", "0.25", "1.0")).lines)
    assert (line.day, line.provider, line.model) == (DAY, "openai", GPT)
    assert line.ours == line.theirs == Decimal("3.25")
    assert line.difference == 0
    assert (line.reason, line.why) == ("equal", "equal")


def test_calls_that_are_not_instrumented_are_untraced(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=880_000, output=88_000))
    theirs = openai_page("usage.completions", completions(GPT, 2, input_tokens=MILLION, output_tokens=100_000))
    line = only(compared(store, book, costs(GPT, "2.5", "0", "1.0"), theirs).lines)
    assert (line.basis, line.reason, parts(line)) == ("cost and usage", "untraced", {"untraced": "0.42"})
    assert line.why == "untraced 12 %: calls that are not instrumented"
    assert (line.requests, line.calls) == (2, 1)


def test_another_price_is_told_from_untraced_calls_by_usage(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=MILLION, output=100_000))
    theirs = openai_page("usage.completions", completions(GPT, input_tokens=MILLION, output_tokens=100_000))
    line = only(compared(store, book, costs(GPT, "2.25", "0", "1.0"), theirs).lines)
    assert parts(line) == {"price": "-0.25"}
    assert line.why == "our price differs (input 2.25 there, 2.5 here per million)"


def test_without_usage_another_price_looks_like_other_calls(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=MILLION, output=100_000))
    line = only(compared(store, book, costs(GPT, "5.0", "0", "2.0")).lines)
    assert parts(line) == {"untraced": "3.5"}
    assert line.why == "untraced 50 %, if their prices are ours: give the usage export too"


def test_a_batch_that_we_billed_as_none(store: Store, book: PriceBook) -> None:
    fill(store, book, *(call("anthropic", CLAUDE, input=100_000, output=10_000) for _ in range(10)))
    lane = {"service_tier": "batch", "context_window": "0-200k"}
    usage = anthropic_page(messages(CLAUDE, uncached_input_tokens=MILLION, output_tokens=100_000, **lane))
    money = anthropic_page(
        cents("50", "uncached_input_tokens", service_tier="batch"), cents("25", "output_tokens", service_tier="batch")
    )
    for given in ((usage, money), (usage,), (money,)):
        line = only(compared(store, book, *given).lines)
        assert (line.reason, parts(line)) == ("tier", {"tier": "-0.75"})
        assert line.why == "tier or batch: served as batch there, as standard here"


def test_cached_input_that_no_span_told_of(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=MILLION, output=100_000))
    told = completions(GPT, input_tokens=MILLION, output_tokens=100_000, input_cached_tokens=400_000)
    line = only(compared(store, book, openai_page("usage.completions", told)).lines)
    assert (line.basis, parts(line)) == ("usage", {"cache": "-0.5"})
    assert line.why == "cache or modality: cache read 400,000 there, 0 here, input 600,000 there, 1,000,000 here"


def test_a_model_without_a_price_with_us(store: Store, book: PriceBook) -> None:
    fill(store, book, *(call("openai", "acme-llm-1", input=500, output=250) for _ in range(2)))
    money = openai_page("costs", cost("acme-llm-1, input", 0.4), cost("acme-llm-1, output", 0.8))
    usage = openai_page("usage.completions", completions("acme-llm-1", input_tokens=2000, output_tokens=1000))
    line = only(compared(store, book, money).lines)
    assert (line.ours, line.theirs, parts(line)) == (None, Decimal("1.2"), {"unpriced": "1.2"})
    assert line.why == "unpriced: 2 calls of ours have no price, see `otel-llm-cost report`"
    line = only(compared(store, book, money, usage).lines)
    assert parts(line) == {"untraced": "0.6", "unpriced": "0.6"}
    line = only(compared(store, book, usage).lines)  # nobody knows a price: unknown, never zero
    assert (line.theirs, line.difference, line.reason) == (None, None, "unpriced")


def test_a_price_that_the_book_has_learnt_since(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", "acme-llm-1", input=MILLION, output=MILLION))
    entry = {"provider": "openai", "model": "acme-llm-1", "rates": {"input": "1", "output": "2"}}
    newer = book.with_overlay({"entries": [entry]})
    line = only(
        compared(store, newer, openai_page("costs", cost("acme-llm-1, input", 1), cost("acme-llm-1, output", 2))).lines
    )
    assert (line.ours, parts(line)) == (None, {"unpriced": "3"})


def test_tools_and_what_is_no_model_have_lines_of_their_own(store: Store, book: PriceBook) -> None:
    fill(store, book, call("anthropic", CLAUDE, input=1000, output=100, searches=3))
    money = anthropic_page(
        cents("0.1", "uncached_input_tokens"),
        cents("0.05", "output_tokens"),
        cents("4", None, None, cost_type="web_search", description="Web Search Usage"),
        cents("7", None, None, cost_type="code_execution", description="Code Execution Usage"),
        cents("9", None, None, cost_type="session_usage", description="Session Runtime"),
    )
    lines = by_model(compared(store, book, money).lines)
    assert set(lines) == {CLAUDE, "(tools)", "Session Runtime"}
    assert lines[CLAUDE].reason == "equal"
    assert lines["(tools)"].ours == Decimal("0.03")
    assert parts(lines["(tools)"]) == {"tools": "0.08"}
    assert parts(lines["Session Runtime"]) == {"not_a_model": "0.09"}


def test_searches_are_counted_where_usage_is_all_there_is(store: Store, book: PriceBook) -> None:
    fill(store, book, call("anthropic", CLAUDE, input=1000, output=100, searches=3))
    told = messages(CLAUDE, uncached_input_tokens=1000, output_tokens=100, server_tool_use={"web_search_requests": 4})
    lines = by_model(compared(store, book, anthropic_page(told)).lines)
    assert lines[CLAUDE].reason == "equal"
    assert parts(lines["(tools)"]) == {"untraced": "0.01"}


def test_cents_are_rounding(store: Store, book: PriceBook) -> None:
    fill(store, book, call("anthropic", CLAUDE, input=12_345, output=678))
    header = "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type\n"
    row = f"{DAY},Claude Haiku 4.5,Default,key,message,≤ 200k"
    line = only(compared(store, book, f"{header}{row},input_no_cache,0.01,token\n{row},output,0.00,token\n").lines)
    assert line.our_names == (CLAUDE,)
    assert (line.ours, line.theirs) == (Decimal("0.015735"), Decimal("0.01"))
    assert (line.reason, parts(line)) == ("rounding", {"rounding": "-0.005735"})


def test_another_currency_is_not_converted(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=1000, output=100))
    found = compared(store, book, openai_page("costs", cost(f"{GPT}, input", 2, "eur")))
    line = only(found.lines)
    assert (line.theirs, line.difference, line.reason, line.currency) == (None, None, "other_currency", "EUR")
    assert found.total.without == 1
    assert found.total.theirs == 0


@pytest.mark.parametrize("why", ["today", "first", "hours"])
def test_on_a_partial_day_more_units_are_the_missing_hours(store: Store, book: PriceBook, why: str) -> None:
    fill(store, book, call("openai", GPT, input=1000, output=100))
    page = openai_page("usage.completions", completions(GPT, input_tokens=3000, output_tokens=300))
    if why == "hours":
        told = json.loads(page)
        told["data"][0]["end_time"] -= 3600
        page = json.dumps(told)
    found = compared(store, book, page, today=DAY if why == "today" else TODAY, began=why == "first")
    assert parts(only(found.lines)) == {"partial_day": "0.007"}
    assert only(found.lines).why == f"partial day: one side has only some hours of {DAY}"


def test_calls_that_they_do_not_have(store: Store, book: PriceBook) -> None:
    fill(
        store, book, call("openai", GPT, input=1000, output=100), call("openai", "o3-2025-04-16", input=500, output=10)
    )
    told = completions(GPT, input_tokens=1000, output_tokens=100)
    lines = by_model(compared(store, book, openai_page("usage.completions", told)).lines)
    assert lines[GPT].reason == "equal"
    other = lines["o3-2025-04-16"]
    assert other.theirs == 0
    assert other.reason == "untraced"
    assert other.why.startswith("not in the export: 100 % of our units are not there")


def test_usage_of_chat_says_nothing_of_embeddings(store: Store, book: PriceBook) -> None:
    embedding = call("openai", "text-embedding-3-small", operation="embeddings", input=1000)
    fill(store, book, call("openai", GPT, input=1000, output=100), embedding)
    chat = openai_page("usage.completions", completions(GPT, input_tokens=1000, output_tokens=100))
    assert set(by_model(compared(store, book, chat).lines)) == {GPT}
    told = {"model": "text-embedding-3-small", "input_tokens": 1000, "num_model_requests": 1}
    lines = by_model(compared(store, book, chat, openai_page("usage.embeddings", told)).lines)
    assert {line.reason for line in lines.values()} == {"equal"}
    assert len(lines) == 2


def test_a_day_that_is_not_told_by_model_is_one_line(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=MILLION, output=100_000), call("openai", "o3", input=MILLION, output=0))
    money = openai_page("costs", cost(None, 6.5))
    line = only(compared(store, book, money).lines)
    assert (line.model, line.ours, parts(line)) == ("(all models)", Decimal("5.5"), {"untraced": "1"})
    usage = openai_page(
        "usage.completions",
        completions(GPT, input_tokens=MILLION, output_tokens=100_000),
        completions("o3", input_tokens=1_500_000),
    )
    line = only(compared(store, book, money, usage).lines)
    assert (line.basis, parts(line)) == ("cost and usage", {"untraced": "1"})
    ungrouped = openai_page("usage.completions", completions(None, input_tokens=2 * MILLION, output_tokens=100_000))
    line = only(compared(store, book, ungrouped).lines)
    assert (line.model, line.basis, line.reason) == ("(all models)", "usage", "equal")


def test_line_items_that_state_their_units_need_no_usage(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=MILLION, output=100_000))
    items = (cost(f"{GPT}, input", 2.25, quantity=MILLION), cost(f"{GPT}, output", 1.0, quantity=100_000))
    line = only(compared(store, book, openai_page("costs", *items)).lines)
    assert (line.basis, parts(line)) == ("cost", {"price": "-0.25"})


def test_long_context_and_priority_as_they_name_them(store: Store, book: PriceBook) -> None:
    model = "claude-sonnet-4-5-20250929"
    fill(store, book, call("anthropic", model, input=300_000, output=1000))
    window = {"service_tier": "standard", "context_window": "200k-1M"}
    usage = anthropic_page(messages(model, uncached_input_tokens=300_000, output_tokens=1000, **window))
    line = only(compared(store, book, usage).lines)
    assert (line.ours, line.reason) == (Decimal("1.8225"), "equal")
    short = usage.replace("200k-1M", "0-200k")
    line = only(compared(store, book, short).lines)
    assert parts(line) == {"tier": "-0.9075"}
    assert line.why == "tier or batch: served as standard there, as long context here"


def test_names_meet_at_the_nearest(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", "gpt-4o", input=1000, output=100), call("openai", GPT, input=500, output=50))
    both = openai_page(
        "usage.completions",
        completions("gpt-4o", input_tokens=1000, output_tokens=100),
        completions(GPT, input_tokens=500, output_tokens=50),
    )
    lines = by_model(compared(store, book, both).lines)
    assert {name: line.reason for name, line in lines.items()} == {"gpt-4o": "equal", GPT: "equal"}
    dated = openai_page("usage.completions", completions(GPT, input_tokens=1500, output_tokens=150))
    lines = by_model(compared(store, book, dated).lines)
    assert lines[GPT].our_names == (GPT,)  # and gpt-4o is another model's name, as long as there is a nearer one


def test_days_stand_alone_and_only_days_of_the_export_count(store: Store, book: PriceBook) -> None:
    next_day = DAY + timedelta(days=1)
    fill(store, book, *(call("openai", GPT, day, input=1000, output=100) for day in (date(2026, 11, 1), DAY, next_day)))
    usage = [
        openai_page("usage.completions", completions(GPT, input_tokens=1000, output_tokens=100), day=day)
        for day in (DAY, next_day)
    ]
    found = compared(store, book, *usage)
    assert [(line.day, line.reason) for line in found.lines] == [(DAY, "equal"), (next_day, "equal")]
    assert found.total.ours == Decimal("0.007")


def test_only_counted_calls_of_the_projects_are_ours(store: Store, book: PriceBook) -> None:
    one = call("openai", GPT, input=1000, output=100, id="r1")
    again = call("openai", GPT, input=1000, output=100, id="r1")
    fill(store, book, one, again, project="search")
    fill(store, book, call("openai", GPT, input=7, output=7), project="other")
    usage = openai_page("usage.completions", completions(GPT, input_tokens=1000, output_tokens=100))
    line = only(compared(store, book, usage, projects=["search"]).lines)
    assert (line.reason, line.calls) == ("equal", 1)


def test_rows_from_before_rates_were_stored(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=1000, read=200, output=100))
    (row,) = store.query("SELECT * FROM llm_calls")
    old = {**row, "rates": {}, "quantities": {}}
    assert row["rates"]
    from otel_llm_cost_exporter.reconcile.ours import _calls

    shape = {"day": DAY, "model": GPT, "embedding": False, "tier": "", "long": 0, "fast": "", "geo": "", "priced": True}
    counts = {"counts": {"input": 800, "cache_read": 200, "output": 100}, "calls": 1, "estimated": 0}
    held = dict(_calls(old | shape | counts).holdings)
    assert {name: int(holding.value) for name, holding in held.items()} == {
        "input": 2_000_000_000,
        "cache_read": 250_000_000,
        "output": 1_000_000_000,
    }


def test_a_line_says_its_largest_parts(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=500_000, output=50_000))
    usage = completions(GPT, input_tokens=MILLION, output_tokens=100_000)
    line = only(compared(store, book, costs(GPT, "2.25", "0", "1.0"), openai_page("usage.completions", usage)).lines)
    assert parts(line) == {"untraced": "1.75", "price": "-0.25"}
    assert line.why == "untraced 50 %: calls that are not instrumented"
    assert replace(line, reason="").parts == line.parts


def test_tool_fees_are_named_where_usage_does_not_have_them(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=1000, output=100, searches=2))
    usage = openai_page("usage.completions", completions(GPT, input_tokens=1000, output_tokens=100))
    found = compared(store, book, usage)
    assert only(found.lines).reason == "equal"
    assert found.notes == (
        "openai: 0.020000000000 USD of our tool fees are not compared: usage alone does not have them",
    )


def test_estimates_of_ours_are_named(store: Store, book: PriceBook) -> None:
    fill(store, book, call("openai", GPT, input=1000, output=90, also={"llm_cost.usage.estimated": True}))
    usage = openai_page("usage.completions", completions(GPT, input_tokens=1000, output_tokens=100))
    line = only(compared(store, book, usage).lines)
    assert parts(line) == {"untraced": "0.0001"}
    assert line.why.endswith("; the usage of 1 of our calls is an estimate")


def test_a_tier_that_costs_less_is_priced_as_such(store: Store, book: PriceBook) -> None:
    tier = {"llm_cost.response.service_tier": "flex", "openai.response.service_tier": "flex"}
    fill(store, book, *(call("openai", "o3-2025-04-16", input=1000, output=100, also=also) for also in (tier, {})))
    told = [
        completions("o3-2025-04-16", input_tokens=1000, output_tokens=100, service_tier=t) for t in ("flex", "default")
    ]
    line = only(compared(store, book, openai_page("usage.completions", *told)).lines)
    assert (line.reason, line.our_lanes, line.their_lanes) == ("equal", ("flex", "standard"), ("flex", "standard"))
