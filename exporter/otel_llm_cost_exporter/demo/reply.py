"""What passes between the emulator's server, which does I/O, and the vendors, which do none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_llm_cost.record import Usage

Ending = Literal["complete", "cut"]
_MODEL_IN_PATH = re.compile(r"/models/([^/:]+)")


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier requests left behind at the provider."""

    replies: Mapping[str, Reply] = field(default_factory=dict)
    """Path → what a GET of it answers."""
    prefixes: Mapping[str, int] = field(default_factory=dict)
    """Fingerprint of a prompt's beginning → until when the prompt cache holds it, in Unix seconds."""


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
    origin: str = ""
    """Scheme, host and port under which the caller reaches the emulator."""
    memory: Memory = field(default_factory=Memory)

    @property
    def model(self) -> str:
        """The model as the caller names it, in the body or, as Gemini has it, in the path."""
        named = self.body.get("model") or ""
        if isinstance(named, str) and named:
            return named
        found = _MODEL_IN_PATH.search(self.path)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer.  With `events` it is a server-sent stream of ready frames, otherwise `body` is the whole of it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    media: str = "application/json"
    """The content type of `body`."""
    events: tuple[bytes, ...] | None = None
    failure: tuple[bytes, ...] = ()
    """The frames with which this vendor tells, in mid stream, that the generation failed."""
    ending: Ending = "complete"
    """`cut` breaks the connection after what was sent, without a proper end."""
    pause: float = 0.0
    """Seconds before the answer and between the frames of a stream."""
    model: str = ""
    """The model that answered."""
    response_id: str = ""
    usage: Usage | None = None
    """What this answer tells its caller about its bill, if anything."""
    keep: Mapping[str, Reply] = field(default_factory=dict)
    """Path → what a GET of it answers from now on."""
    prefixes: Mapping[str, int] = field(default_factory=dict)
    """What the prompt cache holds from now on, as in `Memory`."""
    batch: tuple[tuple[Ask, Reply], ...] = ()
    """The requests of the batch that is submitted here, each with its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a provider says no, before each vendor puts it in its own words."""

    status: int
    code: str
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Vendor(Protocol):
    """One provider's API as pure functions; a module satisfies this."""

    @property
    def NAME(self) -> str:  # noqa: N802  # a module's constant
        """As in `gen_ai.provider.name`."""

    @property
    def KEYS(self) -> tuple[str, ...]:  # noqa: N802  # a module's constant
        """The headers that may carry a caller's key."""

    def answer(self, ask: Ask, /) -> Reply:
        """The reply to one request; what the provider would refuse is refused in its words."""

    def refuse(self, refusal: Refusal, /) -> Reply:
        """A refusal in the provider's words."""

    def operation(self, ask: Ask, /) -> str:
        """`gen_ai.operation.name` of the endpoint; empty where a request reaches no model."""


def to_json(value: Any) -> bytes:
    """Compact JSON, as it goes over the wire."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
