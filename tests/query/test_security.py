"""Nothing but reading the store: no write, no file, no URL, no process, no look at others' queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost_exporter.ports import PortTaken
from otel_llm_cost_exporter.query import QueryEndpoint
from otel_llm_cost_exporter.query.guard import Guard
from otel_llm_cost_exporter.query.limits import Limits
from otel_llm_cost_exporter.query.settings import chosen
from otel_llm_cost_exporter.query.tokens import tokens
from otel_llm_cost_exporter.store import Store

from .conftest import Asker

DENIED = {164, 497}

WRITES = [
    "INSERT INTO llm_calls (project) VALUES ('x')",
    "INSERT INTO FUNCTION file('{tmp}/out.csv', CSV) SELECT 1",
    "INSERT INTO FUNCTION url('http://127.0.0.1:1/', CSV) SELECT 1",
    "ALTER TABLE llm_calls DELETE WHERE 1",
    "ALTER TABLE llm_calls UPDATE cost = 0 WHERE 1",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE t (a Int8)",
    "CREATE DATABASE d",
    "CREATE FUNCTION f AS x -> x",
    "CREATE VIEW v AS SELECT 1",
    "CREATE DICTIONARY d (id UInt64) PRIMARY KEY id SOURCE(HTTP(URL 'http://127.0.0.1:1/')) LAYOUT(FLAT()) LIFETIME(1)",
    "CREATE NAMED COLLECTION c AS a = 1",
    "DROP TABLE llm_calls",
    "TRUNCATE TABLE llm_calls",
    "OPTIMIZE TABLE llm_calls",
    "DETACH TABLE llm_calls",
    "RENAME TABLE llm_calls TO x",
    "SYSTEM FLUSH LOGS",
    "SYSTEM STOP MERGES",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "BACKUP TABLE llm_calls TO File('{tmp}/b')",
    "SET readonly = 0",
    "SET max_execution_time = 0",
    "SET ROLE NONE",
    "USE system",
    "GRANT ALL ON *.* TO default",
    "CREATE USER u",
    "EXECUTE AS x SELECT 1",
    "BEGIN TRANSACTION",
    "SELECT 1 INTO OUTFILE '{tmp}/out.csv'",
    "SELECT 1 INTO OUTFILE '{tmp}/out.csv' TRUNCATE FORMAT CSV",
    "SELECT 1 /* x */ INTO/**/OUTFILE '{tmp}/out.csv'",
]

READS = [
    "SELECT file('/etc/passwd')",
    "SELECT FILE('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT \"file\"('/etc/passwd')",
    r"SELECT `fi\x6ce`('/etc/passwd')",
    "SELECT file/**/('/etc/passwd')",
    "SELECT '/etc/passwd' AS p, * APPLY(file) FROM (SELECT '/etc/passwd')",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/passwd')",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "WITH (SELECT file('/etc/passwd')) AS f SELECT f",
    "SELECT 1 WHERE file('/etc/passwd') != ''",
    "SELECT 1 ORDER BY file('/etc/passwd')",
    "SELECT * FROM file('/etc/passwd', LineAsString)",
    "SELECT 'x' IN file('/etc/passwd', LineAsString)",
    "SELECT * FROM fileCluster('default', '/etc/passwd', LineAsString)",
    "SELECT * FROM filesystem('/')",
    "DESCRIBE TABLE file('/etc/passwd', CSV)",
    "DESCRIBE file('/etc/passwd', CSV)",
    "EXPLAIN SELECT * FROM file('/etc/passwd', LineAsString)",
    "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
    "DESCRIBE TABLE url('http://127.0.0.1:1/', CSV)",
    "SELECT * FROM view(SELECT * FROM url('http://127.0.0.1:1/', LineAsString))",
    "SELECT * FROM s3('http://127.0.0.1:1/a.csv')",
    "SELECT * FROM gcs('http://127.0.0.1:1/a.csv')",
    "SELECT * FROM azureBlobStorage('http://127.0.0.1:1/', 'c', 'b')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', TSV)",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'd', 't', 'u', 'p', 'a Int8')",
    "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')",
    "SELECT * FROM sqlite('/etc/passwd', 't')",
    "SELECT * FROM odbc('DSN=x', 't')",
    "SELECT * FROM executable('id', TSV, 'a String')",
    "SELECT * FROM python('store')",
    "SELECT * FROM Python(store)",
    "SELECT * FROM deltaLakeLocal('/tmp')",
    "SELECT * FROM icebergLocal('/tmp')",
    "SELECT * FROM iceberg('http://127.0.0.1:1/x')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM loop(llm_calls)",
    "SELECT * FROM merge('system', 'processes')",
    "SELECT * FROM dictionary('llm_prices_dict')",
    "SELECT * FROM system.processes",
    "SELECT * FROM `system`.`processes`",
    'SELECT * FROM "system" . "processes"',
    "SELECT 1 IN system.processes",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.user_query_log",
    "SELECT * FROM system.stack_trace",
    "SELECT * FROM system.server_settings",
    "SELECT * FROM system.dictionaries",
    "SELECT * FROM system.named_collections",
    "SELECT * FROM system.disks",
    "SELECT * FROM system.users",
    "SELECT * FROM system.grants",
    "SELECT * FROM system.backups",
    "SELECT * FROM system.detached_parts",
    "SELECT * FROM system.symbols",
    "SELECT data_paths FROM system.tables",
    "SELECT metadata_path FROM system.databases",
    "SELECT path FROM system.parts",
    "SHOW PROCESSLIST",
    "SHOW GRANTS",
    "SHOW ACCESS",
    "SELECT getServerSetting('path')",
    "SELECT getMacro('x')",
    "SELECT filesystemAvailable()",
    "SELECT showCertificate()",
    "SELECT hasColumnInTable('127.0.0.1:1', 'system', 'one', 'dummy')",
    "SELECT addressToLine(1)",
    "SELECT demangle('x')",
    "SELECT AIGenerate('x', 'y')",
    "SELECT aiGenerate('x', 'y')",
    "SELECT joinGet('j', 'a', 1)",
    "SELECT getClientHTTPHeader('x')",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS readonly = 0, additional_table_filters = {}",
    "SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)",
    "WITH a AS (SELECT 1 SETTINGS max_memory_usage = 0) SELECT * FROM a",
]


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_is_written(ask: Asker, tmp_path: Path, sql: str) -> None:
    before = ask.values("SELECT count(), sum(cost) FROM llm_calls")
    answer = ask(None, method="POST", body=sql.format(tmp=tmp_path).encode())
    assert answer.code in DENIED | {62}, answer.text
    assert ask.values("SELECT count(), sum(cost) FROM llm_calls") == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sql", READS)
def test_nothing_but_the_store_is_read(ask: Asker, sql: str) -> None:
    answer = ask(sql)
    assert answer.code in DENIED, answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "sql", ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE llm_calls", "SELECT 1;;SELECT file('/etc/passwd')"]
)
def test_one_statement_at_a_time(ask: Asker, sql: str) -> None:
    answer = ask(sql)
    assert answer.code == 62
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT * FROM system.{t:Identifier}", "processes"),
        ("SELECT * FROM {t:Identifier}", "system.processes"),
        ("SELECT * FROM {t:Identifier}.processes", "system"),
        ("SELECT * FROM {t:Identifier}", "x` UNION ALL SELECT file('/etc/passwd') --"),
        ("SELECT * APPLY({t:Identifier}) FROM (SELECT '/etc/passwd')", "file"),
    ],
)
def test_a_name_given_as_a_parameter_is_judged_as_written(ask: Asker, sql: str, name: str) -> None:
    answer = ask(sql, param_t=name)
    assert answer.status in (400, 403), answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("name", ["{path}", "data.csv", "plain", "system.csv", "*.csv", "{folder}/*"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM `{name}`",
        "SELECT * FROM default.`{name}`",
        "SELECT * FROM '{name}'",
        'SELECT count() FROM "{name}" AS t',
        "SELECT (1, 'secret') IN `{name}`",
        "SELECT 1 FROM numbers(1) JOIN `{name}` AS t ON 1",
        "SELECT * FROM (SELECT * FROM `{name}`)",
        "SELECT * FROM `{name}`, (WITH `{name}` AS (SELECT 1) SELECT * FROM `{name}`)",
        "DESCRIBE TABLE `{name}`",
        "EXISTS TABLE `{name}`",
        "SELECT * APPLY(x -> (x, 'secret') IN `{name}`) FROM (SELECT 1)",
        "SELECT n FROM (SELECT 1 AS n) ORDER BY n WITH FILL INTERPOLATE (n AS (1, 'secret') IN `{name}`)",
        "SELECT 1 FROM (SELECT 1 AS n) AS a JOIN (SELECT 1 AS n) AS b ON a.n = b.n AND (1, 'secret') IN `{name}`",
        "SELECT number FROM numbers((SELECT count() FROM `{name}`))",
        "SELECT sum(1) OVER (ORDER BY (SELECT count() FROM `{name}`))",
        "SELECT 1 LIMIT (SELECT count() FROM `{name}`)",
        "SELECT 1 QUALIFY (1, 'secret') IN `{name}`",
        "SELECT 1 GROUP BY GROUPING SETS (((1, 'secret') IN `{name}`))",
        "SELECT arrayMap(x -> (x, 'secret') IN `{name}`, [1])",
        "WITH (SELECT count() FROM `{name}`) AS c SELECT c",
        "SELECT 1 ORDER BY 1 WITH FILL FROM (SELECT count() FROM `{name}`) TO 9",
        "EXPLAIN SELECT * FROM `{name}`",
        "SHOW CREATE TABLE `{name}`",
    ],
)
def test_a_file_is_no_table(ask: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str, name: str) -> None:
    """The engine's own database takes files for tables, by their path or their name in the working directory."""
    monkeypatch.chdir(tmp_path)
    for file in ("data.csv", "plain", "system.csv"):
        (tmp_path / file).write_text("a,b\n1,secret\n")
    answer = ask(sql.format(name=name.format(path=tmp_path / "data.csv", folder=tmp_path)))
    assert answer.status in (400, 403, 404), answer.text
    assert "secret" not in answer.text


