"""How providers read what an SDK hands them: parsed JSON and SDK objects alike, and never with an exception.

`view` makes a mapping of either; the readers take one field of it.  A wrong type is treated as unsaid, and nothing is
converted: a count that arrives as text stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .record import MAX_COUNT

_LARGEST: Final = (1 << 63) - 1
_NOTHING: Final[Mapping[str, Any]] = {}


def view(source: Any) -> Mapping[str, Any]:
    """The fields of a parsed JSON object or of an SDK object, those that its model does not know included."""
    if isinstance(source, Mapping):
        return source
    fields = getattr(source, "__dict__", None)
    if fields is None:
        return _NOTHING
    unknown = getattr(source, "__pydantic_extra__", None)
    return {**fields, **unknown} if unknown else fields


def within(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The fields of the object under `name`; none where there is no object."""
    value = source.get(name)
    return _NOTHING if value is None else view(value)


def text(source: Mapping[str, Any], name: str) -> str | None:
    """A non-empty text, else None."""
    value = source.get(name)
    return valid(value) if value and isinstance(value, str) else None


def texts(source: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """The texts of a list, or a text on its own; None where there are none."""
    value = source.get(name)
    said = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(valid(text) for text in said if isinstance(text, str)) or None


def valid(said: str) -> str:
    """A text that can be encoded: half a character (a lone surrogate) would cost an exporter its whole batch."""
    return said if said.isascii() else said.encode("utf-8", "replace").decode()


def number(source: Mapping[str, Any], name: str) -> float | None:
    """A number that an attribute can hold, else None.  `True` is no number."""
    value = source.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return value if isinstance(value, float) or abs(value) <= _LARGEST else None


def count(source: Mapping[str, Any], name: str) -> int | None:
    """A whole number from zero to `MAX_COUNT`, else None."""
    value = source.get(name)
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def items(source: Mapping[str, Any], name: str) -> list[Any]:
    """A list, else an empty one.  A generator is never consumed."""
    value = source.get(name)
    return value if isinstance(value, list) else []
