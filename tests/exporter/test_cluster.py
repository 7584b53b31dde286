"""One set of .sql files for one server and for a cluster: engines and ON CLUSTER are put in, and nothing else."""

from __future__ import annotations

import pytest

from otel_llm_cost_exporter.store import Store, StoreError
from otel_llm_cost_exporter.store.cluster import dictionaries_everywhere, everywhere
from otel_llm_cost_exporter.store.connect import parse
from otel_llm_cost_exporter.store.migrations import TABLE, packaged
from otel_llm_cost_exporter.store.statements import split

MEMORY = "replicated_deduplication_window_seconds = 604800, "
STATEMENTS = [*(statement for migration in packaged() for statement in split(migration.sql)), TABLE]
ON_ONE = """-- ENGINE = MergeTree
CREATE TABLE IF NOT EXISTS db.`a b` (x String DEFAULT 'ENGINE = MergeTree')
ENGINE = ReplacingMergeTree(x) ORDER BY x SETTINGS non_replicated_deduplication_window = 5"""
ON_MANY = f"""-- ENGINE = MergeTree
CREATE TABLE IF NOT EXISTS db.`a b` ON CLUSTER '{{cluster}}' (x String DEFAULT 'ENGINE = MergeTree')
ENGINE = ReplicatedReplacingMergeTree(x) ORDER BY x SETTINGS {MEMORY}replicated_deduplication_window = 5"""
COMMENT = "/* non_replicated_deduplication_window */"


def test_without_a_cluster_nothing_is_changed_in_a_statement() -> None:
    for statement in STATEMENTS:
        assert everywhere(statement, "") is statement
        assert dictionaries_everywhere(statement, "") is statement


def test_on_a_cluster_every_migration_is_a_statement_for_all_servers(store: Store) -> None:
    for statement in STATEMENTS:
        told = everywhere(statement, "main")
        if statement.lstrip().startswith("INSERT"):
            assert told == statement
            continue
        parsed = "\n".join(row["explain"] for row in store.query(f"EXPLAIN AST {told}"))
        assert parsed
        assert told.count(" ON CLUSTER 'main'") == 1
        assert "non_replicated" not in told
        assert " = MergeTree" not in told
        plain = told.replace(" ON CLUSTER 'main'", "").replace("Replicated", "").replace(MEMORY, "")
        assert plain == statement.replace("non_replicated_", "replicated_")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (ON_ONE, ON_MANY),
        ("create table t as u engine=Null", "create table t ON CLUSTER '{cluster}' as u engine=Null"),
        ("DROP DICTIONARY IF EXISTS d", "DROP DICTIONARY IF EXISTS d ON CLUSTER '{cluster}'"),
        ("INSERT INTO t SELECT 1", "INSERT INTO t SELECT 1"),
        (f"ALTER TABLE t {COMMENT} DROP COLUMN x", f"ALTER TABLE t ON CLUSTER '{{cluster}}' {COMMENT} DROP COLUMN x"),
    ],
)
def test_only_words_are_replaced_for_a_cluster(statement: str, told: str) -> None:
    assert everywhere(statement, "{cluster}") == told


@pytest.mark.parametrize(
    "statement",
    [
        "RENAME TABLE a TO b",
        "CREATE TEMPORARY TABLE t (x Int8) ENGINE = Memory",
        "CREATE TABLE t (x Int8) ENGINE = Log",
        "CREATE TABLE t AS u",
        "CREATE MATERIALIZED VIEW v ENGINE = MergeTree ORDER BY x AS SELECT 1 AS x",
        "OPTIMIZE TABLE t",
    ],
)
def test_what_is_not_understood_is_not_run_on_a_cluster(statement: str) -> None:
    with pytest.raises(StoreError, match="was not run"):
        everywhere(statement, "main")


def test_at_work_only_dictionaries_are_for_all_servers() -> None:
    assert dictionaries_everywhere("CREATE OR REPLACE DICTIONARY d (x Int8)", "main") == (
        "CREATE OR REPLACE DICTIONARY d ON CLUSTER 'main' (x Int8)"
    )
    update = "ALTER TABLE t UPDATE x = 1 WHERE true"
    assert dictionaries_everywhere(update, "main") == update


def test_the_cluster_of_an_address_is_no_option_of_the_driver() -> None:
    target = parse("clickhouse://user:pw@h:8123/db?compress=zstd&cluster=%7Bcluster%7D")
    assert (target.cluster, target.dsn) == ("{cluster}", "clickhouse://user:pw@h:8123?compress=zstd")
    assert parse("clickhouse://h/db").cluster == ""
    for dsn, says in (("clickhouse://h/db?cluster=a'b", "no name"), ("chdb:///x?cluster=main", "no cluster")):
        with pytest.raises(StoreError, match=says):
            parse(dsn)