def test_names_within_a_statement_are_no_files(ask: Asker) -> None:
    assert ask.values("WITH c AS (SELECT 1 AS `a/b.c`) SELECT `a/b.c` FROM c WHERE `a/b.c` IN (1, 2)") == ["1"]
    assert ask.values("SELECT count() FROM llm_calls AS `x.csv` WHERE `x.csv`.counted IN (true)") == ["300"]


def test_a_table_may_be_named_by_a_parameter(ask: Asker) -> None:
    assert ask.values("SELECT count() FROM {t:Identifier}", param_t="llm_calls") == ["300"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'file(''/etc/passwd'')', 'SETTINGS', 'system.processes'",
        "SELECT 1 AS `path`, 2 AS url, 3 AS input, 4 AS user",
        "SELECT sum(cost) AS cost FROM llm_calls WHERE counted -- INTO OUTFILE",
        "SELECT dictGet('llm_price_load_dict', 'load', toUInt64(0))",
        "SELECT name, engine FROM system.tables WHERE database = currentDatabase()",
        "SELECT table_name FROM information_schema.tables",
        "SHOW TABLES",
        "SHOW DATABASES",
        "SHOW COLUMNS FROM llm_calls",
        "SHOW CREATE TABLE llm_calls",
        "DESCRIBE TABLE llm_calls",
        "EXISTS TABLE llm_calls",
        "EXPLAIN SELECT count() FROM llm_calls",
        "SELECT * FROM system.settings",
        "SELECT quantilesTDigest(0.5, 0.9)(duration_ns), uniq(user_id), argMax(project, ts) FROM llm_calls",
        "SELECT project, cost, row_number() OVER (PARTITION BY project ORDER BY ts) FROM llm_calls LIMIT 3",
        "SELECT count() FROM numbers(10) AS n JOIN llm_calls AS c ON c.duration_ns = n.number",
        "SELECT toStartOfHour(ts) AS t, sum(cost) FROM llm_calls GROUP BY t ORDER BY t WITH FILL STEP 3600",
        "SELECT CASE project WHEN 'shop' THEN 1 ELSE 0 END, ts::Date, [1,2][1], tags['team'] FROM llm_calls LIMIT 1",
    ],
)  # fmt: skip
def test_what_a_board_asks_is_answered(ask: Asker, sql: str) -> None:
    assert ask(sql).status == 200, ask(sql).text


