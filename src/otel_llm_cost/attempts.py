"""Each try that an SDK makes of a call, seen at the public `send` of the HTTP client.

Without it (an SDK that sends otherwise) a call loses its attempts and nothing else.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from opentelemetry import context as otel_context
from opentelemetry import propagate

from .call import CURRENT_CALL, OpenCall
from .errors import classify, of_exception
from .quiet import quietly
from .record import Error


class Sender:
    """Observes the HTTP client's `send`: one passage is one try of the call under way, if there is one."""

    def sync(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of a synchronous `send`."""
        with _Try(_request(args, kwargs)) as attempt:
            attempt.response = wrapped(*args, **kwargs)
        return attempt.response

    async def asynchronous(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of an asynchronous `send`."""
        with _Try(_request(args, kwargs)) as attempt:
            attempt.response = await wrapped(*args, **kwargs)
        return attempt.response


class _Try:
    __slots__ = ("_call", "response")

    def __init__(self, request: Any) -> None:
        self.response: Any = None
        self._call: OpenCall | None = None
        with quietly("see a try"):
            call = otel_context.get_value(CURRENT_CALL)
            # a token exchange on the way is no try of the call
            if isinstance(call, OpenCall) and not call.closed and _is_try(call, request):
                self._call = call
                call.trying = True
                call.sending()
                if call.propagates:
                    propagate.inject(request.headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        call = self._call
        if call is None:
            return
        call.trying = False
        with quietly("see a try"):
            if exc is not None:
                call.try_failed(of_exception(exc))
                return
            call.http = self.response
            status, headers = self.response.status_code, self.response.headers
            call.request_id = headers.get("x-request-id") or headers.get("request-id")
            if status >= 400:
                call.try_failed(Error(type=str(status), error_class=classify(status), status_code=status))


def _request(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs.get("request")


def _is_try(call: OpenCall, request: Any) -> bool:
    """Some clients send to another path than they were asked for (Bedrock, Vertex); Stainless marks its tries."""
    if call.path is None or call.trying:  # others tell of its tries; or a client sends through another client
        return False
    if "x-stainless-retry-count" in request.headers:
        return True
    return bool(request.url.path.endswith(call.path))
