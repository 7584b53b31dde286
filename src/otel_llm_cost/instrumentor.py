"""The OpenTelemetry entry points: what `opentelemetry-instrument` finds, and `OpenAIInstrumentor().instrument()`.

Patches wait for the SDK to be imported by the program itself, so that a program that never does pays nothing.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import version
from typing import Any, ClassVar, Final

import wrapt
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from .attempts import Sender
from .attributes import SCHEMA_URL
from .call import Telemetry
from .providers import openai
from .wrap import Settings, Waist

log = logging.getLogger(__name__)

PROVIDER_HOSTS: Final = "OTEL_LLM_COST_PROVIDER_HOSTS"
STREAM_USAGE: Final = "OTEL_LLM_COST_STREAM_USAGE"
_SCOPE: Final = "otel_llm_cost"

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


class _Patches:
    """Wraps attributes of modules once these are imported, and puts the originals back."""

    _waiting: ClassVar[dict[str, list[Callable[[Any], None]]]] = {}
    """Module → what to do when it is imported; one import hook per module, however often we are switched on."""

    def __init__(self) -> None:
        self._done: list[tuple[type, str, Any, Any]] = []
        self._active = True

    def add(self, module: str, owner: str, name: str, wrapper: Wrapper) -> None:
        """Wrap `module.owner.name` now, or when `module` is imported."""

        def patch(loaded: Any) -> None:
            if not self._active:
                return
            target = getattr(loaded, owner, None)
            original = vars(target).get(name) if target is not None else None
            if target is None or original is None:
                log.warning("%s.%s.%s is not there in this version: its calls go unseen", module, owner, name)
                return
            self._wrap(target, name, wrapper)
            for kind in _subclasses(target):
                # another instrumentation may have put a wrapper of the bare method on a subclass, above ours
                own = vars(kind).get(name)
                if own is not None and _innermost(own) is original and own is not original:
                    self._wrap(kind, name, wrapper)

        if module in sys.modules:
            patch(sys.modules[module])
            return
        if module not in self._waiting:
            self._waiting[module] = []
            wrapt.register_post_import_hook(lambda loaded: _run(self._waiting.pop(module), loaded), module)
        self._waiting[module].append(patch)

    def _wrap(self, target: type, name: str, wrapper: Wrapper) -> None:
        original = vars(target)[name]
        wrapped = wrapt.FunctionWrapper(original, self._while_active(wrapper))
        setattr(target, name, wrapped)
        self._done.append((target, name, original, wrapped))

    def _while_active(self, wrapper: Wrapper) -> Wrapper:
        """Others may keep a reference to what we wrapped; it falls silent when we are switched off."""

        def active(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return wrapper(wrapped, instance, args, kwargs) if self._active else wrapped(*args, **kwargs)

        return active

    def undo(self) -> None:
        """Restore every original that nobody has wrapped since."""
        self._active = False
        while self._done:
            target, name, original, wrapped = self._done.pop()
            if vars(target).get(name) is wrapped:
                setattr(target, name, original)


def _run(patches: list[Callable[[Any], None]], loaded: Any) -> None:
    for patch in patches:
        patch(loaded)


def _subclasses(kind: type) -> Iterator[type]:
    child: type
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _innermost(function: Any) -> Any:
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        function = inner
    return function


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
