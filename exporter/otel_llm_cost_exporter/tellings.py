"""Two tellings of one call that nothing links: no parent, no response id on both sides.

A framework's callbacks make spans of their own beside ours (LangChain's do), in traces of their own.  What tells that
they are one call is what they have in common: the service, a model, the tokens, and that they overlap in time.  Only
what is told at first hand, by who sees the request itself, and what is told at second hand are ever taken for the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from .decode import Arrived
from .dialects import ANTHROPIC_SDK, OURS

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
    response_id: str | None
    models: frozenset[str | None]

    def beside(self, other: _Told) -> bool:
        return self.start <= other.end and other.start <= self.end

    def same_call(self, other: _Told) -> bool:
        """Of two with the same tokens in one service: no ids say that they are two."""
        return self.beside(other) and None in (self.response_id, other.response_id) and bool(self.models & other.models)


def _told(call: Arrived) -> _Told:
    request, response = call.call.request, call.call.response
    models = frozenset((request.model, response.model)) - {None}
    return _Told(call.start_ns, ends(call), response.id or None, models)


def _size(call: Arrived) -> tuple[str, str, int | None, int | None] | None:
    """What two unlinked tellings of one call have in common; what uses nothing is as good as any other."""
    usage = call.call.response.usage
    if not usage or not usage.input_tokens:
        return None
    return (call.tenant, call.service_name, usage.input_tokens, usage.output_tokens or 0)


def _response(call: Arrived) -> tuple[str, str] | None:
    response = call.call.response.id
    return (call.tenant, response) if response else None


class Tellings:
    """Billed calls by what another telling of the same call would have in common with them; `size` keys at most.

    Only what is told at first hand and what is told at second hand are ever taken for the same.
    """

    def __init__(self, size: int) -> None:
        self._recent = Recent(size)

    def add(self, calls: Iterable[Arrived]) -> None:
        known, fresh = self._recent.keys, dict[object, tuple[_Told, ...]]()
        for call in calls:
            told, hand = _told(call), call.scope_name in FIRST_HAND
            for common in (_size(call), _response(call)):
                if common is not None:
                    key = hand, common
                    alike = fresh.get(key) or known.get(key, ())
                    fresh[key] = (*alike[1 - _MOST_ALIKE :], told)
        self._recent.put(fresh)

    def reason(self, call: Arrived) -> str:
        """Why the call is told here already; empty where it is not."""
        known, other = self._recent.keys, call.scope_name not in FIRST_HAND
        same_id = known.get((other, _response(call)), ())
        same_size = known.get((other, _size(call)), ())
        if not same_id and not same_size:
            return ""
        told = _told(call)
        if any(map(told.beside, same_id)):
            return "duplicate_response"
        return "duplicate_call" if any(map(told.same_call, same_size)) else ""
