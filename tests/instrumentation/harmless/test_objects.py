"""Results are the SDK's own objects in every respect: type, content, copies, pickles, and what a response can do."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from .doors import SOME, Door, each, instrumented

pytestmark = pytest.mark.integration

WHOLE = [door for door in SOME if door.way.read == "value" and not door.asynchronous]
RAW = [door for door in SOME if door.sdk != "google" and not door.asynchronous and door.way.read == "raw"]
OPEN = [
    door
    for door in SOME
    if door.sdk != "google" and not door.asynchronous and door.way.read in ("lines", "lazy stream")
]


@each(WHOLE)
def test_a_whole_result(door: Door) -> None:
    def result() -> Any:
        with door.sync_client(door.host()) as client:
            return door.way.call(client)

    with instrumented(door):
        observed = result()
    bare = result()
    assert type(observed) is type(bare)
    assert isinstance(observed, type(bare))
    assert observed == bare
    assert repr(observed) == repr(bare)
    assert vars(observed).keys() == vars(bare).keys()
    assert copy.deepcopy(observed) == bare
    assert copy.copy(observed) == bare
    assert pickle.loads(pickle.dumps(observed)) == bare  # noqa: S301  # our own
    if door.sdk != "google":
        assert observed._request_id == bare._request_id


def _known(response: Any) -> dict[str, Any]:
    """What a program can ask of an HTTP response without reading it."""
    names = ("status_code", "headers", "is_closed", "is_stream_consumed", "num_bytes_downloaded", "encoding", "url")
    return {name: getattr(response, name) for name in names}


def _tried(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception as exc:  # noqa: BLE001  # what is compared
        return type(exc), str(exc)


ACTIONS: dict[str, Callable[[Any], Any]] = {
    "read": lambda r: r.read(),
    "read twice": lambda r: (r.read(), r.read()),
    "bytes": lambda r: b"".join(r.iter_bytes()),
    "bytes of a size": lambda r: list(r.iter_bytes(10)),
    "bytes by name": lambda r: list(r.iter_bytes(chunk_size=7)),
    "raw": lambda r: list(r.iter_raw()),
    "text": lambda r: "".join(r.iter_text()),
    "lines": lambda r: list(r.iter_lines()),
    "bytes twice": lambda r: (list(r.iter_bytes()), _tried(lambda: list(r.iter_bytes()))),
    "raw twice": lambda r: (list(r.iter_raw()), _tried(lambda: list(r.iter_raw()))),
    "one, then again": lambda r: (next(r.iter_bytes()), _tried(lambda: list(r.iter_bytes()))),
    "one, then read": lambda r: (next(r.iter_bytes()), _tried(r.read)),
    "closed, then read": lambda r: (r.close(), _tried(r.read)),
    "closed twice": lambda r: (r.close(), r.close()),
    "content unread": lambda r: _tried(lambda: r.content),
    "json": lambda r: (r.read(), _tried(r.json)),
    "known": _known,
    "elapsed": lambda r: _tried(lambda: r.elapsed),
    "read, then known": lambda r: (r.read(), _known(r), r.elapsed > r.elapsed.min),
    "pickled": lambda r: _known(pickle.loads(pickle.dumps(r))),  # noqa: S301  # our own
    "pickled, then read": lambda r: _tried(pickle.loads(pickle.dumps(r)).read),  # noqa: S301
    "pickled after it was read": lambda r: (r.read(), pickle.loads(pickle.dumps(r)).content),  # noqa: S301
    "copied": lambda r: _known(copy.deepcopy(r)),
    "copied after it was read": lambda r: (r.read(), copy.deepcopy(r).content, copy.copy(r).content),
    "shown": repr,
    "of its type": lambda r: (type(r), type(r).iter_bytes.__name__, callable(r.iter_bytes), callable(r.close)),
    "within": lambda r: r.__class__.__mro__,
}


def acted(door: Door, action: Callable[[Any], Any]) -> Any:
    """What an action on the response under an open stream gives, and what it took from the host."""
    host = door.host()
    with door.sync_client(host) as client, door.way.call(client) as opened:
        return _tried(lambda: action(opened.http_response)), host.taken


@each(OPEN)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_response_under_way(door: Door, action: str) -> None:
    with instrumented(door, stream_usage=False):
        observed = acted(door, ACTIONS[action])
    bare = acted(door, ACTIONS[action])
    if action != "elapsed":
        assert observed == bare


@each(RAW)
def test_a_raw_response(door: Door) -> None:
    def shown() -> Any:
        with door.sync_client(door.host()) as client:
            raw = door.way.call(client)
            response = raw.http_response
            return (
                type(raw),
                raw.headers,
                raw.status_code,
                raw.is_closed,
                raw.text,
                raw.content,
                repr(raw),
                raw.retries_taken,
                raw.elapsed > raw.elapsed.min,
                _known(response),
                sorted(vars(response)),
                sorted(vars(raw)),
                pickle.loads(pickle.dumps(response)).content,  # noqa: S301  # our own
                copy.deepcopy(response).content,
            )

    with instrumented(door):
        observed = shown()
    assert observed == shown()


@each(WHOLE)
def test_a_result_is_freed_as_soon(door: Door) -> None:
    """A program that watches its objects, or has switched the collector off, sees no difference."""

    def freed() -> bool:
        with door.sync_client(door.host()) as client:
            reference = weakref.ref(door.way.call(client))
            return reference() is None

    gc.collect()
    gc.disable()
    try:
        with instrumented(door):
            observed = freed()
        assert observed == freed()
    finally:
        gc.enable()
