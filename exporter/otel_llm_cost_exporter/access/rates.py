"""How much one key may send: a token bucket of spans.

A bucket fills at its rate and holds ten seconds of it, so that a sender who was quiet may send a burst.  A request is
taken whole or not at all.  One that is larger than the whole bucket is taken when the bucket is full, or it could
never pass, and leaves a debt that time has to pay before the next.  So over any time the rate holds, whatever the size
of the requests.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers (revision 08 and later): one
policy named "spans", `q` what the bucket holds, `w` the seconds that fill it, `r` what is left and `t` the seconds
until it is full again.  The registry of quota units knows no spans, so none is given.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

_log = logging.getLogger(__name__)

VARIABLE: Final = "OTEL_LLM_COST_RATE_LIMIT"
"""Environment variable with the spans per second of every key that has no rate of its own, and of all without a key."""
BURST_SECONDS: Final = 10


def default_rate(environ: Mapping[str, str] = os.environ) -> float | None:
    """Spans per second from the environment; None, no limit, where it says nothing.  Raises RateError."""
    said = environ.get(VARIABLE, "").strip()
    if not said:
        return None
    try:
        rate = float(said)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise RateError(f"{VARIABLE}: spans per second above 0 expected, not {said[:50]!r}. Unset it for no limit.")
    return rate


class RateError(ValueError):
    """A rate that is none; the text says where it was given and what to do."""


class Standing(NamedTuple):
    """Where a sender stands with its limit: whether it may send, what is left (spans), and seconds to wait."""

    admitted: bool
    left: int
    full_in: float
    retry_after: float
    burst: int

    def headers(self) -> dict[str, str]:
        """The header fields that tell it."""
        return {
            "RateLimit-Policy": f'"spans";q={self.burst};w={BURST_SECONDS}',
            "RateLimit": f'"spans";r={self.left};t={math.ceil(self.full_in)}',
        }


class Bucket:
    """A token bucket; `rate` in spans per second.  Safe to use from several threads."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._burst = max(1.0, rate * BURST_SECONDS)
        self._level = self._burst
        self._clock = clock
        self._since = clock()
        self._lock = threading.Lock()

    def look(self) -> Standing:
        """Where the sender stands, with nothing taken; not admitted if not one span would be."""
        with self._lock:
            self._fill()
            return self._standing(1)

    def take(self, spans: int) -> Standing:
        """Take so many spans, or none of them."""
        with self._lock:
            self._fill()
            found = self._standing(spans)
            if not found.admitted:
                return found
            self._level -= spans
            return self._standing(0)

    def give_back(self, spans: int) -> None:
        """What was taken and then not used, for a fault that is not the sender's."""
        with self._lock:
            self._level = min(self._burst, self._level + spans)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._since) * self.rate)
        self._since = now

    def _standing(self, spans: int) -> Standing:
        missing = min(float(spans), self._burst) - self._level if spans else 0.0
        return Standing(
            admitted=missing <= 1e-9 * self._burst,
            left=max(0, math.floor(self._level)),
            full_in=(self._burst - self._level) / self.rate,
            retry_after=max(0.0, missing) / self.rate,
            burst=math.floor(self._burst),
        )


class Rates:
    """The buckets of all keys; `default` in spans per second is for those that have no rate of their own."""

    def __init__(self, default: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._default = default
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def bucket(self, key: str, rate: float | None) -> Bucket | None:
        """The bucket of a key (empty: all senders without one); None where no limit applies.

        There are never more than there are keys: who calls this knows that the key exists.
        """
        rate = rate or self._default
        if rate is None:
            return None
        with self._lock:
            found = self._buckets.get(key)
            if found is None or found.rate != rate:
                found = self._buckets[key] = Bucket(rate, self._clock)
            return found
