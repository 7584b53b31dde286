"""The one question that a receiver asks: may this request come in, and as whom?

    Authorization: Bearer <key>      or      x-api-key: <key>

Over gRPC the same in the metadata.  A key that is given must be right even where none is needed: who gives one means
to write to its project, and would otherwise write to another without noticing.  Credentials of another kind
(`Authorization: Basic …`) are somebody else's, and count as none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, NamedTuple

from otel_llm_cost_exporter.entry import ANONYMOUS, Sender

from .rates import Bucket, Rates
from .ring import KeyRing, Rejected

_REMEDY: Final = (
    "no API key: create one with `otel-llm-cost keys create --project NAME` where the collector runs, and give the"
    " sender OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20<key>"
)


class Why(Enum):
    """Why somebody may not come in."""

    NO_KEY = auto()
    BAD_KEY = auto()
    NOT_ALLOWED = auto()


class Refused(Exception):
    """May not come in.  The text is for the other side; `detail` and `key` (a public id) are for the log."""

    def __init__(self, why: Why, message: str, detail: str = "", key: str = "") -> None:
        super().__init__(message)
        self.why = why
        self.detail = detail
        self.key = key


class Visitor(NamedTuple):
    """Who came in, and the bucket that its spans are taken from; None where no limit applies."""

    sender: Sender = ANONYMOUS
    bucket: Bucket | None = None


class Gate:
    """Who may write, and who may look at what the collector tells about itself.

    `anonymous`: no key is needed; `rate`: spans per second of each key without one of its own, and of all senders
    without a key together.
    """

    def __init__(
        self,
        ring: KeyRing | None = None,
        *,
        anonymous: bool = True,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ring = ring or KeyRing()
        self.anonymous = anonymous
        self._rates = Rates(rate, clock)

    def writer(self, presented: str | None, *, from_page: bool = False) -> Visitor:
        """Who writes with this key, or without one; raises Refused.

        Without a key whoever is on this machine may write, and a page that somebody here looks at is not: its browser
        reaches what listens on loopback, by whatever name the page's owner gives it.
        """
        if presented is None:
            if not self.anonymous:
                raise Refused(Why.NO_KEY, _REMEDY)
            if from_page:
                raise Refused(Why.NOT_ALLOWED, "a web page may not write without an API key", "from a web page")
            return Visitor(ANONYMOUS, self._rates.bucket("", None))
        try:
            key = self.ring.key(presented)
        except Rejected as rejected:
            raise Refused(Why.BAD_KEY, str(rejected), rejected.why, rejected.key) from None
        if not key.may_write:
            raise Refused(Why.NOT_ALLOWED, "this API key may read, not write", key=key.id)
        return Visitor(Sender(key.id, key.project, key.may_name), self._rates.bucket(key.id, key.rate))

    def may_look(self, presented: str | None) -> bool:
        """Whether somebody may see counters and reasons: everybody where no key is needed, else a key that reads."""
        if presented is None:
            return self.anonymous
        try:
            return self.ring.key(presented).may_read or self.anonymous
        except Rejected:
            return False


def credential(authorization: str | None, api_key: str | None) -> str | None:
    """The key in the values of the two headers, None where there is none."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return None if api_key is None else api_key.strip()
