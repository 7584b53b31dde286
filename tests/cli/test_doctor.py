from __future__ import annotations

import json
import socket
import threading
from contextlib import closing, contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from otel_llm_cost_exporter.cli import app, findings, reach
from otel_llm_cost_exporter.cli.endpoint import endpoint
from otel_llm_cost_exporter.cli.findings import INSTRUMENTORS, EntryPoint, Finding, Surroundings
from otel_llm_cost_exporter.store import Store

from .conftest import held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typer.testing import CliRunner

OURS = EntryPoint(group=INSTRUMENTORS, name="llm_cost_openai", distribution="otel-llm-cost")
PEER = EntryPoint(group=INSTRUMENTORS, name="openai", distribution="opentelemetry-instrumentation-openai-v2")


def around(**changed: Any) -> Surroundings:
    plain: dict[str, Any] = {
        "env": {},
        "python": (3, 12),
        "installed": {"openai": "3.52.0"},
        "entry_points": [OURS],
        "launcher": "/bin/opentelemetry-instrument",
    }
    return Surroundings(**(plain | changed))


def status(found: Iterator[Finding]) -> str:
    """The worst of some findings; whatever is not in order must name its remedy."""
    seen = list(found)
    assert all(finding.remedy for finding in seen if finding.status != "ok")
    return max((finding.status for finding in seen), key=["ok", "warn", "fail"].index)


def test_a_sound_environment_has_nothing_to_complain_of() -> None:
    for check in findings.LOCAL:
        assert status(check(around())) == "ok", check.__name__


