"""Prices of one's own, laid over the data."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_cost.pricing import Context, Cost, Overlay, PriceBook
from otel_llm_cost.pricing.overlay import Entry, OverlayError
from otel_llm_cost.pricing.overlay_reader import Problem
from otel_llm_cost.record import Usage

BOOK = PriceBook.vendored()
USAGE = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cache_read_input_tokens=500_000)
TODAY = date(2026, 11, 1)


def priced(entries: list[dict[str, Any]], provider: str, model: str, at: date = TODAY, **context: Any) -> Cost:
    return BOOK.with_overlay({"entries": entries}).price(provider, model, USAGE, at, Context(**context))


def test_a_server_of_ones_own() -> None:
    entry = {"provider": "10.0.0.1", "model": "*", "rates": {"input": "0.10", "output": "0.20"}}
    cost = priced([entry], "10.0.0.1", "llama-local")
    assert (cost.status, cost.model, cost.total) == ("override", "llama-local", 300_000_000_000)


def test_a_negotiated_discount_leaves_fees_alone_and_follows_its_dates() -> None:
    entry = {"provider": "openai", "model": "gpt-4o*", "multiplier": "0.9", "valid_from": "2026-07-01"}
    after = BOOK.with_overlay({"entries": [entry]}).price(
        "openai", "gpt-4o", USAGE._replace(web_search_requests=1), TODAY
    )
    assert (after.input, after.output, after.tools) == (1_125_000_000_000, 9_000_000_000_000, 10_000_000_000)
    before = priced([entry], "openai", "gpt-4o", date(2026, 6, 30))
    assert (before.status, before.total) == ("exact", BOOK.price("openai", "gpt-4o", USAGE, TODAY).total)


def test_a_deployment_has_the_price_of_its_model() -> None:
    entry = {"provider": "azure.ai.openai", "model": "my-deployment", "same_as": "openai/gpt-4o-mini"}
    cost = priced([entry], "azure.ai.openai", "my-deployment")
    assert (cost.status, cost.model, cost.reason) == ("override", "gpt-4o-mini", "same_as")
    assert cost.total == BOOK.price("openai", "gpt-4o-mini", USAGE, TODAY).total


@pytest.mark.parametrize(
    ("context", "output"),
    [({}, 8), ({"batch": True}, 4), ({"service_tier": "priority"}, Decimal("13.6"))],
)
@pytest.mark.parametrize("day", [TODAY, date(2025, 9, 1)], ids=str)
def test_a_rate_for_all_calls_changes_what_tiers_and_batches_cost(
    context: dict[str, Any], output: int | Decimal, day: date
) -> None:
    """Listed at 10, 5 and 17; agreed on 8, at whatever day the data has the list from."""
    entry = {"provider": "openai", "model": "gpt-4o", "rates": {"input": "2", "output": "8"}}
    cost = priced([entry], "openai", "gpt-4o", day, **context)
    assert (cost.status, cost.output) == ("override", output * 10**12)


def test_a_rate_for_all_calls_changes_our_own_list_for_batches() -> None:
    entry = {"provider": "openai", "model": "ft:gpt-4o", "rates": {"input": "1.875"}}
    cost = priced([entry], "openai", "ft:gpt-4o-2024-08-06:acme::x", batch=True)
    assert cost.input == 500_000 * 1_112_500  # half of the 2.225 that is listed, as 1.875 is half of 3.75


def test_a_rate_for_a_context_is_taken_as_it_stands() -> None:
    entries = [
        {"provider": "openai", "model": "gpt-4o", "rates": {"output": "8"}},
        {"provider": "openai", "model": "gpt-4o", "context": {"batch": True}, "rates": {"output": "7"}},
    ]
    assert priced(entries, "openai", "gpt-4o", batch=True).output == 7 * 10**12


def test_a_shop_has_its_own_discount_and_those_of_its_vendor() -> None:
    shop = {"provider": "vertex_ai", "model": "gemini-2.5-pro", "multiplier": "0.5"}
    vendor = {"provider": "google", "model": "gemini-2.5-pro", "multiplier": "0.9"}

    def totals(*entries: dict[str, Any]) -> list[int]:
        costs = [priced([*entries], one, "gemini-2.5-pro").total for one in ("gcp.gemini", "gcp.vertex_ai")]
        return [total or 0 for total in costs]

    plain, _ = totals()
    assert totals(shop) == [plain, plain // 2]
    assert totals(vendor) == [plain * 9 // 10] * 2
    assert totals(shop, vendor) == [plain * 9 // 10, plain * 9 // 20]


def test_no_packaged_entry_flattens_the_tiers_of_another() -> None:
    """A later one with a flat rate for the same calls would take the steps of the earlier one away."""
    entries = BOOK.overlays[0].entries
    for i, entry in enumerate(entries):
        stepped = {name for _, rates in entry.tiers for name in rates}
        for later in entries[i + 1 :]:
            same = (later.provider, later.context) == (entry.provider, entry.context)
            met = fnmatchcase(entry.model, later.model) or fnmatchcase(later.model, entry.model)
            if same and met and _overlap(entry, later):
                kept = {name for _, rates in later.tiers for name in rates}
                assert not stepped & later.rates.keys() - kept, (entry.model, later.model)


def _overlap(one: Entry, other: Entry) -> bool:
    begins = max(one.valid_from or date.min, other.valid_from or date.min)
    return begins < min(one.valid_to or date.max, other.valid_to or date.max)


def test_one_rate_of_a_known_model_may_be_replaced() -> None:
    cost = priced(
        [{"provider": "openai", "model": "gpt-5", "rates": {"cache_read": "1"}}], "openai", "gpt-5-2025-08-07"
    )
    assert (cost.status, cost.cache_read, cost.output) == ("override", 500_000_000_000, 10_000_000_000_000)


def test_an_entry_may_be_for_a_context() -> None:
    entry = {"provider": "openai", "model": "gpt-4o", "context": {"region": "eu"}, "multiplier": "1.1"}
    plain = BOOK.price("openai", "gpt-4o", USAGE, TODAY).total
    assert plain is not None
    assert priced([entry], "openai", "gpt-4o", region="EU").total == plain * 11 // 10
    assert priced([entry], "openai", "gpt-4o", region="us").total == plain


def test_tiers_and_fees() -> None:
    entry = {
        "provider": "gateway",
        "model": "m",
        "rates": {"input": "1", "output": "2"},
        "tiers": [{"above": 1000, "rates": {"input": "3"}}],
        "fees": {"web_search": "5"},
    }
    book = BOOK.with_overlay({"entries": [entry]})
    small = book.price("gateway", "m", Usage(input_tokens=1000, output_tokens=0, web_search_requests=2), TODAY)
    large = book.price("gateway", "m", Usage(input_tokens=1001, output_tokens=0), TODAY)
    assert (small.input, small.tools, large.input) == (10**9, 10**10, 3_003_000_000)


def test_the_user_wins_over_the_project() -> None:
    project, user = ({"entries": [{"provider": "p", "model": "m", "rates": {"input": r}}]} for r in ("1", "2"))
    book = BOOK.with_overlay(project, "project").with_overlay(user, "user")
    assert book.price("p", "m", Usage(input_tokens=1, output_tokens=0), TODAY).total == 2_000_000
    assert len({BOOK.version, book.version, BOOK.with_overlay(project, "project").version}) == 3


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"provider": "p", "model": "m", "rates": {"input": 2.5}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "cheap"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "-1"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "NaN"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": "1e999999999"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"inptu": "1"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": "free"}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"web_search": "1"}}, "rates"),
        ({"provider": "p", "model": "m", "fees": {"input": "1"}}, "fees"),
        ({"provider": "p", "model": "m", "rates": {"input": "0.0000001"}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {}, "valid_from": "soon"}, "valid_from"),
        ({"provider": "p", "model": "m", "rates": {}, "context": {"tier": "flex"}}, "context"),
        ({"provider": "p", "model": "m", "rates": {}, "tiers": [{"above": "1", "rates": {}}]}, "tiers"),
        ({"provider": "p", "model": "m", "multiplier": 0.5}, "multiplier"),
        ({"provider": "p", "model": "m", "same_as": "gpt-4o"}, "same_as"),
        ({"provider": "p", "model": "m", "price": "1"}, "price"),
        ({"provider": "p", "rates": {"input": "1"}}, "model"),
        ({"provider": "p", "model": "m"}, "rates"),
        ({"provider": "p", "model": "m", "rates": {"input": True}}, "rates"),
        ({"provider": "p", "model": "m", "rates": {}}, "rates"),
        ({"provider": "p", "model": "m", "multiplier": "1", "applies_to": ["inptu"]}, "applies_to"),
        ({"provider": "p", "model": "m", "rates": {"input": "1"}, "applies_to": ["input"]}, "applies_to"),
        ({"provider": "p", "model": "m", "same_as": "openai/gpt-4o", "multiplier": "0.9"}, "multiplier"),
        ({"provider": "p", "model": "m", "same_as": "openai/gpt-4o", "context": {"batch": True}}, "context"),
        ({"provider": "p", "model": "m", "backdate": True}, "backdate"),
        ({"provider": "p", "model": "m", "once_per_call": ["input"]}, "once_per_call"),
        ({"provider": "p", "model": "m", "tiers": [{"above": 5}]}, "tiers"),
        ({"provider": "p", "model": "m", "tiers": [{"above": 5, "rates": {"input": "1"}}] * 2}, "tiers"),
        ({"provider": "p", "model": "m", "multiplier": "1", "context": {"speed": None}}, "context.speed"),
    ],
)
def test_a_malformed_entry_is_named(entry: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"user price overlay, entry 1.*{field}"):
        Overlay.decode({"entries": [{"provider": "p", "model": "m", "rates": {"input": "1"}}, entry]}, "user")


@pytest.mark.parametrize("raw", [None, [], {}, {"entries": {}}, {"entries": ["free"]}])
def test_what_is_no_overlay_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="user price overlay"):
        Overlay.decode(raw, "user")


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {"provider": "p", "model": 4, "rates": {"inptu": "1", "output": 2.5}, "valid_from": "soon"}
    with pytest.raises(OverlayError) as raised:
        Overlay.decode({"entries": [wrong]}, "user")
    assert [problem.path[2:] for problem in raised.value.problems] == [
        ("model",),
        ("rates", "inptu"),
        ("rates", "output"),
        ("valid_from",),
    ]


def test_a_whole_number_is_exact_and_so_is_allowed() -> None:
    raw = {"entries": [{"provider": "p", "model": "m", "rates": {"input": 3}, "multiplier": 2}]}
    (entry,) = Overlay.decode(raw, "user").entries
    assert (entry.rates, entry.multiplier) == ({"input": 3_000_000}, (2, 1))


def test_the_packaged_overlay_names_its_sources() -> None:
    for entry in Overlay.vendored().entries:
        assert entry.source.startswith("https://"), entry
        assert entry.note, entry


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "input", "x/y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["input", "above", "rates", "batch", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = ("provider", "model", "valid_from", "valid_to", "context", "rates", "tiers", "fees", "once_per_call")
MORE_FIELDS = ("multiplier", "applies_to", "fills_gap", "backdate", "same_as", "source", "note", "other")


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS + MORE_FIELDS), ANYTHING, max_size=5) | ANYTHING, max_size=2))
def test_whatever_stands_in_an_overlay_it_is_read_or_its_place_is_told(entries: list[Any]) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        Overlay.decode({"entries": entries}, "user")
    except OverlayError as error:
        problems = error.problems
    assert all(problem.path[:1] == ("entries",) for problem in problems)
