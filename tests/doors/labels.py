"""How a way is written down: the call is asked what it does, by being made on something that only takes notes."""

from __future__ import annotations

from typing import Any, NamedTuple

from .kits import AnyWay

_TOLD = ("stream", "stream_format")
"""Arguments that make another way of the same method."""
_ASKED = ("model", "response_format", *_TOLD)
_READINGS = {
    "lazy": "parse()",
    "json": "json()",
    "lines": "iter_lines()",
    "stream": "for",
    "next": "next()",
    "raw stream": "parse()",
    "lazy stream": "parse()",
    "pieces": "iter_bytes()",
    "file": "stream_to_file()",
}


class Label(NamedTuple):
    """`chat.completions`, `with_streaming_response.create(stream=True)`, `iter_lines()` (or nothing).

    `detailed` is the call with what it asks for, where two calls differ in nothing else.
    """

    door: str
    call: str
    reading: str
    detailed: str


def label(way: AnyWay) -> Label:
    """Where a way leads, and how."""
    door, call = _split(way.call(_Notes(_TOLD))._path)
    _, detailed = _split(way.call(_Notes(_ASKED))._path)
    return Label(door, call, _READINGS.get(way.read, ""), detailed)


def _split(path: str) -> tuple[str, str]:
    """A resource and what is called on it."""
    door = path.partition("(")[0].rpartition(".")[0]
    for wrapper in (".with_raw_response", ".with_streaming_response"):
        door = door.removesuffix(wrapper)
    return door, path[len(door) + 1 :]


class _Notes:
    """Has every attribute and every method."""

    def __init__(self, told: tuple[str, ...], path: str = "") -> None:
        self._told, self._path = told, path

    def __getattr__(self, name: str) -> _Notes:
        return _Notes(self._told, f"{self._path}.{name}" if self._path else name)

    def __call__(self, *_args: Any, **given: Any) -> _Notes:
        shown = ((name, given[name]) for name in self._told if isinstance(given.get(name), (str, bool)))
        told = ", ".join(f"{name}={value!r}" for name, value in shown)
        return _Notes(self._told, f"{self._path}({told})")
