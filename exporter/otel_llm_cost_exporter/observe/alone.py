"""The collector is not instrumented, even where its process was started under `opentelemetry-instrument`.

Its servers would make a span of every request that they take and send it to the default endpoint, which is the
collector: each of those requests would make a span, and so on without end.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # it has an odd __all__
    BaseInstrumentor,
)

_log = logging.getLogger(__name__)

_PATIENCE: Final = 1.0
"""Seconds."""


def stand_alone() -> bool:
    """Undo what was instrumented in this process and shut the global providers down; whether there was any.

    To be called before the servers' libraries are imported: some instrumentations replace classes in them.
    """
    providers = [provider for provider in _global_providers() if hasattr(provider, "shutdown")]
    instrumented = [found for found in _instrumentors() if found.is_instrumented_by_opentelemetry]
    for instrumentor in instrumented:
        try:
            instrumentor.uninstrument()
        except Exception:  # noqa: BLE001  # somebody else's, and without a provider it has nowhere to send to
            _log.warning("%s could not be undone", type(instrumentor).__name__, exc_info=True)
    for handler in [found for found in logging.root.handlers if type(found).__module__.startswith("opentelemetry.")]:
        logging.root.removeHandler(handler)
    _shut_down(providers)
    if providers or instrumented:
        _log.warning(
            "the collector was started under opentelemetry-instrument, which would have it send its own spans to"
            " itself: that is undone. Start it without; its metrics are at /metrics."
        )
    return bool(providers or instrumented)


def _global_providers() -> list[Any]:
    return [trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()]


def _instrumentors() -> list[BaseInstrumentor]:
    """Those that were loaded; each is the only one of its class."""
    found = []
    for entry in entry_points(group="opentelemetry_instrumentor"):
        kind = getattr(sys.modules.get(entry.module), entry.attr, None)
        if isinstance(kind, type) and issubclass(kind, BaseInstrumentor):
            found.append(kind())
    return found


def _shut_down(providers: Iterable[Any]) -> None:
    """At once, each tries to send what it has first, perhaps to the port that is not open yet; not waited for long."""
    threads = [threading.Thread(target=_end, args=(provider,), daemon=True) for provider in providers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _end(provider: Any) -> None:
    takes_time = isinstance(provider, metrics.MeterProvider)  # the others wait as long as they like
    with suppress(Exception):  # it says that there was no time to send, which is as it should be
        provider.shutdown(**({"timeout_millis": 100} if takes_time else {}))
