"""A row holds all that its price depends on: read back, it has the very price that it has."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Call, Error, Request, Response, Usage
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import Arrived
from otel_llm_cost_exporter.reread import arrived
from otel_llm_cost_exporter.rows import COLUMNS, PRICED, PricedCall

BOOK = PriceBook.vendored()
COUNTS = [name for name in Usage._fields if name not in ("estimated", "estimated_counts")]
MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("openai", "gpt-4o-audio-preview"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-6"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("acme", "nobody-knows-it"),
]
usages = st.one_of(
    st.none(),
    st.builds(
        lambda counts, estimated: Usage(**counts, estimated=estimated or None),
        st.dictionaries(st.sampled_from(COUNTS), st.integers(0, 300_000), max_size=8),
        st.booleans(),
    ),
)


@st.composite
def calls(draw: st.DrawFn) -> Arrived:
    provider, model = draw(st.sampled_from(MODELS))
    some = st.sampled_from(MODELS)
    response = Response(
        model=draw(st.sampled_from([None, model, "nobody-knows-it"])),
        service_tier=draw(st.sampled_from([None, "default", "flex", "priority", "batch"])),
        speed=draw(st.sampled_from([None, "fast"])),
        inference_geo=draw(st.sampled_from([None, "us", "global"])),
        usage=draw(usages),
        asides=((draw(some)[1], draw(usages) or Usage()),) if draw(st.booleans()) else None,
    )
    request = Request(
        operation=draw(st.sampled_from(["chat", "decision"])),
        provider=provider,
        model=model,
        server_address=draw(st.sampled_from([None, "eu.api.openai.com", "us-east5-aiplatform.googleapis.com"])),
        service_tier=draw(st.sampled_from([None, "flex"])),
        batch=draw(st.sampled_from([None, True])),
    )
    return Arrived(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        parent_span_id=b"",
        start_ns=draw(st.integers(1_700_000_000, 1_800_000_000)) * 10**9,
        duration_ns=5,
        received_ns=0,
        call=Call(request=request, response=response, error=Error("x") if draw(st.booleans()) else None),
        bad_usage=draw(st.integers(0, 9)) == 0,
    )


def stored(call: PricedCall) -> dict[str, Any]:
    """The row as a query gives it."""
    return {name: read(call) for name, read in COLUMNS.items()} | {"ts_ns": call.arrived.start_ns}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls())
def test_a_row_read_back_has_the_same_price(call: Arrived) -> None:
    priced = PricedCall(call, price(BOOK, call))
    again = arrived(stored(priced))
    assert {n: read(PricedCall(again, price(BOOK, again))) for n, read in PRICED.items()} == {
        n: read(priced) for n, read in PRICED.items()
    }
