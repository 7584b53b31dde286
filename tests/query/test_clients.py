"""Clients as they are: clickhouse-connect, curl, and drivers that speak Native at a protocol version."""

from __future__ import annotations

import gzip
import json
import urllib.request
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from otel_llm_cost_exporter.query import QueryEndpoint

from .conftest import SHOP, Asker

FAILS_LATE = "SELECT number, throwIf(number = 2000000) FROM numbers(3000000)"


@pytest.fixture(scope="module")
def client(endpoint: QueryEndpoint) -> Iterator[Client]:
    with clickhouse_connect.get_client(host="127.0.0.1", port=endpoint.port) as connected:
        yield connected


def test_clickhouse_connect_reads_our_columns(client: Client) -> None:
    found = client.query("SELECT * FROM llm_calls WHERE duration_ns = 0")
    named = dict(zip(found.column_names, found.result_rows[0], strict=True))
    assert named["project"] == "shop"
    assert named["cost"] == Decimal("0.25")
    assert named["tags"] == {"team": "shop"}
    assert named["finish_reasons"] == ["stop"]
    assert named["input_tokens"] is None
    assert named["ts"].replace(tzinfo=UTC) == datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_clickhouse_connect_binds_parameters_and_sends_settings(client: Client) -> None:
    odd = "it's\t\\ a\nline"
    found = client.query(
        "SELECT {n:Int32} + 1, {s:String}, {a:Array(Int8)}", parameters={"n": 3, "s": odd, "a": [1, 2]}
    )
    assert found.result_rows == [(4, odd, [1, 2])]
    sized = client.query("SELECT DISTINCT blockSize() FROM numbers(30)", settings={"max_block_size": 10})
    assert sized.result_rows == [(10,)]


