"""`langfuse.openai`, which takes the place of the OpenAI module and makes spans of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from tests.frameworks.programs import beside
from tests.frameworks.scenario import Door, use


def instrument(tracers: Any, with_: str) -> None:
    os.environ |= {"LANGFUSE_PUBLIC_KEY": "k", "LANGFUSE_SECRET_KEY": "k", "LANGFUSE_HOST": "http://127.0.0.1:9"}
    use("langfuse:Langfuse")(tracer_provider=tracers)
    use("langfuse.openai")


def calls(door: Door) -> Iterator[Callable[[], Any]]:
    return beside.calls(door)
