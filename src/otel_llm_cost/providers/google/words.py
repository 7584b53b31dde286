"""Google's words, evened out."""

from __future__ import annotations

from typing import Final

_STATUSES: Final = {"completed": "stop", "requires_action": "tool_call", "failed": "error"}


def plain(model: str | None) -> str | None:
    """`models/gemini-2.5-flash`, however long its path, by its name alone."""
    return model.rpartition("models/")[2] if model else None


def lower(word: str | None) -> str | None:
    """Plain lower-case text; the SDK's own enums are texts too."""
    return str.lower(word) if word else None


def ending(status: str) -> str:
    """Why an interaction ended, by its status; in the words of the conventions where they have one."""
    return _STATUSES.get(status, status)
