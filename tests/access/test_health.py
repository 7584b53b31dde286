"""Health: ready means that a request would be accepted, and an answer comes in time whatever hangs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from otel_llm_cost_exporter.receive.health import Check, Checkup, Part, disk_part, keys_part, store_part
from otel_llm_cost_exporter.store import StoreError


def well(name: str) -> Part:
    return Part(name, lambda: Check(True))


def test_ready_degraded_not_ready() -> None:
    away = Part("store", lambda: Check(False, "away"), vital=False)
    full = Part("journal", lambda: Check(False, "full"))
    found = [Checkup(parts, lambda: {"n": 1})() for parts in ([well("journal")], [well("journal"), away], [away, full])]
    assert [(health.ready, health.status) for health in found] == [
        (True, "ready"),
        (True, "degraded"),
        (False, "not ready"),
    ]
    assert found[2].as_json() == {
        "status": "not ready",
        "reasons": ["journal: full", "store: away"],
        "checks": {"store": {"ok": False, "detail": "away"}, "journal": {"ok": False, "detail": "full"}},
        "counters": {"n": 1},
    }
    assert found[1].as_json(brief=True) == {"status": "degraded"}


def test_what_hangs_is_told_in_time_and_asked_once() -> None:
    asked, go = threading.Semaphore(0), threading.Event()

    def hang() -> Check:
        asked.release()
        go.wait()
        return Check(True)

    checkup = Checkup([Part("store", hang, vital=False), well("journal")], within=0.05)
    for _ in range(3):
        found = checkup()
        assert (found.status, found.reasons) == ("degraded", ["store: no answer within 0.05 s"])
    assert asked.acquire(timeout=5)
    assert not asked.acquire(blocking=False)
    go.set()
    for thread in threading.enumerate():
        if thread.name == "llm-cost-check-store":
            thread.join()
    assert checkup().status == "ready"


def test_a_part_that_raises_is_not_well_and_tells_no_text() -> None:
    def broken() -> Check:
        raise RuntimeError("walnut")

    (told,) = Checkup([Part("x", broken)])().reasons
    assert "RuntimeError at " in told
    assert "walnut" not in told


def test_a_store_says_since_when_it_is_away() -> None:
    faults: list[StoreError | None] = [StoreError("gone"), StoreError("gone still"), None, StoreError("again")]

    def ping() -> None:
        if (fault := faults.pop(0)) is not None:
            raise fault

    part = store_part(ping)
    first, second, third, fourth = (part.ask() for _ in range(4))
    assert first.detail.endswith("UTC: gone")
    assert first.detail.rpartition(":")[0] == second.detail.rpartition(":")[0]
    assert (third, fourth.ok) == (Check(True), False)
    assert not part.vital


def test_a_disk_must_have_room(tmp_path: Path) -> None:
    assert disk_part(tmp_path, 1).ask().ok
    found = disk_part(tmp_path, 1 << 62).ask()
    assert not found.ok
    assert "make room" in found.detail
    assert not disk_part(tmp_path / "none", 1).ask().ok


@pytest.mark.parametrize("fault", [None, "the file is gone"])
def test_keys_that_may_be_old_are_told(fault: str | None) -> None:
    assert keys_part(lambda: fault).ask() == Check(fault is None, fault or "")
