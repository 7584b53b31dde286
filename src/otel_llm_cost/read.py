"""How providers read what an SDK hands them: parsed JSON and SDK objects alike, and never with an exception.

A wrong type is treated as unsaid.  Nothing here converts: a count that arrives as text stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def pick(source: Any, *path: str) -> Any:
    """The value at `path` below `source` (mapping keys or attributes), or None where any step is missing."""
    for name in path:
        if source is None:
            return None
        source = source.get(name) if isinstance(source, Mapping) else _attribute(source, name)
    return source


def _attribute(source: Any, name: str) -> Any:
    """Like `getattr(source, name, None)`; a field that a pydantic object lacks costs 2 µs there and 0.1 here."""
    state = getattr(source, "__dict__", None)
    if state is not None and name in state:
        return state[name]
    extra = getattr(source, "__pydantic_extra__", None)
    return extra.get(name) if extra is not None else getattr(source, name, None)


def text(source: Any, *path: str) -> str | None:
    """A non-empty text at `path`, else None."""
    value = pick(source, *path)
    return value if isinstance(value, str) and value else None


def number(source: Any, *path: str) -> float | None:
    """A number at `path`, else None.  `True` is no number."""
    value = pick(source, *path)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def count(source: Any, *path: str) -> int | None:
    """A whole number, zero or more, at `path`, else None."""
    value = number(source, *path)
    return int(value) if value is not None and value >= 0 and value == int(value) else None


def items(source: Any, *path: str) -> list[Any]:
    """The list at `path`, else an empty one.  A generator is never consumed."""
    value = pick(source, *path)
    return value if isinstance(value, list) else []
