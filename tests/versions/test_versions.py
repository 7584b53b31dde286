"""What holds for every supported version of an SDK, run against the one that is installed; see `run.py` for the others.

Nothing here is new: each contract is tested in full elsewhere, on the newest versions.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from otel_llm_cost import instrumentor as instrumentors

from .anthropic_sdk import ANTHROPIC, has_own_spans
from .sdks import SDKS
from .ways import Sdk, Way, method, read
from .wire import Reply, Wire

pytestmark = pytest.mark.integration

CASES = [(sdk, way) for sdk in SDKS for way in sdk.ways]
STREAMS = [(sdk, way) for sdk, way in CASES if way.streamed]
RETRIED = [(sdk, sdk.ways[index]) for sdk in SDKS for index in sdk.retried]
FIRST = [(sdk, sdk.ways[0]) for sdk in SDKS]
UNTESTED = "is newer than what"


class Collected(SpanProcessor):
    """Keeps ended spans and lets a test wait for one."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self._arrived = threading.Condition()

    def on_end(self, span: ReadableSpan) -> None:
        """Called by the SDK."""
        with self._arrived:
            self.spans.append(span)
            self._arrived.notify_all()

    def one(self) -> ReadableSpan:
        """The only span, as soon as it is there."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: bool(self.spans), timeout=10), "no span"
            assert len(self.spans) == 1, [(span.instrumentation_scope, span.name) for span in self.spans]
            return self.spans[0]


class Program:
    """A program that calls an SDK one way, instrumented until it says otherwise."""

    def __init__(self, sdk: Sdk, way: Way, *, asynchronous: bool) -> None:
        self.sdk, self.way, self.asynchronous = sdk, way, asynchronous
        self.collected, self.reader = Collected(), InMemoryMetricReader()
        self.tracers, self.meters = TracerProvider(), MeterProvider([self.reader])
        self.tracers.add_span_processor(self.collected)
        self.instrumentor: Any = getattr(instrumentors, sdk.instrumentor)()

    def instrument(self, **options: Any) -> None:
        """As a program does that keeps its own providers."""
        self.instrumentor.instrument(tracer_provider=self.tracers, meter_provider=self.meters, **options)

    async def run(self, *replies: Reply, take: int | None = None, retries: int = 0) -> list[Any]:
        """Make the call and read its result; what of it a program can see."""
        sdk, way, self.wire = self.sdk, self.way, Wire(self.sdk.http, *(replies or (Reply(self.way.body),)))
        client = sdk.make(self.wire, way, asynchronous=self.asynchronous, retries=retries, tracers=self.tracers)
        door = method(client, way.needs)
        if door is None or not _takes(way):
            option = ", ".join(way.ask.get("config", ()))
            pytest.skip(f"{sdk.distribution} lacks {way.needs}" + (f"({option})" if option else ""))
        return await read(way.kind, way.call(door, way.ask), take)

    def tokens(self) -> dict[str, float]:
        """The metric of tokens: type → sum."""
        data = self.reader.get_metrics_data()
        return {
            str((point.attributes or {})["gen_ai.token.type"]): point.sum  # type: ignore[union-attr]
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "gen_ai.client.token.usage"
            for point in metric.data.data_points
        }


def _takes(way: Way) -> bool:
    """Whether this version of google-genai knows what the way configures."""
    if "config" not in way.ask:
        return True
    from google.genai import types

    return set(way.ask["config"]) <= set(types.GenerateContentConfig.model_fields)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def program(
    request: pytest.FixtureRequest, case: tuple[Sdk, Way], caplog: pytest.LogCaptureFixture
) -> Iterator[Program]:
    """Both kinds of program.  Nothing that we patch may be missing, or the log would say so."""
    made = Program(*case, asynchronous=request.param)
    made.instrument()
    yield made
    made.instrumentor.uninstrument()
    made.tracers.shutdown()
    made.meters.shutdown()
    assert [r for r in caplog.records if r.name.startswith("otel_llm_cost") and UNTESTED not in r.getMessage()] == []


def each(cases: list[tuple[Sdk, Way]]) -> pytest.MarkDecorator:
    """One test per way."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case[0]} {case[1]}".replace(".", " "))


@each(CASES)
async def test_one_span_and_an_unaltered_answer(program: Program) -> None:
    observed = await program.run()
    span, way = program.collected.one(), program.way
    attributes = dict(span.attributes or {})
    assert {name: attributes.get(name) for name in way.said} == way.said
    assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
    assert attributes.get("llm_cost.stream.outcome") == ("completed" if way.streamed else None)
    used = {kind: way.said.get(f"gen_ai.usage.{kind}_tokens") for kind in ("input", "output")}
    assert program.tokens() == {kind: tokens for kind, tokens in used.items() if tokens is not None}
    program.instrumentor.uninstrument()
    plain = await program.run(Reply(way.unasked or way.body))
    assert observed == plain
    after = [scope.name for span in program.collected.spans[1:] if (scope := span.instrumentation_scope)]
    assert after == (["com.anthropic.sdk.python"] if program.sdk is ANTHROPIC and has_own_spans() else [])


