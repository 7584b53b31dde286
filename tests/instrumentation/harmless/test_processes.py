"""Programs that fork, spawn, or end with streams open: none waits, none says anything, each call is reported once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instrumentation.conftest import watching

from .doors import INSTRUMENTORS, STREAMS, Door, each

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
SYNC = [door for door in STREAMS if not door.asynchronous and door.way.read == "stream"]


@each(SYNC)
def test_a_fork_in_the_middle_of_a_stream(door: Door) -> None:
    with watching(INSTRUMENTORS[door.sdk]) as seen, door.sync_client(door.host()) as client:
        stream = door.way.call(client)
        iterator = iter(stream)
        next(iterator)
        pid = os.fork()
        if not pid:
            code = 99
            try:
                list(iterator)
                with door.sync_client(door.host()) as other:  # a call of the child's own
                    list(door.way.call(other))
                code = len(seen.spans)
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
        list(iterator)
        assert len(seen.collected.wait()) == 1


_PROGRAM = """
import multiprocessing, sys, warnings
warnings.simplefilter("ignore", ResourceWarning)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from tests.instrumentation.harmless.doors import ALL, INSTRUMENTORS
door = next(door for door in ALL if door.name == {name!r})
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(formatter=lambda span: f"SPAN {{span.name}}\\n")))
INSTRUMENTORS[door.sdk]().instrument(tracer_provider=provider)
streams = []
def use():
    stream = door.way.call(door.host().client())
    next(iter(stream))
    streams.append(stream)
if __name__ == "__main__":
    use()
    {ending}
"""


_SLOW = [
    pytest.param(ending, marks=pytest.mark.integration) for ending in ("pass", "sys.exit(0)", "import gc; gc.freeze()")
]


@each([door for door in SYNC if door.way.name in ("chat stream", "messages stream", "stream")])
@pytest.mark.parametrize("ending", ["streams.append(streams)", *_SLOW])
def test_a_program_that_ends_with_an_open_stream(door: Door, ending: str) -> None:
    program = _PROGRAM.format(name=door.name, ending=ending)
    command = [sys.executable, "-W", "error::RuntimeWarning", "-X", "dev", "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment, cwd=ROOT)
    assert done.stdout.count("SPAN") == 1
    assert "otel_llm_cost" not in done.stderr
    assert "Failed to detach" not in done.stderr


def test_a_spawned_process_starts_with_nothing(tmp_path: Path) -> None:
    program = _PROGRAM.format(
        name=SYNC[0].name,
        ending='p = multiprocessing.get_context("spawn").Process(target=use); p.start(); p.join()',
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment, cwd=ROOT)
    assert done.stdout.count("SPAN") == 2  # the parent's and the child's
