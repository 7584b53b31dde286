"""What Prometheus reads, and where the metrics do not go."""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry import metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from otel_llm_cost_exporter.forward import BadTarget, Target
from otel_llm_cost_exporter.observe import (
    Observer,
    Readings,
    Received,
    Rollups,
    free_bytes,
    push_target,
    resident_bytes,
)
from otel_llm_cost_exporter.observe.instruments import INSTRUMENTS
from otel_llm_cost_exporter.observe.page import SAMPLE, prometheus_names, written_into

PAGE = Path(__file__).parents[2] / "docs" / "observe.md"


def shown(observer: Observer) -> dict[str, Any]:
    """Every sample: its name with its labels, and its value."""
    text, kind = observer.render()
    assert kind.startswith("text/plain; version=0.0.4")
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if family.name != "target_info"
    }


def test_prometheus_reads_totals_and_reasons_under_its_own_names() -> None:
    readings = Readings(received=Received(requests=3, spans=512, refused={"no_key": 2, "rate_limited": 1}))
    with Observer(lambda: readings) as observer:
        assert shown(observer) == {
            "llm_cost_collector_received_requests_total": 3,
            "llm_cost_collector_received_spans_total": 512,
            "llm_cost_collector_refused_requests_total{reason=no_key}": 2,
            "llm_cost_collector_refused_requests_total{reason=rate_limited}": 1,
        }


def test_unknown_is_not_zero() -> None:
    with Observer(lambda: Readings(received=Received(requests=0))) as observer:
        assert shown(observer) == {"llm_cost_collector_received_requests_total": 0}


def test_a_drift_may_be_negative_and_says_of_which_rollup() -> None:
    with Observer(lambda: Readings(rollups=Rollups(drift={"llm_cost_hourly": -7}))) as observer:
        assert shown(observer) == {"llm_cost_collector_rollup_drift{rollup=llm_cost_hourly}": -7}


def test_every_reading_has_a_metric_and_totals_are_counters() -> None:
    with Observer(lambda: SAMPLE) as observer:
        text = observer.render()[0].decode()
    families = {family.documentation: family for family in text_string_to_metric_families(text)}
    assert len(families) == len(INSTRUMENTS) + 1, "target_info, and one of each"
    for instrument in INSTRUMENTS:
        family = families[instrument.description]
        assert family.type == ("counter" if instrument.kind == "counter" else "gauge")
        assert family.samples[0].name.endswith("_total") == (instrument.kind == "counter")
        assert family.samples[0].value == 1
    assert sum(len(fields(group)) for group in _groups(SAMPLE)) == len(INSTRUMENTS)


def _groups(readings: Readings) -> Iterator[Any]:
    for field in fields(readings):
        group = getattr(readings, field.name)
        assert is_dataclass(group)
        assert None not in [getattr(group, one.name) for one in fields(group)]
        yield group


def test_no_metric_is_the_family_of_another() -> None:
    names = [instrument.name for instrument in INSTRUMENTS]
    assert not [(a, b) for a in names for b in names if b.startswith(a + ".")]


def test_nothing_is_read_until_asked_and_once_for_all_metrics() -> None:
    asked: list[int] = []

    def read() -> Readings:
        asked.append(len(asked))
        return Readings(received=Received(requests=len(asked)))

    with Observer(read) as observer:
        assert asked == []
        assert shown(observer) == {"llm_cost_collector_received_requests_total": 1}
        assert shown(observer) == {"llm_cost_collector_received_requests_total": 2}


def test_many_may_ask_at_once() -> None:
    with Observer(lambda: SAMPLE) as observer, ThreadPoolExecutor(8) as pool:
        whole = shown(observer)
        assert all(found == whole for found in pool.map(lambda _: shown(observer), range(40)))


def test_a_fault_in_a_reading_is_said_once_and_the_page_stays(caplog: pytest.LogCaptureFixture) -> None:
    def read() -> Readings:
        raise OSError("no disk")

    with Observer(read) as observer:
        assert shown(observer) == shown(observer) == {}
    assert [record.message for record in caplog.records] == ["the collector's metrics cannot be read"]


def test_others_metrics_and_ours_do_not_meet() -> None:
    before = metrics.get_meter_provider()
    with Observer(lambda: SAMPLE) as one, Observer(Readings) as other:
        assert metrics.get_meter_provider() is before
        assert shown(one) != shown(other) == {}
        assert not [family for family in REGISTRY.collect() if family.name.startswith("llm_cost")]


def test_metrics_that_are_turned_off_are_said_to_be(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with Observer(lambda: SAMPLE) as observer:
        assert b"llm_cost_collector" not in observer.render()[0]
    assert "OTEL_SDK_DISABLED" in caplog.text


def test_who_says_it_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-7,region=eu")
    with Observer(lambda: SAMPLE) as observer:
        text = observer.render()[0].decode()
    assert 'service_instance_id="pod-7"' in text
    assert 'service_name="otel-llm-cost-collector"' in text
    assert 'region="eu"' in text


def test_the_machine_is_read(tmp_path: Path) -> None:
    assert (resident_bytes() or 0) > 1_000_000
    assert (free_bytes(tmp_path) or 0) > 0
    assert free_bytes(tmp_path / "nowhere") is None


def test_the_page_names_every_metric_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written_into(page) == page, "run python -m otel_llm_cost_exporter.observe"


def test_alerts_ask_for_metrics_that_there_are() -> None:
    asked = set(re.findall(r"llm_cost_collector_\w+", PAGE.read_text(encoding="utf-8").partition("```yaml")[2]))
    assert len(asked) > 4
    assert asked <= set(prometheus_names().values())


# --- pushed


@contextmanager
def _http() -> Iterator[tuple[str, queue.Queue[bytes]]]:
    got: queue.Queue[bytes] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/metrics"
            got.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


@contextmanager
def _grpc() -> Iterator[tuple[str, queue.Queue[bytes]]]:
    got: queue.Queue[bytes] = queue.Queue()

    def export(body: bytes, context: Any) -> bytes:
        got.put(body)
        return b""

    server = grpc.server(ThreadPoolExecutor(2))
    service = "opentelemetry.proto.collector.metrics.v1.MetricsService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"Export": grpc.unary_unary_rpc_method_handler(export)}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"grpc://127.0.0.1:{port}", got
    server.stop(0).wait()


@pytest.mark.parametrize("endpoint", [_http, _grpc])
def test_metrics_are_sent_where_the_environment_says(endpoint: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with endpoint() as (address, got):
        target = push_target({"OTEL_LLM_COST_METRICS_ENDPOINT": address})
        with Observer(lambda: SAMPLE, push_to=target):
            pass  # the last of it is sent as it closes
        sent = ExportMetricsServiceRequest.FromString(got.get(timeout=5))
    names = {metric.name for r in sent.resource_metrics for scope in r.scope_metrics for metric in scope.metrics}
    assert {instrument.name for instrument in INSTRUMENTS} <= names
    assert not caplog.records


def test_nowhere_is_said_by_saying_nothing() -> None:
    assert push_target({}) is None
    assert isinstance(push_target({"OTEL_LLM_COST_METRICS_ENDPOINT": "https://example.com"}), Target)
    with pytest.raises(BadTarget):
        push_target({"OTEL_LLM_COST_METRICS_ENDPOINT": "example.com:4318"})
