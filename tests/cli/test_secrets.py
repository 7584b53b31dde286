"""What a store's address holds beside the address is shown nowhere."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from otel_llm_cost_exporter.cli.demo import Result, _next
from otel_llm_cost_exporter.report import Figures, Report
from otel_llm_cost_exporter.store import Store
from otel_llm_cost_exporter.store.connect import parse

from .test_shell import run_main

if TYPE_CHECKING:
    from collections.abc import Iterator

DSN = "clickhouse://user:S3cret@127.0.0.1:1/llm"
"""A server that nobody runs."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store in memory under the name of a server, which is what `Store.open` then gives."""
    with Store.open("chdb://memory") as store:
        store._target = parse(DSN)
        monkeypatch.setattr(Store, "open", lambda dsn, **_: store)
        yield store


@pytest.mark.usefixtures("server")
def test_an_empty_report_names_the_store_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "report", "--store", DSN) == 0
    said = capsys.readouterr()
    assert "127.0.0.1:1/llm" in said.out
    assert "S3cret" not in said.out + said.err


@pytest.mark.parametrize("command", ["report", "migrate", "doctor"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_server_that_cannot_be_reached_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("OTEL_LLM_COST_STORE", DSN)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "llm_cost")
    assert run_main(monkeypatch, command, *options) == 1
    said = capsys.readouterr()
    assert "127.0.0.1:1" in said.out + said.err
    assert "S3cret" not in said.out + said.err


@pytest.mark.parametrize("said", ["http://u:S3cret@host:abc", "http://u:S3cret@:1", "u:S3cret@[::1"])
def test_an_endpoint_that_is_none_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", said)
    assert run_main(monkeypatch, "doctor", "--json", "--store", "chdb:///./none") == 1
    shown = capsys.readouterr()
    assert "is no endpoint" in shown.out
    assert "S3cret" not in shown.out + shown.err


def test_the_demo_repeats_a_servers_address_without_its_password() -> None:
    result = Result(
        store=parse(DSN).shown,
        calls_served=0,
        requests_served=0,
        calls_stored=0,
        cost=Decimal(0),
        differences=[],
        report=Report(since=None, until=None, total=Figures(), by={"model": []}, unpriced=[], set_aside=[]),
    )
    said = _next(result, DSN)
    assert "S3cret" not in said
    assert "--store clickhouse://USER:PASSWORD@127.0.0.1:1/llm" in said