@pytest.mark.parametrize(
    "setting",
    [
        {"readonly_": "0"},
        {"additional_table_filters": "{}"},
        {"allow_introspection_functions": "1"},
        {"format_schema": "/etc/passwd:x"},
        {"format_template_resultset": "/etc/passwd"},
        {"output_format_schema": "/x"},
        {"max_server_memory_usage": "0"},
        {"allow_ddl": "1"},
        {"enable_analyzer": "0"},
        {"max_execution_time = 1, readonly": "0"},
    ],
)
def test_settings_that_open_something_are_refused(ask: Asker, setting: dict[str, Any]) -> None:
    assert ask("SELECT 1", **setting).code == 164


def test_a_client_cannot_undo_readonly(ask: Asker) -> None:
    assert ask.values("SELECT getSetting('readonly'), getSetting('allow_ddl')", readonly="0") == ["1\tfalse"]


@pytest.mark.parametrize(("asked", "got"), [("5", "5"), ("0", "7"), ("100", "7"), ("0.5", "0.5")])
def test_limits_are_only_lowered(asked: str, got: str) -> None:
    assert chosen([("max_execution_time", asked)], Limits(seconds=7))["max_execution_time"] == got


def test_a_limit_of_ours_that_is_none_may_be_set() -> None:
    assert chosen([("max_result_rows", "10")], Limits())["max_result_rows"] == "10"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1", 159),
        ("SELECT groupArray(number) FROM numbers(1000000000)", 241),
    ],
)
def test_time_and_memory_are_limited(store: Store, sql: str, code: int) -> None:
    with QueryEndpoint(store, port=0, limits=Limits(seconds=0.5, memory=50_000_000)) as endpoint:
        answer = Asker(endpoint.port)(sql)
        assert answer.code == code
        assert answer.status in (408, 500)


