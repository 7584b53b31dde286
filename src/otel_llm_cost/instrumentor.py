"""The OpenTelemetry entry points: what `opentelemetry-instrument` finds, and `OpenAIInstrumentor().instrument()`.

Every instrumentor takes the same arguments: `tracer_provider`, `meter_provider`, `logger_provider`; `stream_usage`
(False: streams are sent as they are, and most of OpenAI's then report no usage); `provider_hosts` (host or host:port →
provider name); `capture_content` (no_content, span_only, event_only, span_and_event), `content_max_length` (characters
of one text, 0 for all), `redact` (a function of a text) and `embed` (a function from a text to a vector).  What is not
given comes from the environment, see `configure`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from . import configure
from .attempts import Sender
from .attributes import SCHEMA_URL
from .call import Telemetry
from .patches import Patches, Shared
from .providers import anthropic, google, openai
from .turn import Settings
from .waists import anthropic_spans
from .waists.gapic import AIPLATFORM, GENERATIVEAI, Gapic, Target
from .waists.genai import GenAI, Interactions, Tries
from .waists.stainless import Stainless

log = logging.getLogger(__name__)

_SCOPE: Final = "otel_llm_cost"


def _watch_sends(patches: Patches) -> None:
    sender = Sender()
    for http in ("httpx", "httpx2"):
        patches.add(http, "Client", "send", sender.sync)
        patches.add(http, "AsyncClient", "send", sender.asynchronous)


_SENDS: Final = Shared(_watch_sends)


class _Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """What the instrumentors have in common; a subclass says which SDK it is for and what to patch there."""

    _sdk: ClassVar[str]
    """The SDK's distribution."""
    _oldest: ClassVar[str]
    _newest_major: ClassVar[int]
    """The newest major version that our tests run against."""
    _patches: Patches | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """No upper bound: on an unknown major version the calls are seen as far as they can be."""
        return (f"{self._sdk} >= {self._oldest}",)

    def _instrument(self, **kwargs: Any) -> None:
        _warn_if_untested(self._sdk, self._newest_major)
        own, capture = version("otel-llm-cost"), configure.capture(kwargs)
        telemetry = Telemetry(
            trace.get_tracer(_SCOPE, own, kwargs.get("tracer_provider"), SCHEMA_URL),
            metrics.get_meter(_SCOPE, own, kwargs.get("meter_provider"), SCHEMA_URL),
            _logs.get_logger(_SCOPE, own, kwargs.get("logger_provider"), SCHEMA_URL) if capture.on_event else None,
            capture,
            _flush(kwargs.get("tracer_provider")),
        )
        self._patches = Patches()
        self._patch(self._patches, telemetry, configure.settings(kwargs))
        _SENDS.hold()

    def _patch(self, patches: Patches, telemetry: Telemetry, settings: Settings) -> None:
        raise NotImplementedError

    def _uninstrument(self, **_kwargs: Any) -> None:
        if self._patches is not None:
            self._patches.undo()
            self._patches = None
            _SENDS.release()


class OpenAIInstrumentor(_Instrumentor):
    """Emits a GenAI span and metrics for every call of the OpenAI SDK."""

    _sdk, _oldest, _newest_major = "openai", "1.60", 3

    def _patch(self, patches: Patches, telemetry: Telemetry, settings: Settings) -> None:
        waist = Stainless(openai, telemetry, settings)
        patches.add("openai._base_client", "SyncAPIClient", "request", waist.sync)
        patches.add("openai._base_client", "AsyncAPIClient", "request", waist.asynchronous)


class AnthropicInstrumentor(_Instrumentor):
    """Emits a GenAI span and metrics for every call of the Anthropic SDK, in place of the SDK's own span."""

    _sdk, _oldest, _newest_major = "anthropic", "0.50", 2

    def _patch(self, patches: Patches, telemetry: Telemetry, settings: Settings) -> None:
        waist = Stainless(anthropic, telemetry, settings)
        patches.add("anthropic._base_client", "SyncAPIClient", "request", waist.sync)
        patches.add("anthropic._base_client", "AsyncAPIClient", "request", waist.asynchronous)
        for module, name in anthropic_spans.TARGETS:
            patches.add(module, "", name, anthropic_spans.stand_in, optional=True)


class GoogleGenAIInstrumentor(_Instrumentor):
    """Emits a GenAI span and metrics for every call of google-genai, to the Gemini API and to Vertex AI."""

    _sdk, _oldest, _newest_major = "google-genai", "1.30", 3

    def _patch(self, patches: Patches, telemetry: Telemetry, settings: Settings) -> None:
        waist, tries = GenAI(google, telemetry, settings), Tries(google)
        client = ("google.genai._api_client", "BaseApiClient")
        patches.add(*client, "request", waist.sync)
        patches.add(*client, "async_request", waist.asynchronous)
        patches.add(*client, "request_streamed", waist.stream)
        patches.add(*client, "async_request_streamed", waist.asynchronous_stream)
        patches.add(*client, "download_file", waist.download, optional=True)
        patches.add(*client, "async_download_file", waist.asynchronous_download, optional=True)
        patches.add(*client, "_request_once", tries.sync, optional=True)
        patches.add(*client, "_async_request_once", tries.asynchronous, optional=True)
        interactions = Interactions(google, telemetry, settings)
        patches.add("google.genai._gaos.basesdk", "BaseSDK", "do_request", interactions.sync)
        patches.add("google.genai._gaos.basesdk", "AsyncBaseSDK", "do_request_async", interactions.asynchronous)
        older = Stainless(google, telemetry, settings)  # the client of interactions before 2.9
        patches.add("google.genai._interactions._base_client", "SyncAPIClient", "request", older.sync)
        patches.add("google.genai._interactions._base_client", "AsyncAPIClient", "request", older.asynchronous)


class _Generated(_Instrumentor):
    """An SDK over Google's generated clients."""

    _targets: ClassVar[tuple[Target, ...]]

    def _patch(self, patches: Patches, telemetry: Telemetry, settings: Settings) -> None:
        waist = Gapic(google, telemetry, settings)
        for target in self._targets:
            wrapper = waist.wrapper(target.method, asynchronous=target.asynchronous)
            patches.add(target.module, target.owner, target.method, wrapper, optional=target.optional)


class GoogleGenerativeAIInstrumentor(_Generated):
    """Emits a GenAI span and metrics for every call of the retired google-generativeai."""

    _sdk, _oldest, _newest_major = "google-generativeai", "0.8", 0
    _targets = GENERATIVEAI


class VertexAIInstrumentor(_Generated):
    """Emits a GenAI span and metrics for every call of google-cloud-aiplatform's `vertexai` models."""

    _sdk, _oldest, _newest_major = "google-cloud-aiplatform", "1.60", 2
    _targets = AIPLATFORM


def _flush(given: Any) -> Callable[[], object]:
    """The tracer provider's `force_flush`, which the OpenTelemetry API does not know; the global one may come later."""

    def flush() -> object:
        force = getattr(given or trace.get_tracer_provider(), "force_flush", None)
        return force() if force is not None else None

    return flush


def _warn_if_untested(sdk: str, newest_major: int) -> None:
    try:
        installed = version(sdk)
    except PackageNotFoundError:
        return
    major = installed.partition(".")[0]
    if major.isdecimal() and int(major) > newest_major:
        log.warning(
            "%s %s is newer than what otel-llm-cost was tested with (%d.x): its calls are instrumented all the same; "
            "look for a newer otel-llm-cost if some go unseen",
            sdk,
            installed,
            newest_major,
        )
