"""Anthropic's exports as its API and console give them."""

from __future__ import annotations

import pytest

from otel_llm_cost_exporter.reconcile import ExportError
from otel_llm_cost_exporter.reconcile.anthropic import api_name
from otel_llm_cost_exporter.reconcile.records import HALF_A_CENT, STANDARD, Charged, Lane, Used

from .world import CLAUDE, DAY, anthropic_page, cents, export, messages

USAGE_HEADER = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed"
)
COST_HEADER = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,"
    "inference_geo,speed,api_key_id,api_key_status"
)


def charged(*texts: str) -> list[Charged]:
    return [record for _, record in export(*texts).charged]


def used(*texts: str) -> list[Used]:
    return [record for _, _, record in export(*texts).used]


def test_the_usage_report() -> None:
    told = messages(
        CLAUDE,
        uncached_input_tokens=1500,
        cache_creation={"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
        cache_read_input_tokens=200,
        output_tokens=500,
        server_tool_use={"web_search_requests": 10},
        service_tier="batch",
        context_window="0-200k",
        inference_geo="not_available",
        workspace_id="wrkspc_1",
    )
    (record,) = used(anthropic_page(told))
    assert dict(record.counts) == {
        "input": 1500,
        "cache_read": 200,
        "cache_write": 500,
        "cache_write_1h": 1000,
        "output": 500,
        "web_search": 10,
    }
    assert record.lane == Lane(batch=True, tier="standard", long=False, speed=None, geo="global")
    assert (record.day, record.model, record.project) == (DAY, CLAUDE, "wrkspc_1")
    (record,) = used(anthropic_page(messages(CLAUDE, output_tokens=1)))
    assert record.lane == Lane()  # not grouped by any of it
    assert record.project == "default"


def test_amounts_of_the_api_are_cents() -> None:
    (record,) = charged(anthropic_page(cents("123.45", "cache_creation.ephemeral_1h_input_tokens")))
    assert (record.amount, record.of, record.label) == (1_234_500_000_000, "cache_write_1h", CLAUDE)
    assert record.within == 50_000_000
    (record,) = charged(anthropic_page(cents("1.6070", "output_tokens", service_tier="batch")))
    assert (record.amount, record.lane.batch) == (16_070_000_000, True)


@pytest.mark.parametrize(
    ("fields", "kind", "of"),
    [
        ({"cost_type": "web_search", "description": "Web Search Usage"}, "tools", "web_search"),
        ({"cost_type": "code_execution", "description": "Code Execution Usage"}, "tools", "code_execution"),
        ({"cost_type": "session_usage", "description": "Session Runtime"}, "other", None),
        ({"cost_type": None, "description": None}, "ungrouped", None),
        ({"cost_type": None, "description": "Code Execution Usage"}, "tools", "code_execution"),
    ],
)
def test_money_that_is_not_for_tokens(fields: dict[str, str], kind: str, of: str | None) -> None:
    (record,) = charged(anthropic_page(cents("1", None, None, **fields)))
    assert (record.kind, record.of) == (kind, of)


def test_the_console_gives_usage() -> None:
    row = f'{DAY},{CLAUDE},"key, one",Default,standard,≤ 200k,46981,15969,7,100,16932,2,global,\n'
    (record,) = used(f"{USAGE_HEADER}\n{row}")
    assert dict(record.counts) == {
        "input": 46981,
        "cache_read": 100,
        "cache_write": 15969,
        "cache_write_1h": 7,
        "output": 16932,
        "web_search": 2,
    }
    assert (record.project, record.lane) == ("Default", STANDARD._replace(speed=None))
    old = "usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write,usage_output_tokens"
    (record,) = used(f"{old}\n{DAY}T13:00:00Z,{CLAUDE},1,2,3\n")
    assert record.counts == (("input", 1), ("cache_write", 2), ("output", 3))
    (record,) = used(f"{USAGE_HEADER}\n{row.replace('≤ 200k', '> 200k').replace('standard', 'batch')}")
    assert (record.lane.long, record.lane.batch) == (True, True)


def test_the_console_gives_costs() -> None:
    row = (
        f"{DAY},Claude Haiku 4.5,Default,key,message,≤ 200k,input_cache_read,0.05,0.06,token,not_available,,k,active\n"
    )
    (record,) = charged(f"{COST_HEADER}\n{row}")
    assert (record.label, record.of, record.amount) == ("claude-haiku-4-5", "cache_read", 50_000_000_000)
    assert record.within == HALF_A_CENT


def test_names_as_people_say_them() -> None:
    assert api_name("Claude Sonnet 4.5") == "claude-sonnet-4-5"
    assert api_name(CLAUDE) == CLAUDE


def test_what_cannot_be_read_is_refused_with_its_place() -> None:
    with pytest.raises(ExportError, match=r"file0:2: usage_output_tokens is missing"):
        export(f"usage_date_utc,model_version,usage_input_tokens_no_cache\n{DAY},x,1\n")
    with pytest.raises(ExportError, match=r"file0:3: cost_usd is 'free'"):
        export(f"usage_date_utc,model,cost_usd\n{DAY},x,1\n{DAY},x,free\n")
    with pytest.raises(ExportError, match=r"data\[0\]\.results\[0\]: neither costs nor usage of Anthropic"):
        export(anthropic_page({"model": CLAUDE}))
    with pytest.raises(ExportError, match=r"data\[0\]: usage and costs in one bucket"):
        export(anthropic_page(cents("1", "output_tokens"), messages(CLAUDE)))
