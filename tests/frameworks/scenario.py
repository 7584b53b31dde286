"""What a scenario is, and what it is given.

A scenario is a module of `programs/`: `instrument(tracers, with_)` switches on a framework's own telemetry, and
`calls(door)` yields what the program does, one thunk after the other; `settle()`, where there is one, waits for what
goes on after that.  What a program imports is only installed in the environment that `run.py` makes, hence `use`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Door:
    """Where the providers are, as this program names them."""

    openai: str
    """Base URL, with `/v1`."""
    anthropic: str
    """Base URL, without."""


def use(name: str) -> Any:
    """`module:name`, imported; or the module, where no name is given."""
    module, _, attribute = name.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def weather() -> str:
    """What the weather is like."""
    return "Snow."
