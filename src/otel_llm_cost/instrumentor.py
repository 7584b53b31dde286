"""The OpenTelemetry entry points: what `opentelemetry-instrument` finds, and `OpenAIInstrumentor().instrument()`.

Patches wait for the SDK to be imported by the program itself, so that a program that never does pays nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from typing import Any, Final

import wrapt
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from .attributes import SCHEMA_URL
from .call import Telemetry
from .providers import openai
from .wrap import Sender, Settings, Waist

log = logging.getLogger(__name__)

PROVIDER_HOSTS: Final = "OTEL_LLM_COST_PROVIDER_HOSTS"
STREAM_USAGE: Final = "OTEL_LLM_COST_STREAM_USAGE"
_SCOPE: Final = "otel_llm_cost"

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


class _Patches:
    """Wraps attributes of modules once these are imported, and puts the originals back."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []
        self._active = True

    def add(self, module: str, owner: str, name: str, wrapper: Wrapper) -> None:
        """Wrap `module.owner.name` now, or when `module` is imported."""

        def patch(loaded: Any) -> None:
            target = getattr(loaded, owner, None)
            original = vars(target).get(name) if target is not None else None
            if not self._active:
                return
            if original is None:
                log.warning("%s.%s.%s is not there in this version: its calls go unseen", module, owner, name)
                return
            wrapped = wrapt.FunctionWrapper(original, wrapper)
            setattr(target, name, wrapped)
            self._done.append((target, name, original, wrapped))

        wrapt.register_post_import_hook(patch, module)

    def undo(self) -> None:
        """Restore every original that nobody has wrapped since; what others wrapped is left to them."""
        self._active = False
        while self._done:
            target, name, original, wrapped = self._done.pop()
            if vars(target).get(name) is wrapped:
                setattr(target, name, original)
            else:
                wrapped._self_wrapper = _passing_through


def _passing_through(wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return wrapped(*args, **kwargs)


class OpenAIInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Emits a GenAI span and metrics for every call of the OpenAI SDK.

    `instrument()` takes `tracer_provider`, `meter_provider`, `stream_usage` (False: streams are sent as they are, and
    most then report no usage) and `provider_hosts` (host or host:port → provider name).
    """

    _patches: _Patches | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """No upper bound: on an unknown major version the calls are seen as far as they can be."""
        return ("openai >= 1.60",)

    def _instrument(self, **kwargs: Any) -> None:
        own = version("otel-llm-cost")
        telemetry = Telemetry(
            trace.get_tracer(_SCOPE, own, kwargs.get("tracer_provider"), SCHEMA_URL),
            metrics.get_meter(_SCOPE, own, kwargs.get("meter_provider"), SCHEMA_URL),
        )
        waist = Waist(openai, telemetry, _settings(kwargs, os.environ))
        sender = Sender()
        patches = _Patches()
        patches.add("openai._base_client", "SyncAPIClient", "request", waist.sync)
        patches.add("openai._base_client", "AsyncAPIClient", "request", waist.asynchronous)
        for http in ("httpx", "httpx2"):
            patches.add(http, "Client", "send", sender.sync)
            patches.add(http, "AsyncClient", "send", sender.asynchronous)
        self._patches = patches

    def _uninstrument(self, **_kwargs: Any) -> None:
        if self._patches is not None:
            self._patches.undo()
            self._patches = None


def _settings(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    stream_usage = given.get("stream_usage")
    if stream_usage is None:
        stream_usage = environ.get(STREAM_USAGE, "true").strip().lower() not in ("false", "0", "no", "off")
    hosts = given.get("provider_hosts")
    return Settings(stream_usage, dict(hosts) if hosts is not None else _hosts(environ.get(PROVIDER_HOSTS, "")))


def _hosts(listed: str) -> dict[str, str]:
    """`gateway.corp=openai,127.0.0.1:8080=anthropic` as a mapping; an entry that is none is named and passed over."""
    hosts: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in listed.split(","))):
        host, equals, name = entry.rpartition("=")
        if equals and host and name:
            hosts[host.strip()] = name.strip()
        else:
            log.warning("%s: %r is not of the form host=provider or host:port=provider; ignored", PROVIDER_HOSTS, entry)
    return hosts
