"""What can become of a request, in no protocol's words yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from otel_llm_cost_exporter.access.gate import Refused, Why
from otel_llm_cost_exporter.access.rates import Standing


class Status(Enum):
    """What became of a request."""

    STORED = auto()
    UNDECODABLE = auto()
    UNSUPPORTED = auto()
    TOO_LARGE = auto()
    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    LIMITED = auto()
    """The sender has used up its own limit: the same may be sent again later."""
    UNAVAILABLE = auto()
    """Nothing is wrong with the request: send it again later."""
    FAULT = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer.  `rejected` spans of a stored request are bad for good, and `message` says why.

    `standing`: where the sender stands with its rate limit, if it has one.
    """

    status: Status
    message: str = ""
    rejected: int = 0
    retry_after: float = 0.0
    standing: Standing | None = None


def refusal(refused: Refused) -> Outcome:
    """The answer to who may not come in."""
    forbidden = refused.why is Why.NOT_ALLOWED
    return Outcome(Status.FORBIDDEN if forbidden else Status.UNAUTHENTICATED, str(refused))


def limited(standing: Standing) -> Outcome:
    """The answer to who sends more than it may."""
    told = f"more spans than this sender may send; there is room again in {max(standing.retry_after, 0.1):.1f} s"
    return Outcome(Status.LIMITED, told, retry_after=max(standing.retry_after, 0.001), standing=standing)
