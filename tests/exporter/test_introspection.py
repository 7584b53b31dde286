"""What the health endpoints say of a running collector is true."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from otel_llm_cost_exporter.entry import Entry, Overloaded
from otel_llm_cost_exporter.journal.disk import Disk
from otel_llm_cost_exporter.prices.data import load_book
from otel_llm_cost_exporter.receive.collector import Collector
from otel_llm_cost_exporter.receive.health import Checkup
from otel_llm_cost_exporter.receive.introspection import parts
from otel_llm_cost_exporter.store import Store

from .otlp import chat, request, span


def test_a_disk_that_takes_nothing_is_told_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays ready: only the next request shows whether the disk is well again."""

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with (
        Store.open("chdb://memory") as store,
        Collector(store, load_book(), tmp_path / "journal", http_port=0, grpc_port=0, keep_free=0) as collector,
    ):
        checkup = Checkup(parts(collector))
        entry = Entry(request(span(chat())).SerializeToString(), time.time_ns(), 1)
        with monkeypatch.context() as patched:
            patched.setattr(Disk, "sync", broken)
            with pytest.raises(Overloaded):
                collector.journal.take(entry)
            told = checkup()
        assert told.status == "degraded"
        assert "Input/output error" in told.reasons[0]
        collector.journal.take(entry)
        assert checkup().status == "ready"
