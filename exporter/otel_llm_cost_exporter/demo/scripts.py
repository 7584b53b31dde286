"""Bad days on demand: what goes wrong with a call, picked by name.

A script is chosen, in this order, by the request header `x-emulator-script`, by the end of the model's name
(`gpt-4o-mini@rate-limit`), or by the emulator's own table model → script, which leaves the caller's program
as it is.  A script sees what the vendor would have answered and spoils it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from .reply import Ask, Refusal, Reply, Vendor

HEADER: Final = "x-emulator-script"
MARK: Final = "@"
_SOON: Final = {"retry-after-ms": "40", "retry-after": "1"}
_SLOW_PAUSE: Final = 0.05
_LONG_PAUSE: Final = 30.0

_RATE_LIMIT = Refusal(
    status=429, code="rate_limit_exceeded", kind="requests", message="Rate limit reached for requests", headers=_SOON
)
_SERVER_ERROR = Refusal(
    status=500, code="server_error", kind="server_error", message="The server had an error", headers=_SOON
)
_OVERLOADED = Refusal(
    status=503, code="overloaded", kind="server_error", message="The engine is currently overloaded", headers=_SOON
)
_QUOTA = Refusal(
    status=429,
    code="insufficient_quota",
    kind="insufficient_quota",
    message="You exceeded your current quota, please check your plan and billing details.",
    headers=_SOON,
)
_AUTH = Refusal(status=401, code="invalid_api_key", kind="invalid_request_error", message="Incorrect API key provided.")
_NOT_FOUND = Refusal(
    status=404, code="model_not_found", kind="invalid_request_error", message="The model does not exist."
)
_BAD_REQUEST = Refusal(
    status=400,
    code="context_length_exceeded",
    kind="invalid_request_error",
    message="This model's maximum context length is exceeded.",
)
_UNKNOWN_ARGUMENT = Refusal(
    status=400,
    code="",
    kind="invalid_request_error",
    message="Unrecognized request argument supplied: stream_options",
)

_DATA: Final = re.compile(rb"data: .*")

Script = Callable[[Ask, Vendor], Reply]


def _once(refusal: Refusal) -> Script:
    """Refuse the first try of a call, serve the next."""
    return lambda ask, vendor: vendor.refuse(refusal) if ask.attempt == 0 else vendor.answer(ask)


def _always(refusal: Refusal) -> Script:
    return lambda _ask, vendor: vendor.refuse(refusal)


def _half(reply: Reply) -> tuple[bytes, ...]:
    events = reply.events or ()
    return events[: max(len(events) // 2, 1)]


def _spoilt(reply: Reply) -> Reply:
    """A reply of which the caller will not learn what it used."""
    return replace(reply, usage=None, keep={}, batch=())


def _error_event(ask: Ask, vendor: Vendor) -> Reply:
    """A stream that says in its middle that the generation failed; a whole answer is served as ever."""
    reply = vendor.answer(ask)
    if reply.events is None or reply.status != 200:
        return reply
    return replace(_spoilt(reply), events=_half(reply) + reply.failure)


def _cut(ask: Ask, vendor: Vendor) -> Reply:
    reply = vendor.answer(ask)
    spoilt = replace(_spoilt(reply), ending="cut")
    if reply.events is None:
        return replace(spoilt, body=reply.body[: len(reply.body) // 2])
    return replace(spoilt, events=_half(reply))


def _malformed(ask: Ask, vendor: Vendor) -> Reply:
    """Half of a JSON document with a proper HTTP end, or a frame of a stream that is no JSON."""
    reply = vendor.answer(ask)
    if reply.events is None:
        return replace(_spoilt(reply), body=reply.body[: len(reply.body) // 2])
    *begun, last = _half(reply)
    return replace(_spoilt(reply), events=(*begun, last, _DATA.sub(b"data: {not json", last)))


def _paused(seconds: float) -> Script:
    return lambda ask, vendor: replace(vendor.answer(ask), pause=seconds)


def _no_stream_options(ask: Ask, vendor: Vendor) -> Reply:
    """A compatible host that has never heard of `stream_options`."""
    return vendor.refuse(_UNKNOWN_ARGUMENT) if "stream_options" in ask.body else vendor.answer(ask)


SCRIPTS: Final[Mapping[str, Script]] = {
    "rate-limit": _once(_RATE_LIMIT),
    "server-error": _once(_SERVER_ERROR),
    "overloaded": _always(_OVERLOADED),
    "quota": _always(_QUOTA),
    "auth": _always(_AUTH),
    "not-found": _always(_NOT_FOUND),
    "bad-request": _always(_BAD_REQUEST),
    "error-event": _error_event,
    "cut": _cut,
    "malformed": _malformed,
    "slow": _paused(_SLOW_PAUSE),
    "hang": _paused(_LONG_PAUSE),
    "no-stream-options": _no_stream_options,
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The script for one request (empty: none) and the request without the mark that chose it."""

    name: str
    ask: Ask


def choose(ask: Ask, header: str, table: Mapping[str, str]) -> Chosen:
    """Which script a request gets.  The mark is taken off the model's name, so that the vendor knows the model."""
    model, mark, marked = ask.model.partition(MARK)
    return Chosen(header or marked or table.get(model, ""), _unmarked(ask, model, mark + marked) if mark else ask)


def _unmarked(ask: Ask, model: str, mark: str) -> Ask:
    body = {**ask.body, "model": model} if "model" in ask.body else ask.body
    return replace(ask, path=ask.path.replace(mark, ""), body=body)


def play(chosen: Chosen, vendor: Vendor) -> Reply:
    """The reply to a request under its script; an unknown script is refused by name."""
    if not chosen.name:
        return vendor.answer(chosen.ask)
    script = SCRIPTS.get(chosen.name)
    if script is None:
        message = f"No script {chosen.name!r}; there are: {', '.join(SCRIPTS)}"
        return vendor.refuse(Refusal(status=400, code="unknown_script", kind="emulator_error", message=message))
    return script(chosen.ask, vendor)