@pytest.mark.parametrize(
    ("check", "changed", "expected"),
    [
        (findings.python_version, {"python": (3, 10)}, "fail"),
        (findings.sdks, {"installed": {}}, "warn"),
        (findings.sdks, {"installed": {"anthropic": "0.49.1"}}, "warn"),
        (findings.sdks, {"installed": {"anthropic": "1.20.0", "google-genai": "1.30.0"}}, "ok"),
        (findings.registration, {"entry_points": [PEER]}, "fail"),
        (findings.launcher, {"launcher": None}, "fail"),
        (findings.double_counting, {"entry_points": [OURS, PEER]}, "warn"),
        (findings.double_counting, {"entry_points": [OURS, PEER], "installed": {}}, "ok"),
        (findings.disabled, {"env": {"OTEL_SDK_DISABLED": "True"}}, "fail"),
        (findings.disabled, {"env": {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask, llm_cost_openai"}}, "fail"),
        (findings.disabled, {"env": {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai"}}, "ok"),
        (findings.disabled, {"env": {"OTEL_TRACES_SAMPLER": "always_off"}}, "fail"),
        (
            findings.disabled,
            {"env": {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}},
            "warn",
        ),
        (findings.disabled, {"env": {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}}, "ok"),
    ],
)
def test_each_fault_is_found(
    check: Callable[[Surroundings], Iterator[Finding]], changed: dict[str, Any], expected: str
) -> None:
    assert status(check(around(**changed))) == expected


def test_the_remedy_for_double_counting_keeps_what_is_off_already() -> None:
    env = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask"}
    (found,) = findings.double_counting(around(env=env, entry_points=[OURS, PEER]))
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=flask,openai" in found.remedy
    (done,) = findings.double_counting(
        around(env={"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai"}, entry_points=[OURS, PEER])
    )
    assert done.status == "ok"


@contextmanager
def listening() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@contextmanager
def answering(code: int, said: bytes) -> Iterator[int]:
    """An HTTP server that answers every GET so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002  # the base class's name

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_collector_that_listens_is_found_and_one_that_does_not_is_missed() -> None:
    with listening() as port:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        assert status(reach.exporter(env)) == "ok"
    assert status(reach.exporter(env)) == "fail"
    assert status(reach.exporter({"OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1"})) == "fail"


@pytest.mark.parametrize("said", ["http://localhost:abc", "http://localhost:99999", "http://[::1", "http://", "  /v1"])
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_an_endpoint_that_is_none_is_a_finding(said: str, protocol: str) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": said, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    assert status(reach.exporter(env)) == "fail"


def test_grpc_takes_an_endpoint_without_a_scheme_and_then_speaks_tls() -> None:
    with listening() as port:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"127.0.0.1:{port}"}
        found = list(reach.exporter(env))
        assert [finding.status for finding in found] == ["warn", "ok"]
        assert f"http://127.0.0.1:{port}" in found[0].remedy
        assert status(reach.exporter(env | {"OTEL_EXPORTER_OTLP_INSECURE": "true"})) == "ok"
        assert status(reach.exporter(env | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})) == "fail"


@pytest.mark.parametrize(
    ("said", "protocol", "port"),
    [
        ("", "grpc", 4317),
        ("", "http/protobuf", 4318),
        ("http://h", "grpc", 443),
        ("h", "grpc", 443),
        ("http://h", "http/protobuf", 80),
        ("https://h", "http/protobuf", 443),
        ("http://[::1]:7", "grpc", 7),
    ],
)
def test_the_port_is_the_one_that_the_exporter_goes_to(said: str, protocol: str, port: int) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": said, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    assert endpoint(env).port == port


def test_over_http_the_collector_is_asked_whether_it_is_ready() -> None:
    env = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    with answering(503, b"the store is gone") as port:
        (found,) = reach.exporter(env | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"})
        assert found.status == "fail"
        assert "the store is gone" in found.detail
    with answering(200, b"ready") as port:
        said = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{port}/v1/traces"}
        assert status(reach.exporter(env | said | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})) == "ok"


def test_exporters_that_reach_nobody_are_told() -> None:
    assert status(reach.exporter({"OTEL_TRACES_EXPORTER": "none"})) == "warn"
    assert status(reach.exporter({"OTEL_TRACES_EXPORTER": "console"})) == "warn"
    assert status(reach.exporter({"OTEL_TRACES_EXPORTER": "llm_cost"})) == "ok"


def test_a_store_is_good_missing_unmigrated_or_broken(dsn: str, tmp_path: Path) -> None:
    assert status(reach.store(dsn, asked=True)) == "ok"
    assert status(reach.store(f"chdb://{tmp_path}/none", asked=True)) == "warn"
    assert status(reach.store(f"chdb://{tmp_path}/none", asked=False)) == "ok"
    assert status(reach.store("mysql://here", asked=True)) == "fail"
    bare = tmp_path / "bare.db"
    Store.open(f"chdb://{bare}", migrate=False).close()
    bare.mkdir(exist_ok=True)
    assert status(reach.store(f"chdb://{bare}", asked=True)) == "fail"


def test_a_store_that_a_collector_holds_is_as_it_should_be(dsn: str) -> None:
    with held(dsn) as pid:
        (found,) = reach.store(dsn, asked=True)
    assert found.status == "ok"
    assert str(pid) in found.detail


def test_a_file_where_the_store_should_be_is_a_fault(tmp_path: Path) -> None:
    junk = tmp_path / "x"
    junk.write_text("junk")
    assert status(reach.store(f"chdb://{junk}", asked=True)) == "fail"


def test_old_prices_and_broken_overlays_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert status(reach.prices(date(2020, 1, 1))) == "ok"
    assert status(reach.prices(date(2099, 1, 1))) == "warn"
    overlay = tmp_path / "overlay.json"
    overlay.write_text("{")
    monkeypatch.setenv("OTEL_LLM_COST_PRICES", str(overlay))
    assert status(reach.prices()) == "fail"


def test_the_command_fails_when_something_is_broken(
    runner: CliRunner, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    sound = runner.invoke(app, ["doctor", "--json", "--store", dsn])
    assert sound.exit_code == 0, sound.output
    checks = {finding["check"] for finding in json.loads(sound.stdout)}
    assert checks >= {"python", "sdk", "entry points", "double counting", "sampling", "collector", "store", "prices"}
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    broken = runner.invoke(app, ["doctor"])
    assert broken.exit_code == 1
    assert "unset OTEL_SDK_DISABLED" in broken.stdout
