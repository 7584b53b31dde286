"""What the flusher sees of the journal."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_llm_cost_exporter.journal import Journal, Position, Tally

from .conftest import entry, numbers, segments, waiting


def test_reading_stops_with_the_entry_that_makes_it_full(journal: Journal) -> None:
    for number in range(5):
        journal.take(entry(number, size=1_000, spans=10))
    assert numbers(journal.read(most_spans=1).entries) == [0]
    read = journal.read(most_spans=20)
    assert (numbers(read.entries), read.spans) == ([0, 1], 20)
    assert numbers(journal.read(most_spans=21, start=read.end).entries) == [2, 3, 4]
    assert numbers(journal.read(most_spans=100, most_bytes=2_500).entries) == [0, 1, 2]
    assert waiting(journal) == [0, 1, 2, 3, 4], "reading lets go of nothing"


def test_a_range_is_read_again_the_same_whatever_the_bounds(folder: Path) -> None:
    with Journal(folder, segment_bytes=300) as journal:
        for number in range(10):
            journal.take(entry(number, spans=10))
        first = journal.read(most_spans=30)
        second = journal.read(most_spans=40, start=first.end)
    with Journal(folder) as journal:
        journal.take(entry(11))
        again = journal.read(most_spans=1, most_bytes=1, start=second.start, end=second.end)
        assert again == second
        assert numbers(again.entries) == [3, 4, 5, 6]


def test_nothing_to_read_is_an_empty_reading(journal: Journal) -> None:
    read = journal.read(most_spans=10)
    assert (read.entries, read.spans, read.start, read.end) == ([], 0, journal.head, journal.head)
    assert not journal.wait(0)
    journal.advance(read.end)


def test_what_is_advanced_past_is_gone_for_this_process_and_the_next(folder: Path) -> None:
    with Journal(folder) as journal:
        for number in range(4):
            journal.take(entry(number, spans=2))
        to = journal.read(most_spans=4).end
        journal.advance(to)
        journal.advance(Position(0, 0))
        assert journal.head == to
        assert waiting(journal) == [2, 3]
        assert journal.state().waiting[:2] == (2, 4)
    with Journal(folder) as journal:
        assert journal.head == to
        assert waiting(journal) == [2, 3]
        assert journal.state().waiting[:2] == (2, 4)
        journal.take(entry(4))
        assert waiting(journal) == [2, 3, 4]


def test_only_a_border_that_is_durable_can_be_advanced_to(journal: Journal) -> None:
    journal.take(entry(1))
    with pytest.raises(ValueError, match="after all"):
        journal.advance(Position(9, 9))
    with pytest.raises(ValueError, match="inside an entry"):
        journal.advance(journal.tail._replace(offset=journal.tail.offset - 1))
    assert waiting(journal) == [1]


def test_segments_go_when_all_in_them_is_stored(folder: Path) -> None:
    with Journal(folder, segment_bytes=250) as journal:
        for number in range(10):
            journal.take(entry(number))
        before = len(segments(folder))
        assert before == journal.state().segments > 3
        journal.advance(journal.read(most_spans=5).end)
        assert len(segments(folder)) == journal.state().segments < before
        assert waiting(journal) == [5, 6, 7, 8, 9]
        journal.advance(journal.tail)
        assert len(segments(folder)) == 1, "the one that is being written"
        journal.take(entry(10))
        assert waiting(journal) == [10]
        journal.advance(journal.tail)
    with Journal(folder) as journal:
        assert segments(folder) == []
        assert journal.take(entry(3)) == 0
        assert waiting(journal) == [], "it is known though its segment is gone"
        journal.take(entry(11))
        assert waiting(journal) == [11]
        assert journal.tail > journal.head


def test_the_digests_of_segments_that_are_gone_go_when_they_are_old(folder: Path) -> None:
    clock = [1_000 * 10**9]
    with Journal(folder, segment_bytes=100, remember=10, now=lambda: clock[0]) as journal:
        for number in range(6):
            journal.take(entry(number)._replace(received_ns=clock[0]))
            journal.advance(journal.tail)
            clock[0] += 4 * 10**9
        assert 0 < len(list(folder.glob("*.digests"))) < 5


def test_a_number_is_never_used_twice(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.take(entry(1))
        journal.advance(journal.tail)
        head = journal.head
    for file in folder.glob("*.digests"):
        file.unlink()
    for file in segments(folder):
        file.unlink()
    with Journal(folder) as journal:
        journal.take(entry(2))
        assert journal.tail > head
        assert waiting(journal) == [2]


def test_waiting_ends_when_there_is_enough_or_no_more_comes(folder: Path) -> None:
    with ThreadPoolExecutor(1) as pool, Journal(folder) as journal:
        started = threading.Event()

        def wait(spans: int) -> bool:
            started.set()
            return journal.wait(20, spans=spans)

        some = pool.submit(wait, 1)
        assert started.wait(20)
        journal.take(entry(1))
        assert some.result(20)
        assert journal.wait(0.001, spans=100), "less than asked for is still something"
        many = pool.submit(wait, 100)
        journal.take(entry(2, spans=99))
        assert many.result(20)
        more = pool.submit(wait, 101)
        journal.drain()
        assert more.result(20)


def test_the_state_tells_what_waits_and_since_when(journal: Journal) -> None:
    state = journal.state()
    assert (state.waiting, state.oldest_ns, state.full, state.error) == (Tally(), None, "", "")
    first, second = entry(1, spans=3), entry(2, spans=4)
    journal.take(first)
    journal.take(second)
    assert journal.state().oldest_ns == first.received_ns
    journal.advance(journal.read(most_spans=1).end)
    state = journal.state()
    assert state.oldest_ns == second.received_ns
    assert state.waiting.spans == 4
    assert state.appended[:2] == (2, 7)
    assert state.digests == 2
    assert state.free_bytes > 0
