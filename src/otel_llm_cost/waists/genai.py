"""The waist of google-genai: the requests of its `BaseApiClient`, and `do_request` behind its interactions.

The SDK sends over httpx, httpx2, aiohttp or requests, as it is set up, and gives every answer as text to the layer
above; so answers are read there, the same over any transport.  Its synchronous stream is a generator that sends nothing
before its first `next`: so is the one that we put around it, and there its span begins.  The context of the call is
attached only while the SDK sends, never while a generator rests.  Interactions go through a client of their own, which
speaks httpx: their answers are read at the HTTP response, see `tap`.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from opentelemetry import context as otel_context

from otel_llm_cost import batch
from otel_llm_cost.call import CURRENT_CALL, OpenCall
from otel_llm_cost.errors import classify
from otel_llm_cost.provider import Provider, Wire
from otel_llm_cost.quiet import quietly
from otel_llm_cost.record import Error, Request, Response
from otel_llm_cost.tap import Tap, attach
from otel_llm_cost.turn import Turn, Waist, enabled

from .chunks import Chunks

_VERTEX: Final = "vertexai"
"""A word that the provider looks for among the names of the client."""
_VECTOR: Final = re.compile(r"\[[-+.\deE,\s]+\]")
_LARGE: Final = 16 << 10
"""Characters of an answer from which on its vectors are cut out before it is read."""
_NO_HEADERS: Final[Mapping[str, str]] = {}


class GenAI(Waist):
    """Observes `BaseApiClient`: `request`, `request_streamed`, `download_file` and their asynchronous twins."""

    def sync(self, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of `request`."""
        if not enabled():
            return wrapped(*args, **kwargs)
        turn = self._turn(client, args, kwargs)
        with turn:
            turn.result = wrapped(*args, **kwargs)
        return turn.result

    async def asynchronous(self, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of `async_request`."""
        if not enabled():
            return await wrapped(*args, **kwargs)
        turn = self._turn(client, args, kwargs)
        with turn:
            turn.result = await wrapped(*args, **kwargs)
        return turn.result

    def stream(self, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
        """wrapt wrapper of `request_streamed`, a generator that sends when its first chunk is asked for."""
        return self._streamed(wrapped(*args, **kwargs), client, args, kwargs)

    def _streamed(
        self, chunks: Iterator[Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        if not enabled():
            yield from chunks
            return
        turn = self._turn(client, args, kwargs)
        with turn:
            turn.result = [first] if (first := next(chunks, _END)) is not _END else []
        everything = chain(turn.result, chunks)
        yield from everything if turn.reading is None else turn.reading.through(everything)

    async def asynchronous_stream(
        self, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """wrapt wrapper of `async_request_streamed`, a coroutine that sends and returns an asynchronous generator."""
        if not enabled():
            return await wrapped(*args, **kwargs)  # type: ignore[no-any-return]
        turn = self._turn(client, args, kwargs)
        with turn:
            turn.result = await wrapped(*args, **kwargs)
        chunks: AsyncIterator[Any] = turn.result
        return chunks if turn.reading is None else turn.reading.athrough(chunks)

    def download(self, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of `download_file`."""
        if not enabled():
            return wrapped(*args, **kwargs)
        turn = self._turn(client, ("get", *args), kwargs)
        with turn:
            turn.result = wrapped(*args, **kwargs)
        return turn.result

    async def asynchronous_download(
        self, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """wrapt wrapper of `async_download_file`."""
        if not enabled():
            return await wrapped(*args, **kwargs)
        turn = self._turn(client, ("get", *args), kwargs)
        with turn:
            turn.result = await wrapped(*args, **kwargs)
        return turn.result

    def _turn(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Turn:
        turn = _Turn(self)
        with quietly("open a call"):
            turn.begin(_wire(client, *args, **kwargs), None)
        return turn


class _Turn(Turn):
    __slots__ = ("reading",)

    def __init__(self, waist: Waist) -> None:
        super().__init__(waist)
        self.reading: Chunks | None = None

    def _answered(self, call: OpenCall) -> bool:
        if call.request.stream:
            self.reading = Chunks(call, self._waist.provider, _TEXT)
            return True
        call.answered(self._waist.provider, _parsed(_without_vectors(self.result.body)))
        return False

    def _downloaded(self, request: Request) -> None:
        if isinstance(self.result, bytes):
            body = self.result if self.result[:64].lstrip().startswith(b"{") else b""
        else:  # one document, over many lines
            body = (getattr(self.result, "body", None) or "").replace("\n", " ").encode()
        if body:
            batch.Download(self._waist.telemetry, self._waist.provider, request).whole(body)


class Tries:
    """Observes `_request_once` and its twin: one passage is one try of the call under way."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def sync(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of `_request_once`."""
        with _Try(self._provider):
            return wrapped(*args, **kwargs)

    async def asynchronous(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of `_async_request_once`."""
        with _Try(self._provider):
            return await wrapped(*args, **kwargs)


class _Try:
    __slots__ = ("_call", "_provider")

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._call: OpenCall | None = None

    def __enter__(self) -> Self:
        with quietly("see a try"):
            call = otel_context.get_value(CURRENT_CALL)
            if isinstance(call, OpenCall) and not call.closed and call.path is None:
                self._call = call
                call.sending()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is not None and self._call is not None:
            with quietly("see a try"):
                self._call.try_failed(self._provider.error(exc))


class Interactions(Waist):
    """Observes `do_request` of the SDK's second client, which returns the HTTP response, whatever its status."""

    def sync(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of `BaseSDK.do_request`."""
        if not enabled():
            return wrapped(*args, **kwargs)
        turn = self._turn(args, kwargs, asynchronous=False)
        with turn:
            turn.result = wrapped(*args, **kwargs)
        return turn.result

    async def asynchronous(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """wrapt wrapper of `AsyncBaseSDK.do_request_async`."""
        if not enabled():
            return await wrapped(*args, **kwargs)
        turn = self._turn(args, kwargs, asynchronous=True)
        with turn:
            turn.result = await wrapped(*args, **kwargs)
        return turn.result

    def _turn(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, asynchronous: bool) -> _HttpTurn:
        turn = _HttpTurn(self, asynchronous=asynchronous)
        with quietly("open a call"):
            wire = _wire_of(kwargs["request"] if "request" in kwargs else args[1])
            turn.begin(wire, wire.path)
        return turn


class _HttpTurn(Turn):
    __slots__ = ("_asynchronous",)

    def __init__(self, waist: Waist, *, asynchronous: bool) -> None:
        super().__init__(waist)
        self._asynchronous = asynchronous

    def _answered(self, call: OpenCall) -> bool:
        response, provider = self.result, self._waist.provider
        status = response.status_code
        if status >= 400:
            call.observe(Response(error=Error(str(status), classify(status), status)))
        if not response.is_closed:
            attach(response, Tap(call, provider, status=status, drop_usage=False), asynchronous=self._asynchronous)
            return True
        call.answered(provider, _parsed(response.content))
        if (told := call.response.error) is not None:
            call.observe(Response(error=told._replace(status_code=status)))
        return False


class _Text:
    """Chunks of `request_streamed`: JSON as text."""

    ends_told = False

    def piece(self, chunk: Any) -> str:
        return chunk.body or ""

    def size(self, piece: str) -> int:
        return len(piece)

    def counts(self, piece: str) -> bytes:
        """What follows the name of the usage, without its figures.  Inside a JSON string, quotes are escaped."""
        at = piece.rfind('"usageMetadata"')
        return piece[at:].encode().translate(None, b"0123456789") if at >= 0 else b""

    def tells_more(self, piece: str) -> bool:
        return '"finishReason"' in piece or '"groundingMetadata"' in piece or '"promptFeedback"' in piece

    def parsed(self, piece: str) -> Any:
        return json.loads(piece) if piece else {}


_TEXT: Final = _Text()
_END: Final = object()


def _parsed(body: str | bytes) -> Any:
    """None of what is no JSON: that is for the SDK to say."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _without_vectors(body: str | None) -> str:
    """An answer as JSON.  Of a large one that holds embeddings, a thousand numbers to a text, only the rest is read."""
    if not body:
        return "{}"
    return _VECTOR.sub("[]", body) if len(body) > _LARGE else body


def _wire(
    client: Any, http_method: str, path: str, request_dict: Any = None, http_options: Any = None, **_more: Any
) -> Wire:
    """A request as `BaseApiClient` is given it; options of the call win over the client's."""
    options = _options(http_options)
    host, port = _address(options.get("base_url") or client._http_options.base_url or "")
    return Wire(
        method=http_method.upper(),
        path=path.partition("?")[0],
        body=request_dict if isinstance(request_dict, Mapping) else {},
        host=host,
        port=port,
        client=f"{type(client).__name__} {_VERTEX}" if client.vertexai else type(client).__name__,
        headers=options.get("headers") or _NO_HEADERS,
    )


def _options(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else getattr(given, "__dict__", {})


def _wire_of(request: Any) -> Wire:
    """An httpx or httpx2 request that is about to be sent."""
    url, body = request.url, request.content
    return Wire(
        method=request.method.upper(),
        path=url.path,
        body=json.loads(body) if body[:1] == b"{" else {},
        host=url.host,
        port=url.port,
        client="",
        headers=request.headers,
    )


@lru_cache(maxsize=64)
def _address(base_url: str) -> tuple[str, int | None]:
    url = urlsplit(base_url)
    return url.hostname or "", url.port
