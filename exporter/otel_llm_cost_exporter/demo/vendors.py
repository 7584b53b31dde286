"""The providers that the emulator can be, and which of them a path belongs to."""

from __future__ import annotations

from typing import Final

from . import anthropic, gemini, openai
from .reply import Vendor

VENDORS: Final[tuple[Vendor, ...]] = (openai, anthropic, gemini)


def vendor_of(path: str) -> Vendor:
    """The provider whose API has this path; OpenAI's, as the one that most others copy, has what is left."""
    if gemini.PATH.match(path):
        return gemini
    return anthropic if path.startswith("/v1/messages") else openai
