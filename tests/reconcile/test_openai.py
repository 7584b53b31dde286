"""OpenAI's exports as its API and console give them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from otel_llm_cost_exporter.reconcile import ExportError
from otel_llm_cost_exporter.reconcile.openai import line_item
from otel_llm_cost_exporter.reconcile.records import ANY, Charged, Lane, Used

from .world import DAY, GPT, completions, cost, export, openai_page, seconds

COST_HEADER = (
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,organization_id"
)
WHEN = f"{seconds(DAY)},{seconds(DAY, 86_400)},2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00"


def charged(*texts: str) -> list[Charged]:
    return [record for _, record in export(*texts).charged]


def used(*texts: str) -> list[Used]:
    return [record for _, _, record in export(*texts).used]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"{GPT}, input", ("model", GPT, "input", ANY)),
        (f"{GPT}, cached input", ("model", GPT, "cache_read", ANY)),
        (f"{GPT}, output", ("model", GPT, "output", ANY)),
        (f"{GPT}, cache writes", ("model", GPT, "cache_write", ANY)),
        (f"{GPT}, input_tokens", ("model", GPT, "input", ANY)),
        (GPT, ("model", GPT, None, ANY)),
        ("gpt-audio-mini-2025-12-15 audio, input", ("model", "gpt-audio-mini-2025-12-15", "input_audio", ANY)),
        ("gpt-image-1 image, output", ("model", "gpt-image-1", "output_image", ANY)),
        ("gpt-image-1 text, cached input", ("model", "gpt-image-1", "cache_read", ANY)),
        ("whisper-1, audio", ("model", "whisper-1", None, ANY)),
        ("ft-gpt-4o-2024-08-06, input", ("model", "ft:gpt-4o-2024-08-06", "input", ANY)),
        (
            "priority | gpt-5.6-sol, output, long context",
            ("model", "gpt-5.6-sol", "output", Lane(tier="priority", long=True)),
        ),
        ("batch | gpt-4o, input", ("model", "gpt-4o", "input", Lane(batch=True, tier="standard"))),
        ("gpt-4o batch, input", ("model", "gpt-4o", "input", Lane(batch=True, tier="standard"))),
        ("web search tool calls", ("tools", "web search tool calls", "web_search", ANY)),
        ("assistants api | file search", ("tools", "assistants api | file search", "file_search", ANY)),
        ("code interpreter sessions", ("tools", "code interpreter sessions", None, ANY)),
        ("Vector storage", ("other", "Vector storage", None, ANY)),
        ("file search storage", ("other", "file search storage", None, ANY)),
        ("credits, promotional", ("other", "credits, promotional", None, ANY)),
        (None, ("ungrouped", "", None, ANY)),
    ],
)
def test_line_items(text: str | None, read: tuple[Any, ...]) -> None:
    assert line_item(text) == read


@pytest.mark.parametrize(
    ("written", "pico"),
    [
        ("0.06", 60_000_000_000),
        ("0.8958740000000000", 895_874_000_000),
        ('"0.1"', 100_000_000_000),
        ("1.29e-05", 12_900_000),
        ("0.30000000000000004", 300_000_000_000),
        ("12345678.000000000001", 12_345_678_000_000_000_001),
        ("2", 2_000_000_000_000),
    ],
)
def test_amounts_are_exact(written: str, pico: int) -> None:
    page = openai_page("costs", cost(f"{GPT}, input", "AMOUNT")).replace('"AMOUNT"', written)
    assert [record.amount for record in charged(page)] == [pico]


def test_the_console_gives_costs_flat_and_empty_days_bare() -> None:
    empty = WHEN.replace(str(seconds(DAY)), str(seconds(date(2026, 11, 1)))).replace(
        str(seconds(DAY, 86_400)), str(seconds(DAY))
    )
    text = f'\ufeff{COST_HEADER}\r\n{empty},,,,,\r\n{WHEN},0.25,usd,"{GPT}, input",proj_a,org\r\n'.lstrip("\ufeff")
    told = export(text)
    (record,) = (one for _, one in told.charged)
    assert (record.day, record.label, record.of, record.amount) == (DAY, GPT, "input", 250_000_000_000)
    assert (record.project, record.currency) == ("proj_a", "USD")
    assert told.days == (date(2026, 11, 1), DAY)


def test_newer_columns_and_unknown_ones_are_taken_as_they_are() -> None:
    header = COST_HEADER.replace("line_item", "quantity,quantity_unit,line_item") + ",api_source,of_tomorrow"
    (record,) = charged(f'{header}\n{WHEN},0.25,usd,100000.0,tokens,"{GPT}, input",,org,,x\n')
    assert record.quantity == 100_000


def test_activity_of_the_console() -> None:
    header = "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,model,batch,service_tier"
    header += ",input_tokens,output_tokens,input_cached_tokens"
    rows = f"{WHEN},proj_a,3.0,{GPT},False,default,1000,50,400\n{WHEN},proj_a,1.0,{GPT},True,,10,5,\n"
    first, second = used(f"{header}\n{rows}")
    assert first.counts == (("input", 600), ("cache_read", 400), ("output", 50))
    assert (first.requests, first.lane) == (3, Lane(batch=False, tier="standard"))
    assert (second.lane.batch, second.counts) == (True, (("input", 10), ("output", 5)))


def test_a_day_without_use_is_a_day_of_the_export() -> None:
    told = export(f"start_time,end_time,start_time_iso,end_time_iso\n{WHEN}\n")
    assert not told.used
    assert told.days == (DAY,)


def test_audio_and_images_beside_text() -> None:
    told = completions(
        "gpt-audio",
        input_tokens=1000,
        input_uncached_tokens=700,
        input_text_tokens=500,
        input_audio_tokens=150,
        input_image_tokens=50,
        input_cached_tokens=300,
        input_cached_audio_tokens=100,
        output_tokens=90,
        output_text_tokens=60,
        output_audio_tokens=30,
    )
    (record,) = used(openai_page("usage.completions", told))
    assert dict(record.counts) == {
        "input": 500,
        "input_audio": 150,
        "input_image": 50,
        "cache_read": 200,
        "cache_read_audio": 100,
        "output": 60,
        "output_audio": 30,
    }
    old = completions("gpt-audio", input_tokens=500, input_audio_tokens=150, output_tokens=60, output_audio_tokens=30)
    (record,) = used(openai_page("usage.completions", old))
    assert dict(record.counts) == {"input": 500, "input_audio": 150, "output": 60, "output_audio": 30}


def test_usage_that_is_not_by_the_token() -> None:
    told = {"model": "whisper-1", "seconds": 90, "num_model_requests": 2}
    (record,) = used(openai_page("usage.audio_transcriptions", told))
    assert (record.counts, record.requests) == ((("seconds", 90),), 2)


def test_the_older_usage() -> None:
    item = {
        "aggregation_timestamp": seconds(DAY, 300),
        "n_requests": 12,
        "operation": "completion",
        "snapshot_id": "gpt-3.5-turbo-0613",
        "n_context_tokens_total": 7786,
        "n_cached_context_tokens_total": 86,
        "n_generated_tokens_total": 12,
    }
    (record,) = used(json.dumps({"object": "list", "data": [item], "ft_data": [], "dalle_api_data": []}))
    assert (record.day, record.model, record.requests) == (DAY, "gpt-3.5-turbo-0613", 12)
    assert record.counts == (("input", 7700), ("cache_read", 86), ("output", 12))
    flat = f"timestamp,model,n_requests,n_context_tokens_total,n_generated_tokens_total\n{DAY},gpt-4,1,5,6\n"
    (record,) = used(flat)
    assert (record.day, record.model, record.counts) == (DAY, "gpt-4", (("input", 5), ("output", 6)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"start_time,amount_value\n{seconds(DAY)},0.25\n", "file0:2: amount_currency is missing"),
        (f"{COST_HEADER}\n{WHEN},a lot,usd,x-1,,\n", "file0:2: amount is 'a lot'"),
        (f"{COST_HEADER}\n{WHEN},NaN,usd,x-1,,\n", "file0:2: amount is 'NaN'"),
        (f"{COST_HEADER}\nsoon{WHEN[10:]},1,usd,x-1,,\n", "file0:2: start_time is 'soon'"),
        (openai_page("costs", {"line_item": "gpt-4o, input"}), "results[0]: amount is missing"),
        (openai_page("costs", cost("gpt-4o, input", None)), "results[0]: amount is 'None'"),
        (openai_page("usage.completions", completions(GPT, input_tokens="many")), "input_tokens is 'many'"),
        (openai_page("usage.completions", completions(GPT, input_tokens=1.5)), "input_tokens is '1.5'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ExportError, match=r"\.") as refused:
        export(text)
    assert said in str(refused.value)
    assert "xport" in str(refused.value)