def test_rows_of_a_result_are_limited(store: Store) -> None:
    with QueryEndpoint(store, port=0, limits=Limits(rows=1000)) as endpoint:
        assert Asker(endpoint.port)("SELECT number FROM numbers(2000)").code == 396
        assert Asker(endpoint.port)("SELECT number FROM numbers(1000)").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8123"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_web_pages_cannot_ask(ask: Asker, headers: dict[str, str]) -> None:
    answer = ask("SELECT count() FROM llm_calls", headers=headers)
    assert answer.status == 403
    assert "300" not in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8123", "127.0.0.1", "127.8.8.8", "[::1]:8123"])
def test_this_machine_may_be_named_in_its_ways(ask: Asker, host: str) -> None:
    assert ask("SELECT 1", headers={"Host": host}).status == 200


def test_a_wrong_key_is_refused_and_not_told(ask: Asker) -> None:
    answer = ask("SELECT 1", headers={"X-ClickHouse-Key": "olc_wrong_secret"})
    assert (answer.status, answer.code) == (403, 516)
    assert "secret" not in answer.text


def test_off_loopback_there_is_nobody_without_a_key(store: Store) -> None:
    with pytest.raises(ValueError, match="nobody may read"):
        QueryEndpoint(store, host="0.0.0.0", port=0)  # noqa: S104


def test_without_anonymous_readers_a_key_is_asked_for(store: Store) -> None:
    from .conftest import SHOP, Keys

    with QueryEndpoint(store, port=0, keys=Keys(), anonymous=False) as endpoint:
        assert Asker(endpoint.port)("SELECT 1").code == 516
        assert Asker(endpoint.port, SHOP)("SELECT 1").status == 200
        assert Asker(endpoint.port)(path="/ping").text == "Ok.\n"


def test_a_taken_port_is_told_with_its_option(store: Store, endpoint: QueryEndpoint) -> None:
    with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{endpoint.port}.*--query-port"):
        QueryEndpoint(store, port=endpoint.port)


def test_a_request_is_limited_in_size_packed_or_not(ask: Asker) -> None:
    import zlib

    large = b"SELECT 1 -- " + b"x" * 2_000_000
    assert ask(method="POST", body=large).status == 413
    packed = ask(method="POST", body=zlib.compress(large), headers={"Content-Encoding": "deflate"})
    assert packed.status == 413


def test_a_name_in_quotes_is_the_name() -> None:
    assert [token.text for token in tokens("SELECT `a``b`, 'str `x`', {p:String} FROM `sys\\`t`.x")] == [
        "SELECT", "a", "b", ",", "'str `x`'", ",", "p", "FROM", "sys`t", ".", "x"
    ]  # fmt: skip


def test_what_the_engine_may_come_to_know_is_refused_until_looked_at(store: Store) -> None:
    """A function of a kind that is not listed, as a newer engine may bring, is in the list of the refused."""
    raw = store.raw()
    try:
        guard = Guard(raw)
        known = {function.name for function in raw.functions() if function.category in ("AI", "Introspection", "")}
        assert {name.lower() for name in known} <= guard.refused
    finally:
        raw.close()
