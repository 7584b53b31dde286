"""Whatever an export and a store have: every line's parts add up, and every record is in exactly one line."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.reconcile import Export, reconcile
from otel_llm_cost_exporter.reconcile.ours import Calls, Holding
from otel_llm_cost_exporter.reconcile.records import ANY, STANDARD, Charged, Used

from .world import DAY, TODAY, check

DAYS = st.sampled_from([DAY, DAY + timedelta(days=1)])
MODELS = st.sampled_from(["gpt-4o", "gpt-4o-2024-08-06", "o3", "acme-llm-1"])
LANES = st.sampled_from([ANY, STANDARD, STANDARD._replace(batch=True), STANDARD._replace(tier="priority", long=True)])
CLASSES = st.sampled_from(["input", "cache_read", "output", "web_search"])
COUNTS = st.integers(0, 10**10)


@st.composite
def held(draw: st.DrawFn) -> Holding:
    priced = draw(COUNTS)
    return Holding(priced, Fraction(priced * draw(st.integers(0, 10**8))), draw(st.just(0) | COUNTS))


CALLS = st.builds(
    Calls,
    day=DAYS,
    provider=st.just("openai"),
    model=MODELS,
    table=st.sampled_from(["completions", "embeddings"]),
    lane=st.sampled_from([STANDARD, STANDARD._replace(batch=True)]),
    calls=st.integers(1, 9),
    estimated=st.integers(0, 1),
    holdings=st.dictionaries(CLASSES, held(), max_size=3).map(lambda held: tuple(held.items())),
)
USED = st.builds(
    Used,
    day=DAYS,
    model=MODELS | st.just(""),
    lane=LANES,
    counts=st.dictionaries(CLASSES, COUNTS, max_size=3).map(lambda counts: tuple(counts.items())),
    requests=st.none() | st.integers(0, 9),
)
CHARGED = st.sampled_from(["model", "model", "model", "tools", "other", "ungrouped"]).flatmap(
    lambda kind: charges(
        kind, MODELS if kind == "model" else st.just({"tools": "search", "other": "tax"}.get(kind, ""))
    )
)


def charges(kind: Any, label: st.SearchStrategy[str]) -> st.SearchStrategy[Charged]:
    return st.builds(
        Charged,
        day=DAYS,
        kind=st.just(kind),
        label=label,
        lane=LANES,
        of=st.none() | CLASSES,
        amount=st.integers(-(10**14), 10**16),
        within=st.sampled_from([0, 1000, 5 * 10**9]),
        quantity=st.none() | COUNTS,
        currency=st.sampled_from(["USD", "USD", "USD", "EUR"]),
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(CALLS, max_size=6),
    st.lists(USED, max_size=6),
    st.lists(CHARGED, max_size=6),
    st.booleans(),
    st.sampled_from([DAY, TODAY]),
)
def test_every_line_adds_up(
    book: PriceBook, calls: list[Calls], used: list[Used], charged: list[Charged], has_cost: bool, today: object
) -> None:
    tables = ["completions", *(["cost"] if has_cost else [])]
    told = Export(
        used=tuple(("openai", "completions", one) for one in used),
        charged=tuple(("openai", one) for one in charged if has_cost),
        covered=frozenset(("openai", table, DAY + timedelta(days=n)) for table in tables for n in (0, 1)),
    )
    found = reconcile(told, calls, book, TODAY if today == TODAY else DAY)
    for line in found.lines:
        check(line)
    known = [line for line in found.lines if line.difference is not None]
    assert sum(line.difference or 0 for line in known) == found.total.difference == sum(found.total.parts.values())
    assert len({(line.day, line.model) for line in found.lines}) == len(found.lines)
    if has_cost and all(one.currency == "USD" for one in charged):
        assert int(found.total.theirs.scaleb(12)) == sum(one.amount for one in charged)
        assert int(found.total.ours.scaleb(12)) == sum(h.value for one in calls for _, h in one.holdings)