def test_clickhouse_connect_streams_and_makes_frames(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(200000)") as blocks:
        assert sum(len(block) for block in blocks) == 200_000
    frame = client.query_df("SELECT project, sum(cost) AS cost FROM llm_calls GROUP BY project ORDER BY project")
    assert list(frame.columns) == ["project", "cost"]
    assert len(frame) == 3
    assert client.query("SELECT project, ts FROM llm_calls LIMIT 0").column_names == ("project", "ts")
    assert client.command("SELECT count() FROM llm_calls") == 300
    assert client.raw_query("SELECT 1 AS a", fmt="CSVWithNames") == b'"a"\n1\n'


def test_clickhouse_connect_gets_time_zones(client: Client) -> None:
    found = client.query(
        "SELECT toDateTime('2026-01-01 00:00:00', 'Europe/Berlin') AS t, hour FROM cost_hourly LIMIT 1"
    )
    assert "Europe/Berlin" in str(found.column_types[0].name)
    assert "UTC" in str(found.column_types[1].name)


def test_clickhouse_connect_is_told_of_an_error_before_and_amid_the_rows(client: Client) -> None:
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM nowhere")
    with pytest.raises(StreamFailureError, match="FUNCTION_THROW_IF"):
        client.query(FAILS_LATE).result_rows  # noqa: B018  # read only now


def test_clickhouse_connect_with_a_key_sees_its_project(endpoint: QueryEndpoint) -> None:
    with clickhouse_connect.get_client(host="127.0.0.1", port=endpoint.port, password=SHOP) as bound:
        assert bound.query("SELECT DISTINCT project FROM llm_calls").result_rows == [("shop",)]
        limited = bound.query("SELECT count() FROM llm_calls", settings={"max_execution_time": 5})
        assert limited.result_rows == [(100,)]


def test_a_query_in_the_url_in_the_body_or_in_both(ask: Asker) -> None:
    assert ask("SELECT 1").text == "1\n"
    assert ask(method="POST", body=b"SELECT 2").text == "2\n"
    assert ask("SELECT", method="POST", body=b"3").text == "3\n"
    assert ask(method="POST", body=gzip.compress(b"SELECT 4"), headers={"Content-Encoding": "gzip"}).text == "4\n"
    chunks = (piece for piece in (b"SELECT ", b"5"))
    request = urllib.request.Request(f"http://127.0.0.1:{ask.port}/", chunks, method="POST")
    with urllib.request.urlopen(request) as response:  # noqa: S310  # it is our own
        assert response.read() == b"5\n"


@pytest.mark.parametrize(
    ("sql", "asked", "body", "named"),
    [
        ("SELECT 1 AS a", {}, "1\n", "TabSeparated"),
        ("SELECT 1 AS a", {"default_format": "CSV"}, "1\n", "CSV"),
        ("SELECT 1 AS a FORMAT CSVWithNames", {"default_format": "JSON"}, '"a"\n1\n', "CSVWithNames"),
        ("SELECT 'x' AS a FORMAT JSONEachRow;", {}, '{"a":"x"}\n', "JSONEachRow"),
        ("SELECT 'FORMAT CSV' -- FORMAT JSON", {}, "FORMAT CSV\n", "TabSeparated"),
        ("SELECT 1 AS a FORMAT Null", {}, "", "Null"),
        ("SHOW TABLES LIKE 'llm_calls'", {"default_format": "JSONEachRow"}, '{"name":"llm_calls"}\n', "JSONEachRow"),
    ],
)
def test_formats(ask: Asker, sql: str, asked: dict[str, Any], body: str, named: str) -> None:
    answer = ask(sql, **asked)
    assert answer.text == body
    assert answer.headers["x-clickhouse-format"] == named


def test_json_as_boards_ask_for_it(ask: Asker) -> None:
    answer = ask(
        "SELECT project, count() AS calls FROM llm_calls GROUP BY project ORDER BY project",
        default_format="JSONCompact",
    )
    told = json.loads(answer.body)
    assert [column["name"] for column in told["meta"]] == ["project", "calls"]
    assert told["rows"] == 3
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("packing", ["gzip", "deflate", "zstd", "lz4", "br"])
def test_answers_are_packed_as_the_client_accepts(ask: Asker, packing: str) -> None:
    answer = ask(
        "SELECT number FROM numbers(10000)",
        headers={"Accept-Encoding": f"{packing};q=1.0, identity"},
        enable_http_compression=1,
    )
    assert answer.headers["content-encoding"] == packing
    assert _unpacked(packing, answer.body).splitlines()[-1] == b"9999"


def _unpacked(packing: str, body: bytes) -> bytes:
    if packing == "gzip":
        return gzip.decompress(body)
    if packing == "deflate":
        return zlib.decompress(body)
    if packing == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(body).read()
    if packing == "lz4":
        import lz4.frame  # type: ignore[import-untyped]

        unpacked: bytes = lz4.frame.decompress(body)
        return unpacked
    import brotli

    plain: bytes = brotli.decompress(body)
    return plain


def test_what_every_client_does_at_first(ask: Asker) -> None:
    assert ask(path="/ping").text == "Ok.\n"
    assert ask(path="/").text == "Ok.\n"
    assert ask(path="/", method="HEAD").status == 200
    assert ask(path="/elsewhere").status == 404
    told = ask("SELECT version(), timezone()")
    assert told.text == f"{told.headers['x-clickhouse-server-version']}\t{told.headers['x-clickhouse-timezone']}\n"
    assert ask("SELECT name, value, readonly FROM system.settings LIMIT 10000").status == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"session_id": "a-session", "session_timeout": 60, "session_check": 0},
        {"database": "default"},
        {"user": "default", "password": ""},
        {"wait_end_of_query": 1, "buffer_size": 3000000, "send_progress_in_http_headers": 1},
        {"max_execution_time": 60, "output_format_json_quote_64bit_integers": 0, "max_result_rows": 0},
        {"readonly": 2, "async_insert": 0, "send_logs_level": "none"},
        {"query_id": "mine-1", "quota_key": "q", "log_comment": "board"},
        {"date_time_output_format": "iso", "session_timezone": "Europe/Berlin", "join_use_nulls": 1},
    ],
)
def test_what_clients_send_with_everything_is_taken(ask: Asker, asked: dict[str, Any]) -> None:
    answer = ask("SELECT 1", **asked)
    assert answer.text == "1\n", answer.text
    assert answer.headers["x-clickhouse-query-id"] == asked.get("query_id", answer.headers["x-clickhouse-query-id"])


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"database": "elsewhere"}, 404, 81),
        ({"compress": 1}, 501, 48),
        ({"decompress": 1}, 501, 48),
        ({"no_such_setting": 1}, 403, 164),
        ({"default_format": "No Such"}, 400, 36),
        ({"default_format": "NoSuch"}, 404, 73),
    ],
)
def test_what_is_not_spoken_is_said(ask: Asker, asked: dict[str, Any], status: int, code: int) -> None:
    answer = ask("SELECT 1", **asked)
    assert (answer.status, answer.code) == (status, code), answer.text


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT (", 400, 62),
        ("", 400, 62),
        ("SELECT 1 +", 400, 62),
        ("SELECT a FROM llm_calls", 404, 47),
        ("SELECT * FROM nowhere", 404, 60),
    ],
)
def test_errors_have_the_numbers_and_statuses_of_a_server(ask: Asker, sql: str, status: int, code: int) -> None:
    answer = ask(sql)
    assert (answer.status, answer.code) == (status, code), answer.text
    assert answer.text.startswith("Code: ")


def test_a_form_may_hold_query_and_parameters(ask: Asker) -> None:
    border = "XX"
    fields = {"query": "SELECT {a:Int8} + 1", "param_a": "41"}
    body = "".join(
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={border}"}
    assert ask(method="POST", body=f"{body}--{border}--\r\n".encode(), headers=headers).text == "42\n"
    file = f'--{border}\r\nContent-Disposition: form-data; name="t"; filename="t.tsv"\r\n\r\n1\r\n--{border}--\r\n'
    assert ask("SELECT 1", method="POST", body=file.encode(), headers=headers).code == 48
