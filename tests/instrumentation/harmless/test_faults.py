"""Whatever is broken in OpenTelemetry or in us, the program gets what it gets without us, and the log keeps quiet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from otel_llm_cost import provider as protocol
from otel_llm_cost import quiet, reaper

from .doors import FEW, SOME, STREAMS, Door, each, instrumented
from .faults import SECRET, fail, telemetry
from .hosts import cut

pytestmark = pytest.mark.integration

PROMPT = "Where?"
"""What every way asks."""
READERS = sorted(name for name in vars(protocol.Provider) if not name.startswith("_"))
OURS = {
    "otel_llm_cost.attributes": ["encode_request", "encode_closing", "encode_error"],
    "otel_llm_cost.call.OpenCall": ["__init__", "context", "observe", "answered", "sending", "try_failed", "streams"],
    "otel_llm_cost.call.Telemetry": ["record_usage", "report"],
    "otel_llm_cost.capture": ["fingerprint", "prompt_tokens"],
    "otel_llm_cost.capture.Capture": ["asked", "answered", "reads"],
    "otel_llm_cost.events.Events": ["rest"],
    "otel_llm_cost.reaper": ["start", "watch", "leave"],
    "otel_llm_cost.seen.Seen": ["said"],
    "otel_llm_cost.stream.Reading": ["_finished", "_interrupted", "_fault"],
    "otel_llm_cost.tap": ["_parsed"],
    "otel_llm_cost.turn": ["current_tags", "tags_of_call"],
    "otel_llm_cost.batch": ["current_tags"],
    "otel_llm_cost.waists.stainless": ["_wire", "_json"],
    "otel_llm_cost.waists.genai": ["_wire", "_wire_of", "_without_vectors"],
}
"""Without what stands between the program and the event that only we asked for: that event would be seen."""
PLACES = [f"{owner}.{name}" for owner, listed in OURS.items() for name in listed]


@pytest.fixture(autouse=True)
def _as_in_production(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Faults are logged, and each test is the first to see its own: what it left to the other thread ends with it."""
    monkeypatch.delenv(quiet.STRICT)
    monkeypatch.setattr(quiet, "_seen_faults", {})
    yield
    at_rest = threading.Event()
    reaper.start()
    reaper.leave(at_rest.set)
    assert at_rest.wait(30)


async def compare(door: Door, *, pieces: int = 0, take: int | None = None, **settings: object) -> None:
    """The program gets the same from the bare SDK and from the instrumented one."""
    seen, bare = door.host(), door.host()
    if pieces:
        seen.shape = bare.shape = cut(pieces)
    with instrumented(door, **settings):
        observed = await door.outcome(seen, take)
    assert observed == await door.outcome(bare, take)
    assert len(seen.requests) == len(bare.requests)


def ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What we logged."""
    logged = [record for record in caplog.records if record.name.startswith("otel_llm_cost")]
    text = "\n".join(logging.Formatter().format(record) for record in logged)
    assert SECRET not in text
    assert PROMPT not in text
    assert "Failed to detach" not in caplog.text
    return [record.getMessage() for record in logged]


@each(FEW)
@pytest.mark.parametrize("broken", telemetry())
async def test_broken_telemetry(door: Door, broken: str, caplog: pytest.LogCaptureFixture) -> None:
    await compare(door, **telemetry()[broken])
    logged = ours(caplog)
    assert len(logged) == len(set(logged))


@each(SOME)
async def test_a_reader_of_ours_that_raises(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in READERS:
        if name == "is_usage_only":  # without it nobody knows which event was not asked for
            continue
        with monkeypatch.context() as patched:
            patched.setattr(f"otel_llm_cost.providers.{door.sdk}.{name}", fail)
            await compare(door, capture_content="span_only")
            await compare(door, pieces=50)
    logged = ours(caplog)
    assert len(logged) == len(set(logged))


@each(SOME)
async def test_a_part_of_ours_that_raises(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for place in PLACES:
        with monkeypatch.context() as patched:
            patched.setattr(place, fail)
            await compare(door, pieces=50)
    ours(caplog)


@each(STREAMS)
async def test_a_reader_that_raises_while_a_stream_is_left(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for place in ("chunk", "said"):
        with monkeypatch.context() as patched:
            patched.setattr(f"otel_llm_cost.providers.{door.sdk}.{place}", fail)
            await compare(door, take=1)
    ours(caplog)


class _Refuses(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fail()


@each(STREAMS)
async def test_a_log_handler_that_raises(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    log, handler = logging.getLogger("otel_llm_cost"), _Refuses()
    log.addHandler(handler)
    try:
        monkeypatch.setattr(f"otel_llm_cost.providers.{door.sdk}.chunk", fail)
        await compare(door)
    finally:
        log.removeHandler(handler)