@each(CASES)
async def test_an_error_is_the_sdks_own(program: Program) -> None:
    with pytest.raises(Exception) as observed:  # noqa: PT011  # which, the bare SDK says below
        await program.run(program.sdk.bad)
    span = program.collected.one()
    attributes = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.ERROR
    assert (attributes["llm_cost.error.class"], attributes["http.response.status_code"]) == ("bad_request", 400)
    assert "gen_ai.usage.input_tokens" not in attributes
    program.instrumentor.uninstrument()
    with pytest.raises(type(observed.value)) as plain:
        await program.run(program.sdk.bad)
    assert str(plain.value) == str(observed.value)


@each(STREAMS)
async def test_a_stream_left_early_ends_its_span(program: Program) -> None:
    gc.freeze()  # what is there already is not looked through again each time
    try:
        await program.run(take=1)
        for _ in range(10):  # the loop closes a collected generator in a task, which frees the next one in the chain
            gc.collect()
            await asyncio.sleep(0)
    finally:
        gc.unfreeze()
    attributes = dict(program.collected.one().attributes or {})
    assert attributes["llm_cost.stream.outcome"] in ("cancelled", "abandoned")


@each(RETRIED)
async def test_a_second_try_is_one_call_with_two_attempts(program: Program) -> None:
    await program.run(program.sdk.busy, Reply(program.way.body), retries=1)
    span = program.collected.one()
    attributes = dict(span.attributes or {})
    assert len(program.wire.sent) == 2
    assert attributes["http.request.resend_count"] == 1
    assert attributes["gen_ai.usage.output_tokens"] == 45
    (event,) = (dict(event.attributes or {}) for event in span.events if event.name == "gen_ai.client.attempt")
    assert (event["llm_cost.attempt.number"], event["http.response.status_code"]) == (1, program.sdk.busy.status)
    assert isinstance(event["llm_cost.attempt.wait"], float)


@each(FIRST)
async def test_an_untested_major_version_is_instrumented_with_one_warning(
    case: tuple[Sdk, Way], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sdk, _way = case

    def newer(name: str) -> str:
        return "99.1" if name == sdk.distribution else version(name)

    monkeypatch.setattr("otel_llm_cost.instrumentor.version", newer)
    made = Program(*case, asynchronous=False)
    made.instrument()
    try:
        await made.run()
    finally:
        made.instrumentor.uninstrument()
    assert not any("<" in asked for asked in made.instrumentor.instrumentation_dependencies())
    said = [(r.levelno, r.getMessage()) for r in caplog.records if r.name.startswith("otel_llm_cost")]
    assert [level for level, _ in said] == [logging.WARNING]
    assert said[0][1].startswith(f"{sdk.distribution} 99.1 {UNTESTED}")
    assert (made.collected.one().attributes or {})["gen_ai.usage.output_tokens"] == 45


class Logged(LogRecordProcessor):
    """Keeps log records; older OpenTelemetry calls them by another name."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def on_emit(self, log_record: Any) -> None:
        """Called by the SDK."""
        self.records.append(log_record.log_record)

    emit = on_emit

    def shutdown(self) -> None:
        """Nothing to do."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing to do."""
        return True


@each(FIRST)
async def test_content_as_an_event_and_on_the_span(case: tuple[Sdk, Way]) -> None:
    logged, loggers = Logged(), LoggerProvider()
    loggers.add_log_record_processor(logged)
    made = Program(*case, asynchronous=True)
    made.instrument(logger_provider=loggers, capture_content="span_and_event")
    try:
        await made.run()
    finally:
        made.instrumentor.uninstrument()
        loggers.shutdown()
    span = made.collected.one()
    (record,) = logged.records
    assert (record.event_name, record.span_id) == ("gen_ai.client.inference.operation.details", span.context.span_id)
    carriers: list[Any] = [record.attributes, span.attributes]
    for said in carriers:
        assert "Where?" in said["gen_ai.input.messages"]
        assert "Oslo" in said["gen_ai.output.messages"]


_UNCHANGED = """
import sys
sys.path.insert(0, {root!r})
from tests.versions.sdks import SDKS
from tests.versions.wire import Reply, Wire
from tests.versions.ways import method
sdk = next(sdk for sdk in SDKS if sdk.distribution == {distribution!r})
way = sdk.ways[0]
client = sdk.make(Wire(sdk.http, Reply(way.body)), way, asynchronous=False, retries=0, tracers=None)
way.call(method(client, way.needs), way.ask)
"""
_AUTO = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_an_unchanged_program_under_opentelemetry_instrument(sdk: Sdk) -> None:
    """With the global provider; where the SDK makes spans of its own, still one."""
    root = str(Path(__file__).resolve().parents[2])
    program = _UNCHANGED.format(root=root, distribution=sdk.distribution)
    others = {found.name for found in entry_points(group="opentelemetry_instrumentor")}
    environment = {
        **os.environ,
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(n for n in sorted(others) if not n.startswith("llm_cost_")),
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    command = [sys.executable, "-c", _AUTO, sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    spans, text = [], done.stdout.strip()
    while text:
        span, end = json.JSONDecoder().raw_decode(text)
        spans.append(span)
        text = text[end:].strip()
    assert [span["attributes"].get("gen_ai.usage.output_tokens") for span in spans] == [45], done.stdout
    assert "Traceback" not in done.stderr
    assert "otel_llm_cost" not in done.stderr
