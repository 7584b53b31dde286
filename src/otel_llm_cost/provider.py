"""What a provider file must offer: a handful of pure names.  A module satisfies this protocol."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from .content import Message, Prompt, Said
from .record import Error, Request, Response


class Wire(NamedTuple):
    """A request as the SDK is about to send it, in plain values."""

    method: str
    """Upper case."""
    path: str
    """The path below the client's base URL, without a query."""
    body: Mapping[str, Any]
    host: str
    port: int | None
    client: str
    """The names of the client's class and of its bases, space-separated."""
    headers: Mapping[str, str] = MappingProxyType({})
    """What the caller sends with this one call, names in lower case; not the client's own headers."""


class Result(NamedTuple):
    """One call of a batch, as its result tells it; `made_at` is when the provider made it, in seconds since 1970."""

    request: Request
    response: Response
    made_at: float | None = None


class Provider(Protocol):
    """Pure functions over one vendor's wire; none of them may raise on odd input or keep anything."""

    def request(self, wire: Wire, provider: str | None) -> Request | None:
        """What this request asks for; None when it is not a call that bills or fetches tokens.

        `provider` is the name the user gave this host, if any; it wins over what the host suggests.
        """

    def response(self, body: Any, request: Request) -> Response:
        """A whole answer: parsed JSON or the SDK's object."""

    def dull(self, event: bytes, request: Request) -> bool:
        """True when the bytes of one stream event surely hold nothing that `chunk` would read.

        It spares the parsing of plain deltas; when in doubt it says False.
        """

    def chunk(self, event: Any, request: Request) -> Response:
        """One parsed stream event as a partial answer."""

    def error(self, exception: BaseException) -> Error:
        """Why the SDK raised."""

    def billed(self, exception: BaseException) -> Any:
        """The whole answer that an exception carries, if the provider did answer (and bill) before it was raised."""

    def stream_usage_option(self, wire: Wire) -> tuple[str, Any] | None:
        """The body's key and value that make a stream report its usage; None where it does anyway, or was told."""

    def rejects_stream_usage(self, exception: BaseException) -> bool:
        """True when the host refused the call because of that option."""

    def is_usage_only(self, event: Any) -> bool:
        """True for the extra event that the option causes and that the caller did not ask for."""

    def download(self, wire: Wire, provider: str | None) -> Request | None:
        """What a request asks for whose answer may hold the results of a batch; None for any other request.

        Such a request is no call: it has no span of its own, and its results are reported one by one.
        """

    def results(self, document: Any, request: Request) -> list[Result]:
        """The calls that one JSON document of such an answer reports: a line of it, or the whole."""

    def prompt(self, body: Mapping[str, Any]) -> Prompt:
        """What a request's body tells the model."""

    def answer(self, body: Any) -> list[Message]:
        """What the model says in a whole answer."""

    def said(self, event: Any) -> list[Said]:
        """What the model says in one parsed stream event."""
