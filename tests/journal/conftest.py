"""Entries and journals for these tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.journal import Journal

SHOP = Sender("key-1", "shop", ("shop", "search"))


def entry(number: int, *, size: int = 0, spans: int = 1, sender: Sender = SHOP) -> Entry:
    return Entry(b"%d:" % number + b"x" * size, time.time_ns(), spans, sender)


def numbers(entries: list[Entry]) -> list[int]:
    return [int(one.body.split(b":")[0]) for one in entries]


def waiting(journal: Journal) -> list[int]:
    """The numbers of all that is still to be stored."""
    return numbers(journal.read(most_spans=10**9, most_bytes=1 << 40).entries)


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with Journal(folder) as opened:
        yield opened
