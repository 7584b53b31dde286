"""The collector's own metrics, for Prometheus to fetch and for an OTLP endpoint that is asked for.

The meter provider is private and nobody's spans are made: were the process's own telemetry to go by the global
providers, it would come in at the collector's own ports and make more of itself.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final, Self

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider  # noqa: TID251  # this is no instrumentation
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader  # noqa: TID251  # as above
from opentelemetry.sdk.resources import Resource  # noqa: TID251  # this is no instrumentation
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from otel_llm_cost_exporter.forward import Target
from otel_llm_cost_exporter.forward.target import METRICS_PATH

from .instruments import INSTRUMENTS, Instrument, Kind
from .readings import Readings

_log = logging.getLogger(__name__)

ENDPOINT_VARIABLE: Final = "OTEL_LLM_COST_METRICS_ENDPOINT"
"""Environment variable with an OTLP endpoint that the metrics are sent to as well: http(s):// or grpc(s)://."""
_DISABLED: Final = "OTEL_SDK_DISABLED"
_FRESH: Final = 0.1
"""Seconds for which one look at the collector serves: all metrics of one answer are of one moment."""
_EVERY_MS: Final = 60_000
_SAID_EVERY: Final = 60.0


class Observer:
    """Runs from construction to `close`.  `read` gives the readings now; it is called when somebody asks, never else.

    `push_to` gets the metrics over OTLP every minute; see `forward.refuse_own` for what it must not be.
    """

    def __init__(self, read: Callable[[], Readings], *, push_to: Target | None = None) -> None:
        self._look = _Look(read)
        self._rendering = threading.Lock()
        self._registry = CollectorRegistry(auto_describe=False)
        readers: list[MetricReader] = [PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)]
        if push_to is not None:
            readers.append(PeriodicExportingMetricReader(_exporter(push_to), export_interval_millis=_EVERY_MS))
        self._provider = MeterProvider(readers, _resource(), shutdown_on_exit=False)
        meter = self._provider.get_meter("otel_llm_cost_exporter", version("otel-llm-cost"))
        for instrument in INSTRUMENTS:
            self._observe(meter, instrument)
        if os.environ.get(_DISABLED, "").strip().lower() == "true":
            _log.warning("%s is set: there are no metrics of the collector, at /metrics neither", _DISABLED)

    def render(self) -> tuple[bytes, str]:
        """What Prometheus is answered: the text and its content type."""
        with self._rendering:  # the reader hands one collection's metrics to whoever comes first
            self._look.again()
            return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def close(self, timeout: float = 3.0) -> None:
        """Send the last of it where it is sent, for at most so many seconds."""
        self._provider.shutdown(timeout_millis=timeout * 1000)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _observe(self, meter: Meter, instrument: Instrument) -> None:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            del options
            readings = self._look.now()
            return () if readings is None else observations(instrument, readings)

        create: dict[Kind, Any] = {
            "counter": meter.create_observable_counter,
            "up-down counter": meter.create_observable_up_down_counter,
            "gauge": meter.create_observable_gauge,
        }
        create[instrument.kind](instrument.name, [observe], instrument.unit, instrument.description)


def observations(instrument: Instrument, readings: Readings) -> list[Observation]:
    """The values of one metric; none where nothing is known."""
    value = instrument.read(readings)
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [Observation(one, {instrument.label: name}) for name, one in value.items()]
    return [Observation(value)]


class _Look:
    """The readings of about now, taken once for all metrics of an answer."""

    def __init__(self, read: Callable[[], Readings]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._readings: Readings | None = None
        self._taken = self._said = float("-inf")

    def now(self) -> Readings | None:
        """None where they cannot be taken, which is said, but not at every fetch."""
        with self._lock:
            if time.monotonic() > self._taken + _FRESH:
                self._readings = self._take()
                self._taken = time.monotonic()
            return self._readings

    def again(self) -> None:
        """Look anew when next asked."""
        with self._lock:
            self._taken = float("-inf")

    def _take(self) -> Readings | None:
        try:
            return self._read()
        except Exception:  # noqa: BLE001  # a fault in a reading must not take the page with it
            if time.monotonic() > self._said + _SAID_EVERY:
                self._said = time.monotonic()
                _log.exception("the collector's metrics cannot be read")
            return None


def _resource() -> Resource:
    """Who says it: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before our own words."""
    ours = {
        "service.name": "otel-llm-cost-collector",
        "service.version": version("otel-llm-cost"),
        "service.instance.id": str(uuid.uuid4()),
    }
    theirs = Resource.create().attributes
    named = {name for name in ours if name in theirs and not str(theirs[name]).startswith("unknown_service")}
    return Resource.create({name: value for name, value in ours.items() if name not in named})


def _exporter(target: Target) -> Any:
    """Either of OpenTelemetry's own exporters; they bring their own patience and say themselves what goes wrong."""
    if target.speaks_grpc:
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415  # only where asked for
            OTLPMetricExporter as OverGrpc,
        )

        return OverGrpc(endpoint=target.authority, insecure=not target.secure)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415  # only where asked for
        OTLPMetricExporter as OverHttp,
    )

    return OverHttp(endpoint=target.url(METRICS_PATH))


def push_target(environ: Mapping[str, str] = os.environ) -> Target | None:
    """Where the environment has the metrics sent, if anywhere.  Raises BadTarget."""
    address = environ.get(ENDPOINT_VARIABLE, "").strip()
    return Target.parse(address, environ={}) if address else None
