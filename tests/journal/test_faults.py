"""A disk that is full or broken: nothing is acknowledged that is not safe, and the next request tries again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_llm_cost_exporter.entry import Overloaded
from otel_llm_cost_exporter.journal import Journal, JournalError
from otel_llm_cost_exporter.journal.disk import Disk

from .conftest import entry, segments, waiting


class Faulty(Disk):
    """Fails where it is told to; half of a write that fails is on the disk."""

    def __init__(self) -> None:
        self.broken: dict[str, int] = {}

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> None:
        if "write" in self.broken:
            whole = b"".join(buffers)
            os.write(descriptor, whole[: len(whole) // 2])
        self._fail("write")
        super().write(descriptor, buffers)

    def sync(self, descriptor: int) -> None:
        self._fail("sync")
        super().sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._fail("truncate")
        super().truncate(descriptor, size)

    def free(self, folder: Path) -> int:
        self._fail("free")
        return super().free(folder)

    def _fail(self, call: str) -> None:
        if number := self.broken.get(call):
            raise OSError(number, os.strerror(number))


FAULTS = [
    {"write": errno.ENOSPC},
    {"write": errno.EIO, "truncate": errno.EIO},
    {"sync": errno.EIO},
    {"sync": errno.ENOSPC, "truncate": errno.EIO},
]


@pytest.mark.parametrize("broken", FAULTS, ids=str)
@pytest.mark.parametrize("before", [0, 2])
def test_what_failed_is_refused_and_taken_when_sent_again(folder: Path, broken: dict[str, int], before: int) -> None:
    disk = Faulty()
    taken = list(range(before))
    with Journal(folder, disk=disk) as journal:
        for number in taken:
            journal.take(entry(number))
        tail = journal.tail
        disk.broken = broken
        for _ in range(3):
            with pytest.raises(Overloaded, match=r"does not take what is written.*Make room"):
                journal.take(entry(100))
            assert waiting(journal) == taken
            assert journal.tail == tail
        assert len(segments(folder)) <= 2, "failing again and again leaves nothing behind"
        state = journal.state()
        assert os.strerror(next(iter(broken.values()))) in state.error
        assert state.error_age is not None
        disk.broken = {}
        assert journal.take(entry(100)) == 0
        assert waiting(journal) == [*taken, 100]
        assert journal.state().error == ""
    with Journal(folder) as journal:
        found = waiting(journal)
        assert [number for number in found if number != 100] == taken
        assert found[-1] == 100, "what was refused may be there once more, never what was taken missing"


def test_a_file_whose_sync_failed_is_never_written_again(folder: Path) -> None:
    disk = Faulty()
    with Journal(folder, disk=disk) as journal:
        journal.take(entry(1))
        disk.broken = {"sync": errno.EIO}
        with pytest.raises(Overloaded):
            journal.take(entry(2))
        disk.broken = {}
        first = segments(folder)[0]
        size = first.stat().st_size
        journal.take(entry(3))
        assert first.stat().st_size == size
        assert len(segments(folder)) == 2


def test_a_failed_write_leaves_the_segment_in_use(folder: Path) -> None:
    disk = Faulty()
    with Journal(folder, disk=disk) as journal:
        journal.take(entry(1))
        disk.broken = {"write": errno.ENOSPC}
        with pytest.raises(Overloaded):
            journal.take(entry(2))
        disk.broken = {}
        journal.take(entry(3))
        assert len(segments(folder)) == 1
        assert waiting(journal) == [1, 3]


def test_everyone_who_sent_the_same_hears_that_it_failed(folder: Path) -> None:
    disk = Faulty()
    disk.broken = {"sync": errno.EIO}
    with Journal(folder, disk=disk) as journal, ThreadPoolExecutor(8) as pool:
        one = entry(1)
        for take in [pool.submit(journal.take, one) for _ in range(8)]:
            assert isinstance(take.exception(20), Overloaded)
        disk.broken = {}
        journal.take(one)
        assert waiting(journal) == [1]


def test_a_disk_that_does_not_say_how_much_is_free_is_told(folder: Path) -> None:
    disk = Faulty()
    disk.broken = {"free": errno.EIO}
    with Journal(folder, disk=disk) as journal:
        with pytest.raises(Overloaded, match="check the disk"):
            journal.take(entry(1))
        assert journal.state().free_bytes == 0
        assert "check the disk" in journal.state().full


def test_an_advance_that_cannot_be_noted_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(folder) as journal:
        journal.take(entry(1))
        with monkeypatch.context() as broken:
            broken.setattr("os.fsync", _no_space)
            with pytest.raises(JournalError, match="cannot note what is stored"):
                journal.advance(journal.tail)
        assert waiting(journal) == [1]
        assert "cannot note" in journal.state().error
        journal.take(entry(2))
        assert "cannot note" in journal.state().error, "that another thing works does not mend it"
        journal.advance(journal.tail)
        assert waiting(journal) == []
        assert journal.state().error == ""


def test_a_segment_that_cannot_go_goes_the_next_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(folder, segment_bytes=100) as journal:
        for number in range(3):
            journal.take(entry(number))
        with monkeypatch.context() as broken:
            broken.setattr("otel_llm_cost_exporter.journal.digests.keep", _no_space)
            journal.advance(journal.read(most_spans=1).end)
        assert len(segments(folder)) == 3
        assert waiting(journal) == [1, 2]
        assert "cannot remove" in journal.state().error
        journal.advance(journal.read(most_spans=1).end)
        assert len(segments(folder)) == 1


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


_LIMITED = """
import resource, sys, time
from pathlib import Path
from otel_llm_cost_exporter.entry import Entry, Overloaded
from otel_llm_cost_exporter.journal import Journal

