"""Blocks at a protocol version: what they hold is what the engine wrote, in the frame that drivers read."""

# ruff: noqa: S608  # no statement here has anything of anybody in it
from __future__ import annotations

import io
from typing import Any

import pytest

from otel_llm_cost_exporter.query.answer import Refusal
from otel_llm_cost_exporter.query.native import Cut, layout, reframed

from .conftest import Asker

TYPES = [
    "toUInt8(number)",
    "toInt64(number)",
    "toInt256(number)",
    "toFloat32(number)",
    "toDecimal32(number, 2)",
    "toDecimal128(number, 12)",
    "toString(number)",
    "repeat('x', number * 50)",
    "toFixedString('abc', 5)",
    "toDate('2026-01-01') + number",
    "toDateTime(number, 'Europe/Berlin')",
    "toDateTime64(number, 9, 'UTC')",
    "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "toIPv4('1.2.3.4')",
    "toIPv6('::1')",
    "number % 2 = 0",
    "CAST(number % 2 + 1, 'Enum8(\\'a b, (c)\\' = 1, \\'d\\\\\\'e\\' = 2)')",
    "if(number % 2, NULL, number)",
    "if(number % 2, NULL, toString(number))",
    "range(number)",
    "arrayMap(x -> toString(x), range(number))",
    "arrayMap(x -> range(x), range(number))",
    "emptyArrayString()",
    "map('a', number, 'b', 2)",
    "map(toString(number), [number])",
    "(number, toString(number))",
    "CAST((number, 'x'), 'Tuple(a UInt64, `b c` String)')",
    "toLowCardinality(toString(number % 3))",
    "CAST(if(number % 2, NULL, 'x'), 'LowCardinality(Nullable(String))')",
    "[toLowCardinality(toString(number))]",
    "CAST(map('k', 'v'), 'Map(LowCardinality(String), String)')",
    "CAST([], 'Array(LowCardinality(String))')",
    "toIntervalDay(number)",
    "(1., 2.)::Point",
    "[(1., 2.)]::Ring",
    "NULL",
    "[NULL, number]",
    "CAST([(1, 'a')], 'Nested(x UInt8, y String)')",
]


@pytest.mark.parametrize("expression", TYPES)
def test_a_block_is_the_engines_in_another_frame(ask: Asker, expression: str) -> None:
    sql = f"SELECT number AS n, {expression} AS x FROM numbers(7)"
    plain = ask(sql, default_format="Native")
    framed = ask(sql, default_format="Native", client_protocol_version=54460)
    assert framed.status == 200, framed.text
    assert framed.body.startswith(b"\x01\x00\x02\xff\xff\xff\xff\x00\x02\x07\x01n\x06UInt64\x00")
    assert framed.body.endswith(plain.body[-7:])
    zone = 17 if "Berlin" in expression else 0  # 'Europe/Berlin' and its parentheses, in the name of the type alone
    assert len(framed.body) == len(plain.body) + 8 + 2 + zone


def test_at_an_older_version_there_is_less_in_the_frame(ask: Asker) -> None:
    sql = "SELECT toDateTime(0, 'Europe/Berlin') AS x"
    assert b"Berlin" not in ask(sql, default_format="Native", client_protocol_version=54000).body
    older = ask(sql, default_format="Native", client_protocol_version=54400).body
    assert b"DateTime('Europe/Berlin')" in older
    assert len(ask(sql, default_format="Native", client_protocol_version=54460).body) == len(older) + 1


def test_statements_without_select_are_framed_too(ask: Asker) -> None:
    for sql in ("SHOW TABLES", "DESCRIBE TABLE llm_calls", "EXISTS TABLE llm_calls", "EXPLAIN SELECT 1"):
        assert ask(sql, default_format="Native", client_protocol_version=54460).body.startswith(b"\x01\x00\x02")


def test_many_blocks_keep_every_byte(ask: Asker) -> None:
    sql = "SELECT number, toString(number), repeat('y', number % 300) FROM numbers(300000)"
    plain = ask(sql, default_format="Native", max_block_size=1000, max_threads=1).body
    framed = ask(sql, default_format="Native", max_block_size=1000, max_threads=1, client_protocol_version=54460).body
    assert framed.count(b"\x01\x00\x02\xff\xff\xff\xff\x00\x03") == 300 or len(framed) > len(plain)
    assert (len(framed) - len(plain)) % (8 + 3) == 0


def test_what_has_no_length_by_its_type_is_refused_with_a_remedy(ask: Asker) -> None:
    answer = ask("SELECT sumState(number) FROM numbers(3)", default_format="Native", client_protocol_version=54460)
    assert answer.code == 48
    assert "finalizeAggregation" in answer.text


def test_a_stream_that_ends_within_a_block_is_no_answer(ask: Asker) -> None:
    block = ask("SELECT number, toString(number) FROM numbers(100)", default_format="Native").body
    source = io.BytesIO(block[:-3])
    with pytest.raises(Cut):
        list(reframed(lambda: source.read(50), 54460))
    whole = io.BytesIO(block)
    assert len(b"".join(reframed(lambda: whole.read(7), 54460))) == len(block) + 8 + 2


@pytest.mark.parametrize(
    "kind", ["AggregateFunction(sum, UInt64)", "Dynamic", "JSON", "Variant(String, UInt8)", "Array(JSON)"]
)
def test_types_of_unknown_length(kind: str) -> None:
    with pytest.raises(Refusal):
        layout(kind)


def test_a_client_reads_what_was_framed(ask: Asker) -> None:
    from clickhouse_connect import get_client

    with get_client(host="127.0.0.1", port=ask.port) as client:
        wanted = [one for one in TYPES if "Interval" not in one]
        row: Any = client.query(f"SELECT {', '.join(one.replace('number', '3') for one in wanted)}").first_row
        assert row[0] == 3
        assert row[6] == "3"
