"""What is found after a crash, and after a disk forgot something."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.journal import Journal, JournalError, Position
from otel_llm_cost_exporter.journal.record import before_body
from otel_llm_cost_exporter.journal.segment import FIRST

from .conftest import entry, numbers, segments, waiting


def _written(folder: Path, entries: list[Entry], segment_bytes: int = 64 << 20) -> list[Position]:
    """Journal entries, and close: the borders between them, from the first."""
    with Journal(folder, segment_bytes=segment_bytes) as journal:
        borders = []
        for one in entries:
            journal.take(one)
            borders.append(journal.tail)
    return [Position(borders[0].segment, FIRST), *borders]


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made) / "journal"


def _flip(file: Path, byte: int, bit: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[byte] ^= 1 << bit
    file.write_bytes(content)


def test_a_write_torn_at_any_byte_loses_only_itself(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    borders = _written(folder, [entry(number) for number in range(3)])
    [segment] = segments(folder)
    content = segment.read_bytes()
    for length in range(borders[2].offset, len(content)):
        segment.write_bytes(content[:length])
        caplog.clear()
        with Journal(folder) as journal:
            assert waiting(journal) == [0, 1]
            assert journal.tail == borders[2]
            assert journal.state().damaged == 0
        torn = length - borders[2].offset
        assert (f"cut a torn write of {torn} bytes" in caplog.text) == bool(torn)
        assert segment.stat().st_size == borders[2].offset


@settings(max_examples=40, deadline=None)
@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=4, unique=True),
    share=st.floats(0, 1),
    rest=st.binary(max_size=100),
)
def test_whatever_follows_whole_records_is_cut_off(bodies: list[bytes], share: float, rest: bytes) -> None:
    with _scratch() as folder:
        borders = _written(folder, [Entry(body, 1, 1) for body in bodies])
        [segment] = segments(folder)
        content = segment.read_bytes()
        cut = borders[-2].offset + int((borders[-1].offset - 1 - borders[-2].offset) * share)
        segment.write_bytes(content[:cut] + rest)
        with Journal(folder) as journal:
            kept = [one.body for one in journal.read(most_spans=1000).entries]
            whole = bodies if content[:cut] + rest == content else bodies[:-1]
            assert kept == whole
            journal.take(Entry(b"more", 1, 1))
            assert [one.body for one in journal.read(most_spans=1000).entries] == [*whole, b"more"]


@settings(max_examples=80, deadline=None)
@given(byte=st.integers(0, 10_000), bit=st.integers(0, 7), later=st.booleans())
def test_a_flipped_bit_costs_the_record_that_it_is_in_and_no_other(byte: int, bit: int, later: bool) -> None:
    """In the last segment and in an earlier one; the head of the file costs nothing at all."""
    with _scratch() as folder:
        borders = _written(folder, [entry(number, size=30) for number in range(5)])
        if later:
            _written(folder, [entry(5)])
        segment = segments(folder)[0]
        byte %= borders[-1].offset
        _flip(segment, byte, bit)
        hit = sum(border.offset <= byte for border in borders) - 1
        expected = [number for number in range(5 + later) if number != hit]
        for _ in range(2):
            with Journal(folder) as journal:
                assert waiting(journal) == expected
                assert journal.state().waiting.entries == len(expected)
                assert journal.state().damaged == (hit >= 0)


@pytest.mark.parametrize("place", [0, 60, 150], ids=["mark", "sender", "body"])
def test_damage_in_the_middle_is_set_aside_and_told(folder: Path, place: int, caplog: pytest.LogCaptureFixture) -> None:
    borders = _written(folder, [entry(number, size=200) for number in range(3)])
    _written(folder, [entry(3)])
    segment = segments(folder)[0]
    _flip(segment, borders[1].offset + place)
    damaged = segment.read_bytes()[borders[1].offset : borders[2].offset]
    with Journal(folder) as journal:
        assert waiting(journal) == [0, 2, 3]
        state = journal.state()
        assert (state.damaged, state.damaged_bytes, state.waiting.entries) == (1, len(damaged), 3)
        journal.advance(journal.tail)
        assert journal.state().waiting == (0, 0, 0)
    [aside] = folder.glob("*.damaged")
    assert aside.read_bytes() == damaged
    [told] = [record for record in caplog.records if "is damaged" in record.message]
    assert told.levelno == logging.ERROR
    for part in (str(segment), str(borders[1].offset), str(borders[2].offset)):
        assert part in told.message
    assert str(aside) in caplog.text


def test_damage_while_the_journal_is_open_is_found_by_reading(folder: Path) -> None:
    with Journal(folder) as journal:
        borders = [journal.tail, *(journal.tail for number in range(4) if journal.take(entry(number, size=99)) == 0)]
        [segment] = segments(folder)
        _flip_in_place(segment, borders[1].offset + 150)
        assert journal.state().waiting.entries == 4
        assert waiting(journal) == [0, 2, 3]
        assert journal.state().waiting.entries == 3
        journal.take(entry(4))
        assert waiting(journal) == [0, 2, 3, 4]
        journal.advance(journal.read(most_spans=2).end)
        assert waiting(journal) == [3, 4]
        assert journal.state().waiting.entries == 2


def _flip_in_place(file: Path, byte: int) -> None:
    with file.open("r+b") as writing:
        writing.seek(byte)
        was = writing.read(1)
        writing.seek(byte)
        writing.write(bytes([was[0] ^ 1]))


def test_an_advance_into_what_is_damaged_now_goes_past_it(folder: Path) -> None:
    _written(folder, [entry(number) for number in range(4)])
    with Journal(folder) as journal:
        to = journal.read(most_spans=2).end
        before = journal.read(most_spans=1).end
    segment = segments(folder)[0]
    for byte in (before.offset, to.offset):  # two records in a row, so one range over the border
        _flip(segment, byte)
    _written(folder, [entry(4)])
    with Journal(folder) as journal:
        journal.advance(to)
        assert waiting(journal) == [3, 4]


def test_a_whole_segment_of_rubbish_stops_nothing(folder: Path) -> None:
    for number in range(3):
        _written(folder, [entry(number)])
    middle = segments(folder)[1]
    middle.write_bytes(bytes(middle.stat().st_size))
    with Journal(folder) as journal:
        assert waiting(journal) == [0, 2]
        assert journal.state().damaged == 1


def test_a_segment_cut_short_stops_nothing(folder: Path) -> None:
    borders = _written(folder, [entry(number) for number in range(3)])
    _written(folder, [entry(3)])
    first = segments(folder)[0]
    for length in (borders[2].offset + 90, borders[2].offset + 10):  # long enough for a gap, and not
        first.write_bytes(first.read_bytes()[:length])
        for _ in range(2):
            with Journal(folder) as journal:
                assert waiting(journal) == [0, 1, 3]
    assert len(list(folder.glob("*.damaged"))) == 1


def test_what_a_sender_writes_cannot_pass_for_a_record(folder: Path) -> None:
    """Its body holds a record as of another's key, with every mark that it could know of."""
    other = folder.parent / "other"
    _written(other, [entry(66, sender=Sender("admin", "bank"))])
    known = segments(other)[0].read_bytes()[FIRST:]
    forged = before_body(Entry(b"", 1, 1, Sender("admin", "bank")), bytes(16))
    borders = _written(folder, [Entry(known + bytes(8) + forged, 1, 1), entry(2)])
    for byte in range(borders[0].offset, borders[0].offset + 56):
        copy = folder.parent / f"copy-{byte}"
        shutil.copytree(folder, copy)
        _flip(segments(copy)[0], byte)
        with Journal(copy) as journal:
            assert waiting(journal) == [2]