with Journal(Path(sys.argv[1])) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    taken, number = [], 0
    for number in range(200):
        try:
            journal.take(Entry(b"%d:" % number + bytes(1_500), time.time_ns(), 1))
            taken.append(number)
        except Overloaded as error:
            refused = str(error)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.take(Entry(b"%d:" % number + bytes(1_500), time.time_ns(), 1))
    found = [int(one.body.split(b":")[0]) for one in journal.read(most_spans=10_000).entries]
    assert found == [*taken, number], found
    sys.stdout.write(f"{len(taken)} {refused}")
"""


def test_the_kernel_itself_refuses_a_write(folder: Path) -> None:
    """A limit on the size of files lets a write through in part, as a full disk does."""
    run = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    taken, refused = run.stdout.split(" ", 1)
    assert 60 <= int(taken) <= 66, "as many as fit"
    assert refused.startswith("the journal's disk does not take what is written: File too large. Make room")
    with Journal(folder) as journal:
        assert len(waiting(journal)) == int(taken) + 1
        assert journal.state().damaged == 0


def test_a_segment_that_somebody_removed_is_told_and_passed_over_by_the_next_process(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(folder, segment_bytes=100) as journal:
        for number in range(3):
            journal.take(entry(number))
        segments(folder)[1].unlink()
        with pytest.raises(JournalError, match="cannot read the journal: No such file"):
            journal.read(most_spans=10)
        with pytest.raises(JournalError, match="cannot read the journal"):
            journal.advance(journal.tail)
        assert journal.state().waiting.entries == 3
    with Journal(folder) as journal:
        assert waiting(journal) == [0, 2]
    assert "there is no segment between 000000000001-" in caplog.text


def test_a_write_that_goes_through_in_pieces_is_whole_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may take less than it is given, at any byte, and takes 1,024 buffers at most."""
    write = os.writev

    def a_little(descriptor: int, buffers: Sequence[bytes]) -> int:
        return write(descriptor, [b"".join(buffers[:9])[:7]])

    buffers = [b"%d;" % number for number in range(2_500)]
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    with whole.open("wb") as file:
        Disk().write(file.fileno(), buffers)
    monkeypatch.setattr("os.writev", a_little)
    with pieces.open("wb") as file:
        Disk().write(file.fileno(), buffers)
    assert whole.read_bytes() == pieces.read_bytes() == b"".join(buffers)
