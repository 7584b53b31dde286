"""Two tellings of one call that nothing links: no parent, no response id on both sides.

A framework's callbacks make spans of their own beside ours (LangChain's do), in traces of their own.  What tells that
they are one call is what they have in common: the service, a model, the tokens, and that they overlap in time.  Only
what is told at first hand, by who sees the request itself, and what is told at second hand are ever taken for the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from .decode import Arrived
from .dialects import ANTHROPIC_SDK, OURS
from .rows import LONGEST_TEXT

FIRST_HAND: Final = frozenset({OURS, ANTHROPIC_SDK})
"""Scopes of spans that see the request itself; what a framework tells is told at second hand."""
_MOST_ALIKE: Final = 64


@dataclass(slots=True)
class Recent:
    """The last `size` keys, each with a value where there is something to say of it."""

    size: int
    keys: dict[object, Any] = field(default_factory=dict)

    def add(self, keys: Iterable[object]) -> None:
        self.put(dict.fromkeys(keys))

    def put(self, items: Mapping[Any, Any]) -> None:
        self.keys.update(items)
        if len(self.keys) > self.size:
            for oldest in list(islice(self.keys, len(self.keys) - self.size)):
                del self.keys[oldest]


def ends(call: Arrived) -> int:
    return call.start_ns + call.duration_ns


class _Told(NamedTuple):
    """One telling of a call that is billed."""

    start: int
    end: int
    tenant: str
    service: str
    input_tokens: int | None
    output_tokens: int | None
    response_id: str | None
    asked: str | None
    answered: str | None

    def beside(self, other: _Told) -> bool:
        return self.start <= other.end and other.start <= self.end

    def same_call(self, other: _Told) -> bool:
        """Of two with the same tokens in one service: no ids say that they are two."""
        if not self.beside(other) or (self.response_id and other.response_id):
            return False
        return not ({self.asked, self.answered} - {None}).isdisjoint((other.asked, other.answered))

    @property
    def size(self) -> tuple[str, str, int, int] | None:
        """What two unlinked tellings of one call have in common; what uses nothing is as good as any other."""
        if not self.input_tokens:
            return None
        return (self.tenant, self.service, self.input_tokens, self.output_tokens or 0)

    @property
    def response(self) -> tuple[str, str] | None:
        return (self.tenant, self.response_id) if self.response_id else None


def _told(call: Arrived) -> _Told:
    request, response = call.call.request, call.call.response
    sent, got = (usage.input_tokens, usage.output_tokens) if (usage := response.usage) else (None, None)
    texts = map(_short, (response.id, request.model, response.model))
    return _Told(call.start_ns, ends(call), call.tenant, call.service_name[:LONGEST_TEXT], sent, got, *texts)


def _short(text: str | None) -> str | None:
    """What is kept of a hundred thousand calls must not be as long as their sender likes."""
    return text[:LONGEST_TEXT] if text else text


class _Hand:
    """What is told at one hand, `size` tellings and keys at most.  It is sorted by keys when somebody asks for it."""

    def __init__(self, size: int) -> None:
        self.fresh: deque[_Told] = deque(maxlen=size)
        self._sorted = Recent(size)

    def like(self, told: _Told) -> tuple[Sequence[_Told], Sequence[_Told]]:
        """What is told here of the same response, and with the same tokens."""
        if self.fresh:
            self._sort()
        known = self._sorted.keys
        return known.get(told.response, ()), known.get(told.size, ())

    def _sort(self) -> None:
        known, now = self._sorted.keys, dict[object, tuple[_Told, ...]]()
        for told in self.fresh:
            for key in (told.size, told.response):
                if key is not None:
                    alike = now.get(key) or known.get(key, ())
                    now[key] = (*alike[1 - _MOST_ALIKE :], told)
        self.fresh.clear()
        self._sorted.put(now)

    def __bool__(self) -> bool:
        return bool(self.fresh or self._sorted.keys)


class Tellings:
    """Billed calls by what another telling of the same call would have in common with them.

    What is told at first hand and what is told at second hand lie apart: only one of either are ever taken for the
    same, and where all is told at one hand, as it mostly is, nothing has to be sorted or looked up.
    """

    def __init__(self, size: int) -> None:
        self._at_hand = {True: _Hand(size), False: _Hand(size)}

    def add(self, calls: Iterable[Arrived]) -> None:
        for call in calls:
            self._at_hand[call.scope_name in FIRST_HAND].fresh.append(_told(call))

    def reason(self, call: Arrived) -> str:
        """Why the call is told here already; empty where it is not."""
        other = self._at_hand[call.scope_name not in FIRST_HAND]
        if not other:
            return ""
        told = _told(call)
        same_id, same_size = other.like(told)
        if any(map(told.beside, same_id)):
            return "duplicate_response"
        return "duplicate_call" if any(map(told.same_call, same_size)) else ""
