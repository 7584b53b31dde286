"""What passes between the emulator's server, which does I/O, and the vendors, which do none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_llm_cost.record import Usage

Ending = Literal["complete", "cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One HTTP request: `serial` counts all requests, `attempt` is 0 for the first try of a call."""

    method: str = "POST"
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    serial: int = 0
    attempt: int = 0
    created: int = 0
    """Unix seconds, for the timestamps of the answer."""

    @property
    def model(self) -> str:
        return str(self.body.get("model") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer.  With `events` it is a server-sent stream of ready frames, otherwise `body` is the whole of it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    events: tuple[bytes, ...] | None = None
    failure: tuple[bytes, ...] = ()
    """The frames with which this vendor tells, in mid stream, that the generation failed."""
    ending: Ending = "complete"
    """`cut` breaks the connection after what was sent, without a proper end."""
    pause: float = 0.0
    """Seconds before the answer and between the frames of a stream."""
    operation: str = ""
    """`gen_ai.operation.name` of the endpoint."""
    response_id: str = ""
    usage: Usage | None = None
    """What this answer tells its caller about its bill, if anything."""
    keep: tuple[str, bytes] | None = None
    """A path under which the body given here can be fetched from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a provider says no, before each vendor puts it in its own words."""

    status: int
    code: str
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Vendor(Protocol):
    """One provider's API as two pure functions."""

    @property
    def answer(self) -> Callable[[Ask], Reply]: ...

    @property
    def refuse(self) -> Callable[[Refusal], Reply]: ...


def to_json(value: Any) -> bytes:
    """Compact JSON, as it goes over the wire."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
