"""One passage through an SDK's waist, whatever the SDK: open a call, send under its context, read what came of it.

A waist is the one method that all of an SDK's requests pass.  Each family of SDKs has its own (see `waists`); what
they share is here.  A `Turn` is a context manager, so that a synchronous and an asynchronous wrapper differ by the word
`await` only.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Token
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

from opentelemetry import context as otel_context

from .call import CURRENT_CALL, OpenCall, Telemetry
from .capture import NOTHING_ASKED, Asked
from .context import current_tags, tags_of_call
from .errors import of_exception
from .provider import Provider, Wire
from .quiet import quietly
from .record import Error, Request

log = logging.getLogger(__name__)

_SUPPRESSED: Final = "suppress_instrumentation"
_BY_FRAMEWORK: Final = "suppress_language_model_instrumentation"
"""Context key of OpenLLMetry's: a framework's instrumentation reports the call itself."""
FRAMEWORK_SUPPRESSION: Final = "OTEL_LLM_COST_FRAMEWORK_SUPPRESSION"
"""`false`: calls are seen all the same, and the collector tells the two spans of one call apart."""


@dataclass(slots=True)
class Settings:
    """What a user may set; `refusing` is what we learned: hosts and models that do not take the usage option."""

    stream_usage: bool = True
    provider_hosts: Mapping[str, str] = field(default_factory=dict)
    """`host` or `host:port` → provider name, for gateways and proxies in front of a vendor."""
    refusing: set[str] = field(default_factory=set)


class Waist:
    """What every waist has: whose wire it reads, where it reports, what the user set."""

    def __init__(self, provider: Provider, telemetry: Telemetry, settings: Settings) -> None:
        self.provider = provider
        self.telemetry = telemetry
        self.settings = settings

    def named(self, wire: Wire) -> str | None:
        """The name that the user gave this host."""
        hosts = self.settings.provider_hosts
        return (hosts.get(where(wire).lower()) or hosts.get(wire.host.lower())) if hosts else None


class Turn:
    """One passage.  `result` is what the caller gets; a subclass knows how to read it."""

    __slots__ = ("_token", "_waist", "answered", "call", "download", "result")

    def __init__(self, waist: Waist) -> None:
        self.call: OpenCall | None = None
        self.download: Request | None = None
        """Set when this is no call, but its answer may hold the results of a batch."""
        self.result: Any = None
        self.answered = False
        self._waist = waist
        self._token: Any = None

    def begin(self, wire: Wire, path: str | None) -> None:
        """Read the request and start its span; what is not a call of interest stays unopened.

        `path` is how the HTTP client's tries are known to belong to the call, see `attempts`.
        """
        waist = self._waist
        named = waist.named(wire)
        request = waist.provider.request(wire, named)
        if request is None:
            self.download = waist.provider.download(wire, named)
            return
        asked = NOTHING_ASKED
        with quietly("read a prompt"):
            asked = self._asked(wire, request)
        tags = tags_of_call(current_tags(), wire.headers, wire.body)
        self.call = OpenCall(waist.telemetry, request, path, tags, asked)
        self.call.in_background = wire.body.get("background") is True

    def _asked(self, wire: Wire, request: Request) -> Asked:
        capture, stream = self._waist.telemetry.capture, request.stream is True
        if not capture.reads(stream=stream):
            return NOTHING_ASKED
        tools = wire.body.get("tools") if stream else None
        return capture.asked(self._waist.provider.prompt(wire.body), stream=stream, tools=tools)

    def __enter__(self) -> None:
        if self.call is not None:
            with quietly("enter a span"):
                self._token = otel_context.attach(self.call.context())

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if self._token is not None:
            self._leave()
        self.answered = exc is None
        if self.call is not None:
            self._settle(self.call, exc)
            self.call.http = None
        elif self.download is not None and exc is None:
            with quietly("read the results of a batch"):
                self._downloaded(self.download)
        return self._goes_again()

    def _leave(self) -> None:
        """Put back the context that was current before.

        A coroutine may be closed in another context than it was begun in (when it is collected, or driven by hand):
        there our token means nothing, and OpenTelemetry's `detach` would log an error.
        """
        token, self._token = self._token, None
        if isinstance(token, Token):
            with suppress(ValueError):
                token.var.reset(token)
        else:
            otel_context.detach(token)

    def _settle(self, call: OpenCall, exc: BaseException | None) -> None:
        """Read the outcome and end the call, unless a stream or a second turn goes on with it."""
        goes_on, error = False, None
        with quietly("read an answer"):
            if exc is None:
                goes_on = self._answered(call)
            else:
                error = self._raised(call, exc)
                goes_on = self._goes_again()
        if exc is not None and error is None:
            error = of_exception(exc)
        if not goes_on:
            end = call.close_later if isinstance(exc, GeneratorExit) else call.close
            end(error=error)

    def _answered(self, call: OpenCall) -> bool:
        """Read a whole answer, or see to it that one still to come is read; True in the latter case."""
        raise NotImplementedError

    def _raised(self, _call: OpenCall, exc: BaseException) -> Error | None:
        """Why the SDK raised, once more is known of the answer if there was one."""
        return self._waist.provider.error(exc)

    def _downloaded(self, request: Request) -> None:
        """Have the results of a batch read, now or as they pass."""

    def _goes_again(self) -> bool:
        """True when the exception is ours to deal with, by a second turn."""
        return False


def enabled(sent: object = None) -> bool:
    """Not where the user or a framework suppressed it, nor where the same request is seen already.

    Wrappers may stand on a class and on its subclass; then the inner one is given the very object `sent` that the outer
    one passed on.  Any other request inside of a call (from an SDK's middleware, a hook of the HTTP client) is a call.
    """
    here = otel_context.get_current()
    if here.get(_SUPPRESSED) or (here.get(_BY_FRAMEWORK) and _left_to_the_framework()):
        return False
    outer = here.get(CURRENT_CALL)
    if not isinstance(outer, OpenCall) or outer.closed:
        return True
    return sent is not None and outer.sent is not None and outer.sent is not sent


def _left_to_the_framework() -> bool:
    if os.environ.get(FRAMEWORK_SUPPRESSION, "").strip().lower() in ("false", "0", "no", "off"):
        return False
    _say_so()
    return True


@lru_cache(maxsize=1)
def _say_so() -> None:
    log.warning(
        "a framework's instrumentation asks that its model calls be left to it (%s), and they are; some versions never "
        "take that back, and then every later call of the task goes unseen: %s=false has all seen, and billed once",
        _BY_FRAMEWORK,
        FRAMEWORK_SUPPRESSION,
    )


def where(wire: Wire) -> str:
    """Host and, where it is not the scheme's own, port."""
    return f"{wire.host}:{wire.port}" if wire.port else wire.host
