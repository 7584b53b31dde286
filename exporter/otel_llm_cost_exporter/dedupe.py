"""One call, one bill.

The same call can arrive more than once: an export is retried, a framework's span stands above the provider's, two
instrumentations watch one SDK.  A span that was seen before is dropped.  A different span of a call that has been
billed is kept, so that nothing is hidden, and set aside with the reason, so that sums over counted rows are right:

- `fetch_response`      a stored response was read again; it was billed when it was made.  One that was made in the
  background told nobody what it used when it was asked for: there our own instrumentation says so on the fetch
- `not_billed`          the provider asks nothing for it: counting tokens, moderation
- `parent_of_billed`    a span somewhere below it carries usage, and the deepest span wins
- `parent_of_ours`      another's span says nothing of usage, nor does ours (or the SDK's own) below it, or not yet;
  that one is the call
- `child_of_billed`     a span above it has been billed: it was stored before this one came, or this one says nothing of
  usage.  It began while that one was open; what a leaking context puts below an ended span is a call of its own
- `duplicate_response`  the same response id of the same provider was billed from another span; of ours and another's
  in one request, ours is billed, for it says more than the SDKs' own spans do.  Behind a gateway another's span
  may name the provider differently from ours: then the two must overlap in time as well
- `duplicate_call`      ours (or the SDK's own) and a framework's span, in no way linked, as LangChain's callbacks make
  them: of the same service, model, tokens and time, and one of the two without a response id

The memory is a bounded window of what was stored last, and is told of a batch only once that is stored: what could
not be stored and is sent again must not be taken for a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from otel_llm_cost.record import Call, Request

from .decode import Arrived
from .dialects import OURS
from .rows import LONGEST_TEXT
from .tellings import FIRST_HAND, Recent, Tellings, ends

_FREE: Final = frozenset({"count_tokens", "moderation"})


@dataclass(frozen=True, slots=True)
class Judged:
    """Calls to store, each with why it is set aside (empty: counted), and how many were dropped as seen before."""

    kept: list[tuple[Arrived, str]]
    dropped: int


def carries_usage(call: Arrived) -> bool:
    """Whether the span says what was used, believably, so that it can be billed."""
    usage, operation = call.call.response.usage, call.call.request.operation
    if usage is None or call.bad_usage or operation in _FREE:
        return False
    if not usage.input_tokens and not any(map(_positive, usage)):
        return False  # zeros say that nobody looked: LiteLLM writes them of a stream
    return operation != "fetch_response" or call.scope_name == OURS


def _positive(value: object) -> bool:
    return isinstance(value, int) and value > 0 and value is not True


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


def _response_key(call: Arrived) -> tuple[str, str, str] | None:
    response = call.call.response.id
    provider = (call.call.request.provider or "")[:LONGEST_TEXT]
    return (provider, response[:LONGEST_TEXT], call.tenant) if response else None


def _slim(call: Arrived) -> Arrived:
    """What must be remembered of a billed call: not its texts."""
    request = Request(operation=call.call.request.operation, batch=call.call.request.batch)
    return replace(call, call=Call(request=request), problems=(), ancestors=())


def _is_again(call: Arrived, billed: Arrived | None) -> bool:
    """Whether a call with the response id of a billed one is that one, told again.

    Two spans of ours are two calls, whatever their ids, unless one is read from a batch or fetched, or a proxy stands
    between them and they overlap in time: some servers count their ids from nought (Ollama has a thousand).
    """
    if billed is None or OURS not in (call.scope_name, billed.scope_name) or call.scope_name != billed.scope_name:
        return True
    if any(told.call.request.batch or told.call.request.operation == "fetch_response" for told in (call, billed)):
        return True
    return call.start_ns <= ends(billed) and billed.start_ns <= ends(call)


def _above(calls: Iterable[Arrived]) -> dict[bytes, None]:
    """The keys of all spans known to stand above these."""
    found: dict[bytes, None] = {}
    for call in calls:
        for ancestor in call.ancestors:
            key = call.trace + ancestor
            if key in found:
                break  # and with it what is above
            found[key] = None
    return found


class _Batch:
    """What is known of a batch while it is judged; `size` is that of the window."""

    def __init__(self, calls: Iterable[Arrived], size: int) -> None:
        self.calls = list(calls)
        mine = [call for call in self.calls if call.scope_name == OURS]
        ours = {_response_key(call) for call in mine if carries_usage(call)} - {None}
        told_once = (call for call in self.calls if call.scope_name == OURS or _response_key(call) not in ours)
        self.parents = _above(call for call in told_once if carries_usage(call))
        self.above_ours = _above(mine)
        self.above_first_hand = _above(call for call in self.calls if call.scope_name in FIRST_HAND)
        self.billed: dict[object, Arrived | None] = {}
        self.open_until: dict[bytes, int] = {}
        self.tellings = Tellings(size)
        self.of_both_hands = len({call.scope_name in FIRST_HAND for call in self.calls}) > 1


class Window:
    """What was stored lately: spans, the parents of billed spans, and billed calls; `size` of each."""

    def __init__(self, size: int = 100_000) -> None:
        self.size = size
        self._spans = Recent(size)
        self._parents = Recent(size)
        self._above_ours = Recent(size)
        self._above_first_hand = Recent(size)
        self._open_until = Recent(size)
        """Spans whose bill covers what is below them, and when each ended in ns since 1970."""
        self._responses = Recent(size)
        self._tellings = Tellings(size)

    def strangers(self, calls: Iterable[Arrived]) -> list[Arrived]:
        """Those that are not known to be stored."""
        return [call for call in calls if call.key not in self._spans.keys]

    def judge(self, calls: Sequence[Arrived]) -> Judged:
        """Drop what was seen, set aside what is billed already.  Changes nothing: see `remember`."""
        fresh: dict[bytes, Arrived] = {}
        for call in calls:
            if call.key not in self._spans.keys:
                fresh.setdefault(call.key, call)
        batch = _Batch(fresh.values(), self.size)
        # of two spans of one call the one that can be billed is counted, and ours before another's
        ordered = sorted(batch.calls, key=lambda call: (not carries_usage(call), call.scope_name != OURS))
        kept = []
        for call in ordered:
            reason = self._reason(call, batch)
            kept.append((call, reason))
            if not reason and carries_usage(call):
                batch.open_until[call.key] = ends(call)
                if batch.of_both_hands:
                    batch.tellings.add([call])
                if (response := _response_key(call)) is not None:
                    batch.billed[response] = call
        return Judged(kept, len(calls) - len(kept))

    def remember(self, stored: Iterable[tuple[Arrived, str]]) -> None:
        """Take note of calls that are stored now."""
        pairs = list(stored)
        billed = [call for call, reason in pairs if not reason and carries_usage(call)]
        self._spans.add(call.key for call, _ in pairs)
        self._parents.add(_above(call for call, _ in pairs if carries_usage(call)))
        self._above_ours.add(_above(call for call, _ in pairs if call.scope_name == OURS))
        self._above_first_hand.add(_above(call for call, _ in pairs if call.scope_name in FIRST_HAND))
        self._responses.put({key: _slim(call) for call in billed if (key := _response_key(call))})
        covers = {call.key: ends(call) for call, reason in pairs if reason == "child_of_billed"}
        covers |= {call.key: ends(call) for call in billed}
        self._open_until.put(covers)
        self._tellings.add(billed)

    def _reason(self, call: Arrived, batch: _Batch) -> str:
        operation = call.call.request.operation
        if operation in _FREE:
            return "not_billed"
        if operation == "fetch_response" and not carries_usage(call):
            return "fetch_response"
        if call.key in batch.parents or call.key in self._parents.keys:
            return "parent_of_billed"
        if self._is_above_the_call(call, batch) and not carries_usage(call):
            return "parent_of_ours"
        response = _response_key(call)
        for billed in (batch.billed, self._responses.keys):
            if response in billed and _is_again(call, billed[response]):
                return "duplicate_response"
        if self._is_covered(call, batch.open_until):
            return "child_of_billed"
        return batch.tellings.reason(call) or self._tellings.reason(call)

    def _is_above_the_call(self, call: Arrived, batch: _Batch) -> bool:
        """Whether ours is below it, or below another's span the SDK's own."""
        if call.scope_name == OURS:
            return call.key in batch.above_ours or call.key in self._above_ours.keys
        return call.key in batch.above_first_hand or call.key in self._above_first_hand.keys

    def _is_covered(self, call: Arrived, open_until: Mapping[bytes, int]) -> bool:
        above = (call.trace + ancestor for ancestor in call.ancestors)
        return any(call.start_ns <= max(open_until.get(key, 0), self._open_until.keys.get(key, 0)) for key in above)
