"""What a receiver sees of the journal."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_llm_cost_exporter.entry import Entry, Overloaded, Sender
from otel_llm_cost_exporter.journal import Journal, JournalError, JournalHeld
from otel_llm_cost_exporter.journal.disk import Disk

from .conftest import entry, waiting


class Held(Disk):
    """A disk whose syncs wait until they are let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go = threading.Event()

    def sync(self, descriptor: int) -> None:
        self.reached.set()
        assert self.go.wait(20)
        super().sync(descriptor)


def test_what_is_taken_is_there_after_a_restart_as_it_was(folder: Path) -> None:
    senders = [Sender(), Sender("a", "shop"), Sender("b", "shop", None), Sender("c", "büro", ("x", "y"))]
    entries = [Entry(b"\0\xff" * number, time.time_ns(), number, sender) for number, sender in enumerate(senders)]
    with Journal(folder) as journal:
        assert [journal.take(one) for one in entries] == [0] * 4
    with Journal(folder) as journal:
        assert journal.read(most_spans=100).entries == entries


def test_the_same_again_is_a_success_and_written_once(journal: Journal) -> None:
    first = entry(1)
    assert journal.take(first) == 0
    tail = journal.tail
    assert journal.take(first._replace(received_ns=time.time_ns())) == 0
    assert journal.tail == tail
    assert journal.state().duplicates == 1


def test_the_same_bytes_of_two_tenants_are_two_requests(journal: Journal) -> None:
    journal.take(entry(1, sender=Sender("a", "shop")))
    journal.take(entry(1, sender=Sender("b", "office")))
    journal.take(entry(1, sender=Sender("c", "shop")))
    assert waiting(journal) == [1, 1]


def test_a_request_is_new_again_when_it_was_forgotten(folder: Path) -> None:
    clock = [1_000 * 10**9]
    with Journal(folder, remember=900, now=lambda: clock[0]) as journal:
        journal.take(entry(1)._replace(received_ns=clock[0]))
        clock[0] += 900 * 10**9
        journal.take(entry(1)._replace(received_ns=clock[0]))
        assert waiting(journal) == [1]
        clock[0] += 1
        journal.take(entry(1)._replace(received_ns=clock[0]))
        assert waiting(journal) == [1, 1]


def test_what_is_appended_again_is_written_though_it_is_known(journal: Journal) -> None:
    journal.take(entry(1))
    assert journal.append_again(entry(1)) == 0
    assert waiting(journal) == [1, 1]


def test_the_same_sent_meanwhile_is_acknowledged_only_when_the_first_is_durable(folder: Path) -> None:
    disk = Held()
    with ThreadPoolExecutor(4) as pool, Journal(folder, disk=disk) as journal:
        one = entry(1)
        takes = [pool.submit(journal.take, one)]
        assert disk.reached.wait(20)
        takes += [pool.submit(journal.take, one) for _ in range(3)]
        while journal.state().duplicates < 3:
            time.sleep(0.001)
        assert not any(take.done() for take in takes)
        assert not journal.wait(0)
        assert journal.read(most_spans=1).entries == []
        disk.go.set()
        assert [take.result(20) for take in takes] == [0] * 4
        assert waiting(journal) == [1]


