"""A collector that is started under opentelemetry-instrument does not watch itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.forward.receivers import http_receiver

_PROGRAM = """
import sys
from opentelemetry import trace
from otel_llm_cost.instrumentor import OpenAIInstrumentor

def span():
    with trace.get_tracer("a server's instrumentation").start_as_current_span("POST /v1/traces"):
        pass

assert OpenAIInstrumentor().is_instrumented_by_opentelemetry
if sys.argv[1] == "alone":
    from otel_llm_cost_exporter.observe import stand_alone
    assert stand_alone()
    assert not OpenAIInstrumentor().is_instrumented_by_opentelemetry
span()
"""


def _spans_sent(tmp_path: Path, how: str) -> bool:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    with http_receiver() as receiver:
        environ = os.environ | {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address,
        }
        command = Path(sys.executable).with_name("opentelemetry-instrument")
        done = subprocess.run(
            [command, sys.executable, program, how],
            env=environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return not receiver.got.empty()


def test_spans_are_not_sent_once_it_stands_alone(tmp_path: Path) -> None:
    assert _spans_sent(tmp_path, "instrumented")
    assert not _spans_sent(tmp_path, "alone")


def test_a_process_that_is_not_instrumented_is_left_as_it_is() -> None:
    program = "from otel_llm_cost_exporter.observe import stand_alone; assert not stand_alone()"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
