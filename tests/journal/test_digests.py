"""What is known of requests, bounded in time and in number."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.journal import Journal
from otel_llm_cost_exporter.journal.digests import Digests, digest_of
from otel_llm_cost_exporter.journal.groups import Pending

from .conftest import entry, waiting

HOUR = 3_600 * 10**9


def _digest(number: int) -> bytes:
    return number.to_bytes(16, "little")


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    known = Digests(HOUR, most=100)
    for number in range(1_000):
        known.add(_digest(number), number)
        assert len(known) <= 100
        assert all(known.knows(_digest(recent), number) for recent in range(max(0, number - 49), number + 1))
    assert not known.knows(_digest(0), 1_000)


def test_what_is_old_takes_no_room() -> None:
    known = Digests(HOUR)
    for turn in range(10):
        known.add(_digest(turn), turn * 2 * HOUR)
    assert len(known) <= 2


def test_a_digest_costs_less_than_two_hundred_bytes() -> None:
    known = Digests(HOUR)
    tracemalloc.start()
    for number in range(50_000):
        known.add(bytes(bytearray(_digest(number))), HOUR + number)
    assert tracemalloc.get_traced_memory()[0] / len(known) < 200
    tracemalloc.stop()


def test_where_a_tenant_ends_and_a_body_begins_is_part_of_the_digest() -> None:
    assert digest_of(Entry(b"bc", 0, 1, Sender("", "a"))) != digest_of(Entry(b"c", 0, 1, Sender("", "ab")))
    assert digest_of(Entry(b"a", 0, 1)) == digest_of(Entry(b"a", 9, 2, Sender("other key", None)))


def test_the_same_that_arrives_in_one_moment_is_written_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of four knows of the others when it looks; one of them is first."""
    together = Barrier(4)

    def pending(*arguments: Any) -> Pending:
        together.wait(20)
        return Pending(*arguments)

    monkeypatch.setattr("otel_llm_cost_exporter.journal.intake.Pending", pending)
    one = entry(1)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(journal.take, [one] * 4)) == [0] * 4
    assert waiting(journal) == [1]
    assert journal.state().duplicates == 3