def test_many_senders_share_a_sync_and_keep_their_own_order(folder: Path) -> None:
    with Journal(folder, segment_bytes=20_000) as journal:

        def send(sender: int) -> None:
            for turn in range(40):
                journal.take(entry(sender * 1000 + turn, size=100))

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(send, range(16)))
        state = journal.state()
        found = waiting(journal)
        assert state.syncs < 640
        assert state.segments > 1
        assert state.appended == state.waiting
    assert sorted(found) == sorted(sender * 1000 + turn for sender in range(16) for turn in range(40))
    for sender in range(16):
        assert [number for number in found if number // 1000 == sender] == [sender * 1000 + turn for turn in range(40)]


def test_a_full_journal_says_so_and_takes_again_when_it_is_emptied(folder: Path) -> None:
    with Journal(folder, most_bytes=1_000) as journal:
        journal.take(entry(1, size=600))
        with pytest.raises(Overloaded, match=r"wait to be stored.*allow the journal more") as refused:
            journal.take(entry(2, size=600))
        assert refused.value.retry_after > 0
        assert journal.take(entry(1, size=600)) == 0, "what is known needs no room"
        journal.advance(journal.tail)
        assert journal.take(entry(2, size=600)) == 0


def test_a_disk_that_is_low_says_so(folder: Path) -> None:
    class Low(Disk):
        def free(self, folder: Path) -> int:
            return 5_000

    with Journal(folder, keep_free=4_000, disk=Low()) as journal:
        journal.take(entry(1))
        with pytest.raises(Overloaded, match="make room"):
            journal.take(entry(2, size=1_000))
        assert journal.state().full == ""
    with Journal(folder, keep_free=6_000, disk=Low()) as journal:
        assert "make room" in journal.state().full


def test_a_disk_that_does_not_keep_up_says_so(folder: Path) -> None:
    disk = Held()
    with ThreadPoolExecutor(1) as pool, Journal(folder, queue_bytes=1_000, disk=disk) as journal:
        first = pool.submit(journal.take, entry(1, size=5_000))
        assert disk.reached.wait(20)
        with pytest.raises(Overloaded, match="keep up"):
            journal.take(entry(2))
        assert journal.state().queued_bytes > 5_000
        disk.go.set()
        assert first.result(20) == 0
        assert journal.state().queued_bytes == 0


def test_closing_takes_what_was_on_its_way_and_nothing_after(folder: Path) -> None:
    disk = Held()
    with ThreadPoolExecutor(6) as pool:
        journal = Journal(folder, disk=disk)
        takes = [pool.submit(journal.take, entry(0))]
        assert disk.reached.wait(20)
        one = journal.state().queued_bytes
        takes += [pool.submit(journal.take, entry(number)) for number in range(1, 4)]
        while journal.state().queued_bytes < 4 * one:
            time.sleep(0.001)
        closing = pool.submit(journal.close)
        while not journal.state().full:
            time.sleep(0.001)
        with pytest.raises(Overloaded, match="shutting down"):
            journal.take(entry(9))
        disk.go.set()
        assert [take.result(20) for take in takes] == [0] * 4
        closing.result(20)
    journal.close()
    with Journal(folder) as again:
        assert sorted(waiting(again)) == [0, 1, 2, 3]


def test_a_drained_journal_is_still_read_and_advanced(folder: Path) -> None:
    journal = Journal(folder)
    journal.take(entry(1))
    journal.drain()
    assert journal.wait(None)
    journal.advance(journal.read(most_spans=1).end)
    assert not journal.wait(None)
    journal.close()
    with pytest.raises(JournalError):
        journal.advance(journal.tail)


def test_a_fault_of_ours_is_told_to_its_senders_and_ends_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Disk):
        wrong = True

        def write(self, descriptor: int, buffers: Sequence[bytes]) -> None:
            if self.wrong and len(buffers) > 1:
                raise ZeroDivisionError
            super().write(descriptor, buffers)

    disk = Wrong()
    with Journal(folder, disk=disk) as journal:
        with pytest.raises(Overloaded):
            journal.take(entry(1))
        disk.wrong = False
        journal.take(entry(1))
        assert waiting(journal) == [1]
    assert "a fault in otel-llm-cost" in caplog.text


def test_another_process_is_refused_by_name(journal: Journal, folder: Path) -> None:
    script = "import sys, pathlib; from otel_llm_cost_exporter.journal import *; Journal(pathlib.Path(sys.argv[1]))"
    other = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "JournalHeld: cannot open the journal in" in other.stderr
    assert "has it. Stop that process" in other.stderr
    with pytest.raises(JournalHeld, match=r"process \d+ \("):
        Journal(folder)


def test_nobody_else_may_read_it(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    with Journal(folder, segment_bytes=100) as journal:
        for number in range(3):
            journal.take(entry(number))
        journal.advance(journal.read(most_spans=2).end)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = list(folder.iterdir())
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert {file.suffix for file in files} == {".segment", ".digests", ""}


def test_a_folder_of_somebody_else_is_left_as_it_is(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    (folder / "lost+found").mkdir()
    Journal(folder).close()
    other = folder.parent / "other"
    other.mkdir(mode=0o755)
    (other / "letters").touch()
    with pytest.raises(JournalError, match="a folder of its own"):
        Journal(other)
    assert stat.S_IMODE(other.stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="Give a folder"):
        Journal(tmp_path / "file" / "journal")