def test_a_lost_or_damaged_head_means_reading_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    _written(folder, [entry(number) for number in range(3)])
    with Journal(folder) as journal:
        journal.advance(journal.read(most_spans=2).end)
    _flip(folder / "head", 0)
    with Journal(folder) as journal:
        assert waiting(journal) == [0, 1, 2]
    assert "is damaged: the journal is read again" in caplog.text
    (folder / "head").unlink()
    with Journal(folder) as journal:
        assert waiting(journal) == [0, 1, 2]
        assert journal.state().waiting.entries == 3


def test_damaged_digests_cost_only_space(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    _written(folder, [entry(1)])
    with Journal(folder) as journal:
        journal.advance(journal.tail)
    with Journal(folder):
        [digests] = folder.glob("*.digests")
    _flip(digests, 20)
    with Journal(folder) as journal:
        journal.take(entry(1))
        assert waiting(journal) == [1]
    assert "may be journaled twice" in caplog.text


def test_a_newer_format_is_not_touched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("otel_llm_cost_exporter.journal.segment.VERSION", 2)
        _written(folder, [entry(1)])
    content = segments(folder)[0].read_bytes()
    with pytest.raises(JournalError, match="newer version"):
        Journal(folder)
    assert segments(folder)[0].read_bytes() == content
    with monkeypatch.context() as newer:
        newer.setattr("otel_llm_cost_exporter.journal.recovery.VERSION", 2)
        with Journal(folder) as journal:
            assert waiting(journal) == [1]


def test_two_segments_of_one_number_are_refused(folder: Path) -> None:
    _written(folder, [entry(1)])
    shutil.copy(segments(folder)[0], folder / f"000000000001-{'0' * 16}.segment")
    with pytest.raises(JournalError, match="two segments 1"):
        Journal(folder)


def test_what_was_begun_and_not_finished_is_removed(folder: Path) -> None:
    _written(folder, [entry(1)])
    (folder / "head.tmp").write_bytes(b"7")
    (folder / f"000000000002-{'0' * 16}.segment").write_bytes(b"LLM")
    (folder / "notes.tmp").write_text("not ours")
    with Journal(folder) as journal:
        assert waiting(journal) == [1]
    assert {file.name for file in folder.iterdir()} - {"lock", "notes.tmp"} == {segments(folder)[0].name}


def test_blocks_that_cannot_be_read_cost_only_their_records(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk says of a bad sector that it cannot be read, not what was in it."""
    import errno
    import os

    borders = _written(folder, [entry(number, size=20_000) for number in range(4)])
    bad = borders[1].offset + 10_000
    read = os.pread

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        if offset <= bad < offset + size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, size, offset)

    monkeypatch.setattr("os.pread", pread)
    with Journal(folder) as journal:
        read_now = journal.read(most_spans=100)
        assert numbers(read_now.entries) == [0, 2, 3]
        assert [len(one.body) for one in read_now.entries] == [20_002] * 3
        assert journal.state().damaged == 1
