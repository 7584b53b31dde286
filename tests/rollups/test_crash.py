"""A process that is killed while it mends leaves the rollup as it was or as it should be; a rebuild leaves its mark."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from otel_llm_cost_exporter.rollups import ROLLUPS, check, leftovers, rebuild
from otel_llm_cost_exporter.store import Store

from .calls import DAYS, held, insert, made, one_too_many, without_view

pytestmark = pytest.mark.integration

KILLS = 12
IN_OCTOBER = [day for day in DAYS if day.month == 10]


def prepared(folder: Path) -> str:
    """A store with batches of which the rollup lacks one."""
    dsn = f"chdb://{folder}/calls.db"
    with Store.open(dsn) as store:
        for seed in range(3):
            insert(store, seed)
        without_view(store, 9)
    return dsn


def child(dsn: str, *told: str) -> list[str]:
    return [sys.executable, "-m", "tests.rollups.crash", dsn, *told]


@pytest.mark.parametrize(("words", "new"), [("FINAL", False), ("REPLACE PARTITION", True)])
def test_a_rebuild_killed_between_two_statements(tmp_path: Path, words: str, new: bool) -> None:
    dsn = prepared(tmp_path)
    died = subprocess.run(child(dsn, "rebuild", "die", "after", words), check=False, capture_output=True)
    assert died.returncode == -9, died.stderr
    with Store.open(dsn, migrate=False) as store:
        assert list(leftovers(store).values()) == [date(2026, 10, 1)]
        assert (check(store, IN_OCTOBER) == []) is new
        for month in {day.replace(day=1) for day in DAYS}:
            rebuild(store, ROLLUPS[0], month)
        assert leftovers(store) == {}
        assert held(store) == made(store)
        insert(store, 2)  # tokens from before the crash still hold
        assert held(store) == made(store)


@pytest.mark.integration
@pytest.mark.parametrize(("way", "words"), [("mend", "INSERT INTO cost_hourly"), ("rebuild", "REPLACE PARTITION")])
def test_killed_at_any_moment(tmp_path: Path, way: str, words: str) -> None:
    seed = random.randrange(10**9)  # noqa: S311  # chance is no secret
    chance = random.Random(seed)  # noqa: S311
    dsn = prepared(tmp_path)
    with Store.open(dsn, migrate=False) as store:
        before = check(store, IN_OCTOBER)
    for n in range(KILLS):
        with subprocess.Popen(child(dsn, way, "say", "before", words), stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"now\n"
            time.sleep(chance.random() * (0.05 if way == "mend" else 0.01))
            other.kill()
        with Store.open(dsn, migrate=False) as store:
            found = check(store, IN_OCTOBER)
            assert found in ([], before) or way == "rebuild", f"seed {seed}, kill {n}"
            assert found in ([], before) or leftovers(store), f"seed {seed}, kill {n}"
            if found != before:  # right, and wrong again by one group for the next
                rebuild(store, ROLLUPS[0], IN_OCTOBER[0])
                assert check(store, IN_OCTOBER) == []
                one_too_many(store, IN_OCTOBER[1], n + 1)
                before = check(store, IN_OCTOBER)
                assert before
