"""What of a conversation is reported, as the user chose it: nothing but a fingerprint unless told otherwise.

Content goes on the span, on an event, or both, as JSON in the form of the GenAI conventions; every text of it passes
the user's redaction first and is then cut to the longest length allowed.  A fingerprint and an embedding say what a
prompt is like without saying it, see `fingerprint`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from . import attributes as names
from .content import Message, Part, Prompt, texts
from .fingerprint import fingerprint
from .quiet import quietly
from .read import valid
from .seen import prompt_tokens

Redact = Callable[[str], str]
Embed = Callable[[str], Sequence[float]]
LONGEST: Final = 10_000
"""Characters of one text that are captured unless the user says otherwise."""
_TEXTS: Final = ("content", "response", "arguments")
_WITHHELD: Final = "[withheld: redaction failed]"


@dataclass(frozen=True, slots=True)
class Capture:
    """What the user wants to see of a conversation."""

    on_span: bool = False
    on_event: bool = False
    longest: int = LONGEST
    """Characters kept of one text; 0 for all."""
    redact: Redact | None = None
    fingerprint: bool = True
    fingerprint_key: bytes = b""
    embed: Embed | None = None
    embedding_model: str = ""

    @property
    def content(self) -> bool:
        """Whether texts are reported at all."""
        return self.on_span or self.on_event

    def reads(self, *, stream: bool) -> bool:
        """Whether a prompt is read at all; that of a stream is, for the estimate should it be cut."""
        return stream or self.fingerprint or self.content or self.embed is not None

    def asked(self, prompt: Prompt, *, stream: bool, tools: Any = None) -> Asked:
        """What is kept of a prompt until its call ends; the definitions of tools are part of it."""
        said = list(texts(prompt))
        content: dict[str, str] = {}
        if self.content:
            if prompt.system:
                content[names.SYSTEM_INSTRUCTIONS] = _json(self._parts(prompt.system))
            content[names.INPUT_MESSAGES] = _json(self._messages(prompt.messages))
        return Asked(
            fingerprint(said, self.fingerprint_key) if self.fingerprint else None,
            prompt_tokens(said) if stream else None,
            content,
            "\n".join(said) if self.embed is not None else "",
            tools if stream and isinstance(tools, list) else None,
        )

    def answered(self, messages: Iterable[Message]) -> dict[str, str]:
        """What the model said, as attributes."""
        return {names.OUTPUT_MESSAGES: _json(self._messages(messages))}

    def embedding(self, text: str) -> dict[str, Any]:
        """The prompt's embedding as attributes; none of an empty prompt."""
        if self.embed is None or not text:
            return {}
        vector = [float(value) for value in self.embed(text)]
        return {names.PROMPT_EMBEDDING: vector, names.PROMPT_EMBEDDING_MODEL: self.embedding_model}

    def _messages(self, messages: Iterable[Message]) -> list[Message]:
        return [{**message, "parts": self._parts(message["parts"])} for message in messages]

    def _parts(self, parts: Iterable[Part]) -> list[Part]:
        return [{name: self._value(name, value) for name, value in part.items()} for part in parts]

    def _value(self, name: str, value: Any) -> Any:
        if name not in _TEXTS:
            return value
        text = value if isinstance(value, str) else _json(value)
        if self.redact is not None:
            text = self._redacted(text, self.redact)
        if self.longest and len(text) > self.longest:
            return f"{text[: self.longest]}… [{len(text)} characters]"
        return text if isinstance(value, str) or self.redact is not None else value

    def _redacted(self, text: str, redact: Redact) -> str:
        with quietly("redact content"):
            return str(redact(text))
        return _WITHHELD  # quietly() has swallowed a fault


class Asked(NamedTuple):
    """What is kept of one prompt."""

    fingerprint: str | None = None
    input_tokens: int | None = None
    """An estimate, for a stream."""
    content: dict[str, str] | None = None
    text: str = ""
    """To be embedded, if that was asked for."""
    tools: list[Any] | None = None
    """As the caller defined them, unread."""

    def all_input_tokens(self) -> int | None:
        """The estimate with the tools' definitions in it."""
        if self.input_tokens is None or not self.tools:
            return self.input_tokens
        return self.input_tokens + prompt_tokens([_json(self.tools)])


NOTHING_ASKED: Final = Asked()


def _json(value: Any) -> str:
    return valid(json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>"))
