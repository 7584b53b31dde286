"""Our own commands read through a collector that has the store open, and need not be told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otel_llm_cost_exporter.store import Store, StoreError, StoreHeld
from otel_llm_cost_exporter.store.reading import KEY_VARIABLE, open_for_reading

from .conftest import FILL, ODD_NAME, SHOP

_HOLDER = """
import sys
from otel_llm_cost_exporter.query import QueryEndpoint
from otel_llm_cost_exporter.store import Store
sys.path.insert(0, {tests!r})
from tests.query.conftest import Keys
with Store.open({dsn!r}) as store, QueryEndpoint(store, port=0, keys=Keys(), anonymous={anonymous}) as endpoint:
    if {announced}:
        store.announce(endpoint.url, key=not endpoint.anonymous)
    print("ready", flush=True)
    sys.stdin.read()
"""
_ROOT = Path(__file__).parents[2]


@contextmanager
def holder(dsn: str, *, anonymous: bool = True, announced: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has the store open and answers queries."""
    code = _HOLDER.format(tests=str(_ROOT), dsn=dsn, anonymous=anonymous, announced=announced)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.communicate()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "otel_llm_cost_exporter.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    address = f"chdb://{tmp_path / 'llm_cost.db'}"
    with Store.open(address) as store:
        store.command(FILL, {"shop": "shop", "odd": ODD_NAME})
    return address


@pytest.mark.integration
def test_report_explain_and_doctor_while_a_collector_runs(dsn: str) -> None:
    with holder(dsn):
        through = run("report", "--store", dsn, "--json", "--by", "project")
        explained = run("explain", "30" * 14 + "3432", "--store", dsn, "--json")
        examined = run("doctor", "--store", dsn, "--json")
    alone = run("report", "--store", dsn, "--json", "--by", "project")
    assert through.returncode == 0, through.stderr
    assert json.loads(through.stdout) == json.loads(alone.stdout)
    assert json.loads(through.stdout)["total"]["calls"] == 300
    assert json.loads(explained.stdout)[0]["project"] in ("shop", "blog", ODD_NAME)
    found = next(finding for finding in json.loads(examined.stdout) if finding["check"] == "store")
    assert found["status"] == "ok"
    assert "through http://127.0.0.1:" in found["detail"]


def test_rows_and_streams_are_the_same_either_way(dsn: str) -> None:
    sql = "SELECT *, {name:String} AS given FROM llm_calls ORDER BY trace_id"
    parameters = {"name": "it's\n\t\\"}
    with open_for_reading(dsn) as store:
        alone = store.query(sql, parameters)
    with holder(dsn), open_for_reading(dsn) as store:
        assert store.query(sql, parameters) == alone
        assert [row for block in store.stream(sql, parameters) for row in block] == alone
        with pytest.raises(StoreError, match="nowhere"):
            store.query("SELECT * FROM nowhere")
        with pytest.raises(StoreError, match="may not be used here"):
            store.command("INSERT INTO llm_price_loads (load) VALUES ('x')")


def test_where_a_key_is_asked_for_it_comes_from_the_environment(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with holder(dsn, anonymous=False):
        with pytest.raises(StoreError, match=KEY_VARIABLE):
            open_for_reading(dsn)
        monkeypatch.setenv(KEY_VARIABLE, "olc_wrong")
        with pytest.raises(StoreError, match=rf"refuses the key in {KEY_VARIABLE}") as wrong:
            open_for_reading(dsn)
        assert "olc_wrong" not in str(wrong.value)
        monkeypatch.setenv(KEY_VARIABLE, SHOP)
        with open_for_reading(dsn) as store:
            assert store.query("SELECT DISTINCT project FROM llm_calls") == [{"project": "shop"}]
            assert SHOP not in store.address
        reported = run("report", "--store", dsn, "--json", "--by", "project")
        assert json.loads(reported.stdout)["total"]["calls"] == 100
        assert SHOP not in Path(dsn.removeprefix("chdb://") + ".holder").read_text()


def test_a_holder_that_answers_nothing_is_named_as_ever(dsn: str) -> None:
    with holder(dsn, announced=False) as process:
        with pytest.raises(StoreHeld, match=f"process {process.pid}"):
            open_for_reading(dsn)
        assert "Stop it" in run("report", "--store", dsn).stderr


def test_what_a_dead_holder_announced_is_not_believed(dsn: str) -> None:
    with holder(dsn) as process:
        process.kill()
        process.wait()
    assert "query" in Path(dsn.removeprefix("chdb://") + ".holder").read_text()
    with open_for_reading(dsn) as store:
        assert "through" not in store.address
        assert store.query("SELECT count() AS n FROM llm_calls") == [{"n": 300}]


def test_a_key_goes_to_no_other_machine(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, SHOP)
    with holder(dsn, anonymous=False):
        file = Path(dsn.removeprefix("chdb://") + ".holder")
        file.write_text(file.read_text().replace("127.0.0.1", "192.0.2.1"))
        with pytest.raises(StoreHeld):
            open_for_reading(dsn)
