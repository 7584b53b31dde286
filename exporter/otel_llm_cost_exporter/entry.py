"""An export request on its way to the store, whoever brought it: the request itself, who sent it and when."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Sender(NamedTuple):
    """Who sent a request and which projects it may speak for.

    An API key is bound to a project: its calls belong to that one, whatever the payload says, unless it names one of
    `may_name` (None: any).  Without a key (`project` None) the payload is believed.
    """

    key: str = ""
    """The public id of the API key; empty where there is none."""
    project: str | None = None
    may_name: tuple[str, ...] | None = ()

    @property
    def tenant(self) -> str:
        """Within whose calls one call has one bill: nobody's spans can take another tenant's off the bill."""
        return self.project or ""

    def project_of(self, named: str | None) -> str | None:
        """The project of a call whose payload names one, or none."""
        if self.project is None or (named and (self.may_name is None or named in self.may_name)):
            return named
        return self.project


ANONYMOUS = Sender()


class Entry(NamedTuple):
    """One export request: an uncompressed `ExportTraceServiceRequest` in protobuf that is known to parse."""

    body: bytes
    received_ns: int
    spans: int
    sender: Sender = ANONYMOUS


class Sink(Protocol):
    """Where requests go.

    `take` returns when what was sent is safe, with the number of spans that are bad for good.  Raises `Overloaded`
    where it should be sent again later.
    """

    def take(self, entry: Entry) -> int: ...


class Overloaded(Exception):
    """There is no room now; send the same again in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
