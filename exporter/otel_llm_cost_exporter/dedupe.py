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
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

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


class _Bill(NamedTuple):
    """What must be remembered of a call that is billed."""

    ours: bool
    late: bool
    """Told when the answer was read from a batch or fetched, whenever it was made."""
    start_ns: int
    end_ns: int


def _bill(call: Arrived) -> _Bill:
    request = call.call.request
    late = bool(request.batch) or request.operation == "fetch_response"
    return _Bill(call.scope_name == OURS, late, call.start_ns, ends(call))


def _is_again(call: Arrived, billed: _Bill) -> bool:
    """Whether a call with the response id of a billed one is that one, told again.

    Two spans of ours are two calls, whatever their ids, unless one is read from a batch or fetched, or a proxy stands
    between them and they overlap in time: some servers count their ids from nought (Ollama has a thousand).
    """
    told = _bill(call)
    if not (told.ours and billed.ours) or told.late or billed.late:
        return True
    return told.start_ns <= billed.end_ns and billed.start_ns <= told.end_ns


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


class _Span(NamedTuple):
    """A call of a batch, with what is asked of it more than once."""

    call: Arrived
    key: bytes
    billable: bool
    ours: bool
    response: tuple[str, str, str] | None
    rank: int
    """Of two spans of one call the one that can be billed is counted, and ours before another's: the lower one."""


def _span(call: Arrived, key: bytes) -> _Span:
    billable, ours = carries_usage(call), call.scope_name == OURS
    return _Span(call, key, billable, ours, _response_key(call), 2 * (not billable) + (not ours))


class _Batch:
    """What is known of a batch while it is judged; `size` is that of the window."""

    def __init__(self, spans: list[_Span], size: int) -> None:
        self.below = below = [span for span in spans if span.call.ancestors]
        ours = {span.response for span in spans if span.ours and span.billable} - {None} if below else set()
        told_once = (span for span in below if span.ours or span.response not in ours)
        self.parents = _above(span.call for span in told_once if span.billable)
        self.above_ours = _above(span.call for span in below if span.ours)
        self.above_first_hand = _above(span.call for span in below if span.call.scope_name in FIRST_HAND)
        self.billed: dict[object, Arrived] = {}
        self.open_until: dict[bytes, int] = {}
        self.tellings = Tellings(size)
        self.of_both_hands = len({span.call.scope_name in FIRST_HAND for span in spans}) > 1

    def bill(self, span: _Span) -> None:
        """Take note that a call of it is billed."""
        if self.below:
            self.open_until[span.key] = ends(span.call)
        if self.of_both_hands:
            self.tellings.add([span.call])
        if span.response is not None:
            self.billed[span.response] = span.call


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
        known = self._spans.keys
        return [call for call in calls if call.key not in known]

    def judge(self, calls: Sequence[Arrived]) -> Judged:
        """Drop what was seen, set aside what is billed already.  Changes nothing: see `remember`."""
        known, fresh = self._spans.keys, dict[bytes, Arrived]()
        for call in calls:
            if (key := call.key) not in known:
                fresh.setdefault(key, call)
        spans = [_span(call, key) for key, call in fresh.items()]
        batch = _Batch(spans, self.size)
        spans.sort(key=attrgetter("rank"))
        kept = []
        for span in spans:
            reason = self._reason(span, batch)
            kept.append((span.call, reason))
            if not reason and span.billable:
                batch.bill(span)
        return Judged(kept, len(calls) - len(kept))

    def remember(self, stored: Iterable[tuple[Arrived, str]]) -> None:
        """Take note of calls that are stored now."""
        keys: list[bytes] = []
        billed: list[Arrived] = []
        below: list[Arrived] = []
        covers: dict[bytes, int] = {}
        responses: dict[object, _Bill] = {}
        for call, reason in stored:
            keys.append(key := call.key)
            if call.ancestors:
                below.append(call)
            if not reason and carries_usage(call):
                billed.append(call)
                covers[key] = ends(call)
                if (response := _response_key(call)) is not None:
                    responses[response] = _bill(call)
            elif reason == "child_of_billed":
                covers[key] = ends(call)
        self._spans.add(keys)
        self._parents.add(_above(call for call in below if carries_usage(call)))
        self._above_ours.add(_above(call for call in below if call.scope_name == OURS))
        self._above_first_hand.add(_above(call for call in below if call.scope_name in FIRST_HAND))
        self._responses.put(responses)
        self._open_until.put(covers)
        self._tellings.add(billed)

    def _reason(self, span: _Span, batch: _Batch) -> str:
        call, operation = span.call, span.call.call.request.operation
        if operation in _FREE:
            return "not_billed"
        if operation == "fetch_response" and not span.billable:
            return "fetch_response"
        if span.key in batch.parents or span.key in self._parents.keys:
            return "parent_of_billed"
        if not span.billable and self._is_above_the_call(span, batch):
            return "parent_of_ours"
        now, before = batch.billed.get(span.response), self._responses.keys.get(span.response)
        if (now and _is_again(call, _bill(now))) or (before and _is_again(call, before)):
            return "duplicate_response"
        if call.ancestors and self._is_covered(call, batch.open_until):
            return "child_of_billed"
        return batch.tellings.reason(call) or self._tellings.reason(call)

    def _is_above_the_call(self, span: _Span, batch: _Batch) -> bool:
        """Whether ours is below it, or below another's span the SDK's own."""
        if span.ours:
            return span.key in batch.above_ours or span.key in self._above_ours.keys
        return span.key in batch.above_first_hand or span.key in self._above_first_hand.keys

    def _is_covered(self, call: Arrived, open_until: Mapping[bytes, int]) -> bool:
        above = (call.trace + ancestor for ancestor in call.ancestors)
        return any(call.start_ns <= max(open_until.get(key, 0), self._open_until.keys.get(key, 0)) for key in above)
