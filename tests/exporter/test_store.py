"""The store: one holder, forward migrations, exact money, and every insert once."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost_exporter.store import Store, StoreError, StoreHeld, migrations
from otel_llm_cost_exporter.store.migrations import Migration, packaged
from otel_llm_cost_exporter.store.statements import split

HOUR = 3600 * 10**9
START = 1_790_000_000 * 10**9
RAW = """
SELECT toStartOfHour(ts, 'UTC') AS hour, provider, count() AS calls, sum(ifNull(c.cost, 0)) AS cost,
    countIf(c.cost IS NULL AND price_reason = 'failed') AS failed, sum(ifNull(c.input_tokens, 0)) AS input_tokens
FROM llm_calls AS c WHERE counted GROUP BY ALL ORDER BY ALL
"""
ROLLUP = """
SELECT hour, provider, sum(calls) AS calls, sum(cost) AS cost, sum(failed) AS failed, sum(input_tokens) AS input_tokens
FROM cost_hourly GROUP BY ALL ORDER BY ALL
"""


def columns(rows: int) -> dict[str, list[Any]]:
    """Calls over several months, some set aside, some with no price."""
    return {
        "ts": [START + i * 7 * HOUR for i in range(rows)],
        "trace_id": [i.to_bytes(16, "big") for i in range(rows)],
        "span_id": [i.to_bytes(8, "big") for i in range(rows)],
        "provider": [("openai", "anthropic")[i % 2] for i in range(rows)],
        "input_tokens": [i or None for i in range(rows)],
        "cost": [None if i % 7 == 0 else 10**12 + i for i in range(rows)],
        "price_reason": ["failed" if i % 7 == 0 else "" for i in range(rows)],
        "counted": [i % 5 != 0 for i in range(rows)],
    }


def test_a_new_store_has_every_migration_and_a_second_run_changes_nothing(store: Store) -> None:
    assert [state.name for state in store.migrations()] == [migration.name for migration in packaged()]
    assert all(state.applied_at and state.checksum_ok for state in store.migrations())
    assert store.migrate() == []
    assert store.query("SELECT count() AS n FROM schema_migrations") == [{"n": len(packaged())}]


def test_a_changed_migration_is_refused_by_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = [Migration(migration.name, migration.sql + "-- more") for migration in packaged()]
    monkeypatch.setattr("otel_llm_cost_exporter.store.packaged", lambda: changed)
    with pytest.raises(StoreError, match=r"0001_llm_calls\.sql was changed .* new migration"):
        store.migrate()
    assert not store.migrations()[0].checksum_ok


def test_a_database_newer_than_the_code_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    older = packaged()[:-1]
    monkeypatch.setattr("otel_llm_cost_exporter.store.packaged", lambda: older)
    with pytest.raises(StoreError, match=rf"newer .* {packaged()[-1].name}.* Upgrade otel-llm-cost"):
        store.migrate()


def test_migrations_only_go_forward() -> None:
    known = [Migration("0001_a", ""), Migration("0002_b", ""), Migration("0003_c", "")]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    applied = {name: migrations.Applied(Migration(name, "").checksum, at) for name in ("0001_a", "0003_c")}
    with pytest.raises(StoreError, match=r"0002_b\.sql comes before 0003_c"):
        migrations.pending(known, applied)
    del applied["0003_c"]
    assert [migration.name for migration in migrations.pending(known, applied)] == ["0002_b", "0003_c"]


def test_statements_are_cut_only_at_their_ends() -> None:
    sql = """-- first; not here
    SELECT ';' /* nor; here */, "a;b", `c;d`, 'it\\'s; ''one''';
    ;
    SELECT 2 -- last; comment"""
    first, second = split(sql)
    assert first.endswith("'it\\'s; ''one'''")
    assert second.startswith("SELECT 2")


def test_a_retry_changes_neither_rows_nor_rollup_and_they_agree(store: Store) -> None:
    for _ in range(3):
        store.insert("llm_calls", columns(1500), "one-batch")
    assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 1500}]
    assert store.query(RAW) == store.query(ROLLUP)
    assert len({row["hour"].month for row in store.query(ROLLUP)}) > 5
    total = sum(10**12 + i for i in range(1500) if i % 7 and i % 5)
    assert store.query("SELECT sum(cost) AS cost FROM cost_hourly") == [{"cost": Decimal(total).scaleb(-12)}]


