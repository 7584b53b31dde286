"""The one guard between our faults and the caller's program."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from types import TracebackType
from typing import Final

log = logging.getLogger(__name__)

STRICT: Final = "OTEL_LLM_COST_STRICT"
"""Set in our own test suite: a fault of ours is raised instead of logged."""

_seen_faults: dict[tuple[str, str], object] = {}


class quietly:  # noqa: N801  # reads as a word of the language: `with quietly("…"):`
    """The one guard: a fault of ours is logged once per kind and place, and the caller's program goes on."""

    __slots__ = ("doing",)

    def __init__(self, doing: str) -> None:
        self.doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        if os.environ.get(STRICT):
            return False
        fault, first = (self.doing, kind.__name__), object()
        if _seen_faults.setdefault(fault, first) is first:  # one step: two threads may meet the same fault at once
            # the text of a foreign exception may quote a prompt, so only its type and place are logged
            place = _place(traceback)
            with suppress(Exception):  # a handler of the user's may fail as well
                log.warning("failed to %s (%s at %s); the call itself is unaffected. Logged once.", *fault, place)
        return True


def _place(traceback: TracebackType | None) -> str:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "?"
    return f"{os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"  # noqa: PTH119
