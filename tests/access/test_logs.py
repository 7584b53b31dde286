"""The log: one line, its request, and no secret."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from otel_llm_cost_exporter import logs
from otel_llm_cost_exporter.entry import Sender

from .conftest import Clock

KEY = "olc_abcdefghij_0123456789ABCDEFGHIJKLMNOPqrstuv"
log = logging.getLogger("otel_llm_cost_exporter.test")


@pytest.fixture
def stderr(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process that serves logs; the root logger is put back."""
    root, written = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    monkeypatch.setattr(sys, "stderr", written)
    logs.to_stderr(request.param)
    yield written
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize("stderr", [True], indirect=True)
def test_a_line_of_json_with_its_request(stderr: io.StringIO) -> None:
    with logs.of_request("r1"):
        logs.sent_by(Sender("k1", "shop"))
        thread = threading.Thread(target=copy_context().run, args=(log.info, "hello\n%s", "world"))
        thread.start()
        thread.join()
    log.info("alone")
    first, second = map(json.loads, stderr.getvalue().splitlines())
    assert {name: first[name] for name in ("level", "message", "request_id", "key", "project")} == {
        "level": "info",
        "message": "hello\nworld",
        "request_id": "r1",
        "key": "k1",
        "project": "shop",
    }
    assert set(second) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize("stderr", [True, False], indirect=True)
def test_no_key_in_a_line_or_a_traceback(stderr: io.StringIO) -> None:
    log.warning("a key: %s", KEY)
    try:
        raise ValueError({"Authorization": f"Bearer {KEY[15:]}"})
    except ValueError:
        log.exception("it went wrong with %r", {"x-api-key": "something-else"}, stack_info=True)
    told = stderr.getvalue()
    assert "olc_abcdefghij_***" in told
    assert "Traceback" in told
    assert KEY[15:] not in told
    assert "something-else" not in told.split("Stack (most recent call last)")[0].split('"stack"')[0]


@pytest.mark.parametrize("stderr", [False], indirect=True)
def test_a_line_that_cannot_be_written_tells_no_argument(stderr: io.StringIO) -> None:
    (handler,) = (one for one in logging.getLogger().handlers if getattr(one, "stream", None) is stderr)
    handler.handle(log.makeRecord(log.name, logging.INFO, "x.py", 1, "%d", (KEY,), None))
    assert stderr.getvalue().startswith("a log line of otel_llm_cost_exporter.test could not be written: TypeError at")
    assert KEY not in stderr.getvalue()


@pytest.mark.parametrize("stderr", [False], indirect=True)
def test_a_line_for_a_person(stderr: io.StringIO) -> None:
    with logs.of_request("r1"):
        log.info("hello")
    assert stderr.getvalue().endswith("INFO otel_llm_cost_exporter.test: hello [request_id=r1]\n")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"x {KEY} y", "x olc_abcdefghij_*** y"),
        (f"authorization=Bearer%20{KEY}", "authorization=***"),
        ("Authorization: Basic YTpi\nnext", "Authorization: ***\nnext"),
        ("(b'authorization', b'Bearer abc')", "(b'authorization', b'***')"),
        ('{"authorization": "Bearer abc", "a": 1}', '{"authorization": "***", "a": 1}'),
        ("X-API-Key=abc", "X-API-Key=***"),
        ("sent Bearer abcdefghijklmnop here", "sent Bearer *** here"),
        ("a call of project olc_x has no authorization yet", "a call of project olc_x has no authorization yet"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, redacted: str) -> None:
    assert logs.redact(text) == redacted


def test_where_an_error_was_and_not_what_it_says() -> None:
    try:
        int("walnut")
    except ValueError as error:
        told = logs.where(error)
    assert told.startswith("ValueError at test_logs.py:")
    assert "walnut" not in told


def test_few_lines_of_one_kind(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    few = logs.Sparingly(log, burst=2, per_second=1, clock=clock)
    for nth in range(5):
        few.warn("refused %d", nth)
    clock.now += 1
    few.warn("refused %s", "again")
    assert [record.getMessage() for record in caplog.records] == [
        "refused 0",
        "refused 1",
        "refused again (3 more before it were not logged)",
    ]
