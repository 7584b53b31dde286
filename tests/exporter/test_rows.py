"""The row in code and the table in SQL are one."""

from __future__ import annotations

import time
from decimal import Decimal

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.costing import price
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.receive.ingest import Ingest
from otel_llm_cost_exporter.rows import COLUMNS, LONGEST_TEXT, MOST_LINES, TABLE, PricedCall, to_columns
from otel_llm_cost_exporter.store import Store

from .otlp import chat, request, span


def test_columns_are_those_of_the_table_in_its_order(store: Store) -> None:
    table = store.query("SELECT name FROM system.columns WHERE table = {t:String} ORDER BY position", {"t": TABLE})
    assert list(COLUMNS) == [row["name"] for row in table]


def test_a_batch_is_its_calls_one_by_one(book: PriceBook) -> None:
    told = [
        chat(
            **{
                "user.id": f"u{number % 3}" + "x" * (number % 2) * LONGEST_TEXT,
                "gen_ai.response.id": f"r{number}",
                "gen_ai.usage.input_tokens": 1000 + number if number % 4 else None,
                "gen_ai.usage.output_tokens": 10 if number % 4 else None,
                "gen_ai.response.finish_reasons": ["stop"] if number % 2 else ["stop", "length"],
                "error.type": "e" if number % 5 == 0 else None,
                "gen_ai.request.temperature": "hot" if number % 7 == 0 else 0.5,
            }
        )
        for number in range(20)
    ]
    calls = decode(request(*map(span, told)), time.time_ns()).calls
    priced = [PricedCall(call, price(book, call), "" if n % 2 else "not_billed") for n, call in enumerate(calls)]
    singly = {name: [read(call) for call in priced] for name, read in COLUMNS.items()}
    assert to_columns(priced) == singly
    assert len(singly["user_id"][1]) == LONGEST_TEXT


def test_a_call_comes_back_as_it_was_told(ingest: Ingest, store: Store) -> None:
    told = chat(
        **{
            "llm_cost.project": "shop",
            "llm_cost.feature": "search",
            "llm_cost.tag.team": "rot",
            "gen_ai.request.stream": True,
            "gen_ai.response.id": "r1",
            "gen_ai.response.finish_reasons": ["stop", "length"],
            "gen_ai.response.time_to_first_chunk": 0.25,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "llm_cost.stated_cost": "0.0012345678901",
            "llm_cost.stream.outcome": "completed",
            "http.request.resend_count": 2,
            "user.id": "ü" * (LONGEST_TEXT + 1),
        }
    )
    ingest.accept_request(request(span(told)))
    (row,) = store.query("SELECT * EXCEPT (stated_cost), toString(stated_cost) AS stated FROM llm_calls")
    expected = {
        "project": "shop",
        "feature": "search",
        "tags": {"team": "rot"},
        "stream": True,
        "response_id": "r1",
        "finish_reasons": ["stop", "length"],
        "time_to_first_chunk_ns": 250_000_000,
        "input_tokens": 1000,
        "cache_read_tokens": 64,
        "cache_write_tokens": None,
        "stated": "0.00123456789",
        "outcome": "completed",
        "resend_count": 2,
        "user_id": "ü" * LONGEST_TEXT,
        "counted": True,
        "error_type": "",
        "error_class": "",
        "status_code": None,
        "problems": [],
        "price_status": row["price_status"],
    }
    assert {name: row[name] for name in expected} == expected
    assert row["cost"] == sum(
        row[f"cost_{part}"] or 0 for part in ("input", "cache_read", "cache_write", "output", "tools")
    )


def test_rows_without_a_price_say_why(ingest: Ingest, store: Store) -> None:
    no_usage = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    ingest.accept_request(
        request(
            span(chat(**no_usage), name="none"),
            span(chat(**no_usage, **{"error.type": "rate_limit_exceeded", "http.response.status_code": 429})),
            span(chat(**{"gen_ai.usage.output_tokens": "many"})),
            span(chat(**{"gen_ai.usage.output_tokens": -5})),
            span(chat(**{"gen_ai.usage.output_tokens": 1 << 62})),
            span(chat(**{"gen_ai.request.model": "nobody-1", "gen_ai.response.model": None})),
            span(chat()),
        )
    )
    rows = store.query("SELECT price_status, price_reason, cost, problems FROM llm_calls ORDER BY price_reason, cost")
    unknown = [row for row in rows if row["price_status"] == "unknown"]
    assert len(rows) == 7
    assert len(unknown) == 6
    assert all(row["cost"] is None and row["price_reason"] for row in unknown)
    reasons = [row["price_reason"] for row in unknown]
    assert (reasons.count("bad_usage"), reasons.count("no_usage"), reasons.count("failed")) == (3, 1, 1)
    assert all(row["problems"] for row in unknown if row["price_reason"] == "bad_usage")


def test_lists_of_any_length_are_cut(ingest: Ingest, store: Store) -> None:
    told = chat(**{"gen_ai.response.finish_reasons": ["stop"] * 1000})
    told |= {f"llm_cost.tag.{number}-" + "k" * 2000: 5 for number in range(200)}
    ingest.accept_request(request(span(told)))
    (row,) = store.query("SELECT problems, finish_reasons FROM llm_calls")
    assert len(row["problems"]) == len(row["finish_reasons"]) == MOST_LINES
    assert max(map(len, row["problems"])) <= LONGEST_TEXT


def test_every_cent_is_explained_by_its_row(ingest: Ingest, store: Store) -> None:
    told = [
        chat(**{"gen_ai.usage.cache_read.input_tokens": 200, "gen_ai.usage.reasoning.output_tokens": 30}),
        chat(**{"llm_cost.usage.web_search.requests": 3}),
        chat(
            **{
                "gen_ai.provider.name": "anthropic",
                "gen_ai.response.model": "claude-opus-4-6",
                "gen_ai.usage.cache_creation.input_tokens": 300,
                "llm_cost.usage.cache_write.5m.input_tokens": 100,
                "llm_cost.usage.cache_write.1h.input_tokens": 200,
                "llm_cost.asides": ['{"model": "claude-haiku-4-5", "gen_ai.usage.input_tokens": 7}'],
            }
        ),
        chat(**{"gen_ai.response.model": "nobody-knows-it", "gen_ai.request.model": None}),
    ]
    ingest.accept_request(request(*map(span, told)))
    rows = store.query("""
        SELECT cost, quantities, rates, usage_other, price_status,
            arraySum(bucket -> toInt64(quantities[bucket] * rates[bucket]), mapKeys(quantities)) AS pico
        FROM llm_calls ORDER BY price_status = 'unknown', cost
    """)
    assert [row["pico"] for row in rows] == [int((row["cost"] or Decimal(0)).scaleb(12)) for row in rows]
    assert rows[-1]["cost"] is None
    assert all(row["quantities"] and set(row["rates"]) == set(row["quantities"]) for row in rows[:-1])
    asides = next(row for row in rows if "other_models" in row["quantities"])
    assert asides["usage_other"] == {"cache_write_5m_input_tokens": 100}