def test_the_rollup_tells_unpriced_from_failed_from_unknown(store: Store) -> None:
    reasons = ["failed", "no_usage", "bad_usage", "unknown_model", "unknown_model"]
    rows = columns(5) | {"cost": [None] * 5, "price_reason": reasons, "counted": [True] * 5}
    store.insert("llm_calls", rows, "t")
    sums = "SELECT sum(failed) AS f, sum(unknown_usage) AS u, sum(unpriced) AS p, sum(calls) AS c FROM cost_hourly"
    assert store.query(sums) == [{"f": 1, "u": 2, "p": 2, "c": 5}]


def test_money_is_exact_to_the_last_digit(store: Store) -> None:
    amounts = [0, 1, -1, 999_999_999_999_999_999, None]
    store.insert("llm_calls", columns(5) | {"cost": amounts}, "t")
    stored = store.query("SELECT cost FROM llm_calls ORDER BY ts")
    assert [row["cost"] if row["cost"] is None else int(row["cost"].scaleb(12)) for row in stored] == amounts


def test_values_that_do_not_fit_are_the_rows_fault_and_a_missing_table_is_not(store: Store) -> None:
    with pytest.raises(StoreError) as bad:
        store.insert("llm_calls", columns(1) | {"cost": [1 << 70]}, "t")
    assert bad.value.rows_at_fault
    with pytest.raises(StoreError) as missing:
        store.insert("no_such_table", {"x": [1]}, "t")
    assert not missing.value.rows_at_fault


def test_parameters_are_bound_and_instants_come_in_utc(store: Store) -> None:
    store.insert("llm_calls", columns(1), "t")
    found = store.query(
        "SELECT ts, toStartOfHour(ts) AS hour FROM llm_calls WHERE provider = {p:String}", {"p": "openai"}
    )
    assert found == [{"ts": datetime.fromtimestamp(START // 10**9, UTC), "hour": datetime(2026, 9, 21, 14, tzinfo=UTC)}]
    assert store.query("SELECT 1 FROM llm_calls WHERE provider = {p:String}", {"p": "' OR 1=1 --"}) == []


HOLD = """
import sys
from otel_llm_cost_exporter.store import Store
with Store.open(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_path_that_is_open_elsewhere_names_its_holder(tmp_path: Path) -> None:
    dsn = f"chdb:///{tmp_path}/calls.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, dsn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreHeld, match=rf"process {other.pid} .*one process per path.*Stop that process"):
            Store.open(dsn)
        other.kill()
    with Store.open(dsn) as mine:
        assert mine.migrate() == []


def test_one_process_may_open_its_path_twice_and_no_other_path(tmp_path: Path) -> None:
    with Store.open(f"chdb:///{tmp_path}/a.db"), Store.open(f"chdb:///{tmp_path}/a.db", migrate=False) as second:
        second.ping()
        with pytest.raises(StoreError, match=r"this process has .*a\.db open"):
            Store.open(f"chdb:///{tmp_path}/b.db")
    with Store.open(f"chdb:///{tmp_path}/b.db") as other:
        other.ping()


def test_a_relative_path_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open("chdb:///./here.db"):
        assert (tmp_path / "here.db").is_dir()


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgres://x/y", "unknown kind of store"),
        ("chdb://", "needs a path"),
        ("chdb://calls.db", "three slashes"),
        ("chdb:////proc/nowhere/calls.db", "may write to"),
        ("clickhouse://user:secret@127.0.0.1:1/db", "no ClickHouse answers at clickhouse://127.0.0.1:1/db"),
        ("clickhouse://h:port/db", "cannot be read"),
    ],
)
def test_an_address_that_leads_nowhere_says_what_to_do(dsn: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as told:
        Store.open(dsn)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("//user:S3cret@h/db", "unknown kind of store"),
        ("chdb://user:S3cret@h/x", "three slashes"),
        ("clickhouse://user:12/S3cret@h", "percent-encode"),
        ("clickhouse://user:S3cret/x@h", "percent-encode"),
        ("clickhouse://user:S3cret#x@h", "percent-encode"),
        ("clickhouse://user:x?S3cret@h", "percent-encode"),
        ("clickhouse://user:S3cret[x@h", "percent-encode"),
        ("clickhouse://user:S3cret", "percent-encode"),
        ("clickhouse://h/db?password=S3cret", "before the host"),
        ("clickhouse://user:S3cret@127.0.0.1:1/db?nonsense=S3cret", "options"),
        ("clickhouse://user:S3cret@:1/db", "names no host"),
    ],
)
def test_a_malformed_address_tells_its_remedy_and_no_password(
    dsn: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StoreError, match=says) as told:
        Store.open(dsn)
    assert "S3cret" not in str(told.value) + caplog.text


def test_the_driver_says_nothing_beside_our_message(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(StoreError, match="no ClickHouse answers"):
        Store.open("clickhouse://127.0.0.1:1/db")
    assert "Unexpected Http Driver Exception" not in caplog.text
