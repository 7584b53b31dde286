"""One call, one bill.

The same call can arrive more than once: an export is retried, a framework's span stands above the provider's, two
instrumentations watch one SDK.  A span that was seen before is dropped.  A different span of a call that has been
billed is kept, so that nothing is hidden, and set aside with the reason, so that sums over counted rows are right:

- `fetch_response`      a stored response was read again; it was billed when it was made.  One that was made in the
  background told nobody what it used when it was asked for: there our own instrumentation says so on the fetch
- `not_billed`          the provider asks nothing for it: counting tokens, moderation
- `parent_of_billed`    a span somewhere below it carries usage, and the deepest span wins
- `duplicate_response`  the same response id of the same provider was billed from another span; of ours and another's
  in one request, ours is billed, for it says more than the SDKs' own spans do

The memory is a bounded window of what was stored last, and is told of a batch only once that is stored: what could
not be stored and is sent again must not be taken for a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from .decode import Arrived
from .rows import LONGEST_TEXT

RECALL: Final = """
SELECT trace_id, span_id, parent_span_id, provider, response_id, counted,
    price_reason NOT IN ('bad_usage', 'no_usage', 'failed')
        AND (operation != 'fetch_response' OR counted) AS carries_usage
FROM llm_calls
WHERE received_at >= (SELECT max(received_at) FROM llm_calls) - INTERVAL 1 HOUR
ORDER BY received_at DESC
LIMIT {size:UInt32}
"""
"""What was stored last, newest first; the hour keeps a large table from being read as a whole."""

BILLED: Final = """
SELECT DISTINCT provider, response_id FROM llm_calls WHERE response_id IN {ids:Array(String)} AND counted
"""
"""Which of these responses have been billed, whenever that was; the table has an index on them."""
_OURS: Final = "otel_llm_cost"
_FREE: Final = frozenset({"count_tokens", "moderation"})


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
    """Whether the span says what was used, believably, so that it can be billed."""
    usage, operation = call.call.response.usage, call.call.request.operation
    if usage is None or call.bad_usage or operation in _FREE:
        return False
    return operation != "fetch_response" or call.scope_name == _OURS


def billed_long_ago(calls: Iterable[Arrived]) -> list[str]:
    """The response ids of calls that may have been billed before any window: read from a batch, or fetched again."""
    return sorted(
        {
            key[1]
            for call in calls
            if (call.call.request.batch or call.call.request.operation == "fetch_response")
            and carries_usage(call)
            and (key := _response_key(call)) is not None
        }
    )


def _response_key(call: Arrived) -> tuple[str, str] | None:
    response = call.call.response.id
    return ((call.call.request.provider or "")[:LONGEST_TEXT], response[:LONGEST_TEXT]) if response else None


def _above(calls: Iterable[Arrived]) -> dict[bytes, None]:
    """The keys of all spans known to stand above those that carry usage."""
    found: dict[bytes, None] = {}
    for call in calls:
        if carries_usage(call):
            for ancestor in call.ancestors:
                key = call.trace_id + ancestor
                if key in found:
                    break  # and with it what is above
                found[key] = None
    return found


class Window:
    """What was stored lately: spans, the parents of billed spans, and billed responses; `size` of each."""

    def __init__(self, size: int = 100_000) -> None:
        self.size = size
        self._spans = _Recent(size)
        self._parents = _Recent(size)
        self._responses = _Recent(size)

    def judge(self, calls: Sequence[Arrived]) -> Judged:
        """Drop what was seen, set aside what is billed already.  Changes nothing: see `remember`."""
        fresh: dict[bytes, Arrived] = {}
        for call in calls:
            if call.key not in self._spans.keys:
                fresh.setdefault(call.key, call)
        ours = {_response_key(call) for call in fresh.values() if call.scope_name == _OURS and carries_usage(call)}
        ours.discard(None)
        parents = _above(call for call in fresh.values() if call.scope_name == _OURS or _response_key(call) not in ours)
        billed: set[tuple[str, str]] = set()
        # of two spans with one response id the one that can be billed is counted, and ours before another's
        ordered = sorted(fresh.values(), key=lambda call: (not carries_usage(call), call.scope_name != _OURS))
        kept = [(call, self._reason(call, parents, billed)) for call in ordered]
        return Judged(kept, len(calls) - len(kept))

    def remember(self, stored: Iterable[tuple[Arrived, str]]) -> None:
        """Take note of calls that are stored now."""
        pairs = list(stored)
        billed = [call for call, reason in pairs if not reason and carries_usage(call)]
        self._spans.add(call.key for call, _ in pairs)
        self._parents.add(_above(call for call, _ in pairs))
        self._responses.add(key for call in billed if (key := _response_key(call)))

    def recall(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take note of what `RECALL` found in a store: it was stored by an earlier process."""
        oldest_first = rows[::-1]
        billed = [row for row in oldest_first if row["carries_usage"]]
        self._spans.add(row["trace_id"] + row["span_id"] for row in oldest_first)
        self._parents.add(row["trace_id"] + row["parent_span_id"] for row in billed if any(row["parent_span_id"]))
        self._responses.add(
            (row["provider"], row["response_id"]) for row in billed if row["counted"] and row["response_id"]
        )

    def remember_billed(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take note of responses that `BILLED` found."""
        self._responses.add((row["provider"], row["response_id"]) for row in rows)

    def _reason(self, call: Arrived, parents: Mapping[bytes, None], billed: set[tuple[str, str]]) -> str:
        operation = call.call.request.operation
        if operation in _FREE:
            return "not_billed"
        if operation == "fetch_response" and not carries_usage(call):
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
