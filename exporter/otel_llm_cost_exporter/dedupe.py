"""One call, one bill.

The same call can arrive more than once: an export is retried, a framework's span stands above the provider's, two
instrumentations watch one SDK.  A span that was seen before is dropped.  A different span of a call that has been
billed is kept, so that nothing is hidden, and set aside with the reason, so that sums over counted rows are right:

- `fetch_response`      a stored response was read again; it was billed when it was made
- `parent_of_billed`    a span below it carries usage, and the deepest span wins
- `duplicate_response`  the same response id of the same provider was billed from another span

The memory is a bounded window of what was stored last, and is told of a batch only once that is stored: what could
not be stored and is sent again must not be taken for a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from .decode import Arrived


@dataclass(frozen=True, slots=True)
class Judged:
    """Calls to store, each with why it is set aside (empty: counted), and how many were dropped as seen before."""

    kept: list[tuple[Arrived, str]]
    dropped: int


@dataclass(slots=True)
class _Recent:
    """The last `size` keys."""

    size: int
    keys: dict[object, None] = field(default_factory=dict)

    def add(self, keys: Iterable[object]) -> None:
        self.keys.update(dict.fromkeys(keys))
        for oldest in list(islice(self.keys, max(0, len(self.keys) - self.size))):
            del self.keys[oldest]


def carries_usage(call: Arrived) -> bool:
    """Whether the span says what was used, so that it can be billed."""
    return call.call.response.usage is not None and call.call.request.operation != "fetch_response"


def _response_key(call: Arrived) -> tuple[str, str] | None:
    response = call.call.response.id
    return (call.call.request.provider or "", response) if response else None


def _parent_key(call: Arrived) -> bytes:
    return call.trace_id + call.parent_span_id


class Window:
    """What was stored lately: spans, the parents of billed spans, and billed responses; `size` of each."""

    def __init__(self, size: int = 100_000) -> None:
        self._spans = _Recent(size)
        self._parents = _Recent(size)
        self._responses = _Recent(size)

    def judge(self, calls: Sequence[Arrived]) -> Judged:
        """Drop what was seen, set aside what is billed already.  Changes nothing: see `remember`."""
        fresh: dict[bytes, Arrived] = {}
        for call in calls:
            if call.key not in self._spans.keys:
                fresh.setdefault(call.key, call)
        parents = {_parent_key(call) for call in fresh.values() if carries_usage(call)}
        billed: set[tuple[str, str]] = set()
        # spans with usage first: of two with one response id the one that can be billed is counted
        ordered = sorted(fresh.values(), key=lambda call: not carries_usage(call))
        kept = [(call, self._reason(call, parents, billed)) for call in ordered]
        return Judged(kept, len(calls) - len(kept))

    def remember(self, stored: Iterable[tuple[Arrived, str]]) -> None:
        """Take note of calls that are stored now."""
        pairs = list(stored)
        billed = [call for call, reason in pairs if not reason and carries_usage(call)]
        self._spans.add(call.key for call, _ in pairs)
        self._parents.add(_parent_key(call) for call, _ in pairs if carries_usage(call))
        self._responses.add(key for call in billed if (key := _response_key(call)))

    def _reason(self, call: Arrived, parents: set[bytes], billed: set[tuple[str, str]]) -> str:
        if call.call.request.operation == "fetch_response":
            return "fetch_response"
        if call.key in parents or call.key in self._parents.keys:
            return "parent_of_billed"
        response = _response_key(call)
        if response is None:
            return ""
        if response in billed or response in self._responses.keys:
            return "duplicate_response"
        if carries_usage(call):
            billed.add(response)
        return ""
