"""What was said to a model and by it, in the form of the GenAI conventions: messages of parts.

Schema: `gen_ai.system_instructions`, `gen_ai.input.messages` and `gen_ai.output.messages` of the OpenTelemetry GenAI
semantic conventions.  A message is `{"role": …, "parts": [{"type": "text", "content": …}, …]}`; an output message also
has `finish_reason`.  Parts are text, reasoning, `tool_call` (`id`, `name`, `arguments`), `tool_call_response` (`id`,
`response`), and `uri`, `file` or `blob` (`modality`, `mime_type`); the bytes of a blob are never kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

Part = dict[str, Any]
Message = dict[str, Any]
Kind = Literal["text", "reasoning", "tool_call"]


class Prompt(NamedTuple):
    """All that one request tells the model."""

    system: list[Part]
    messages: list[Message]


class Said(NamedTuple):
    """A piece of an answer as a stream brings it; pieces of one `index` and `kind` belong together, in order."""

    index: int  # type: ignore[assignment]  # no one looks for an item of a piece
    """Which of several choices, or which part of the answer: what the provider counts by."""
    kind: Kind
    text: str
    """For a tool call, a piece of its arguments as JSON."""
    id: str | None = None
    name: str | None = None
    """Of the tool that is called; on the first piece."""


def texts(prompt: Prompt) -> Iterable[str]:
    """Every text of a prompt, in order, without roles."""
    for part in prompt.system:
        yield from _text(part)
    for message in prompt.messages:
        for part in message["parts"]:
            yield from _text(part)


def _text(part: Part) -> Iterable[str]:
    content = part.get("content", part.get("response"))
    if isinstance(content, str):
        yield content


def assembled(pieces: Iterable[Said], finish_reason: str | None) -> list[Message]:
    """The pieces of a stream as the messages that a whole answer would have given."""
    choices: dict[int, list[Part]] = {}
    open_parts: dict[tuple[int, Kind], Part] = {}
    for piece in pieces:
        key = (piece.index, piece.kind)
        part = open_parts.get(key)
        field = "arguments" if piece.kind == "tool_call" else "content"
        if part is None or (piece.kind == "tool_call" and piece.name):
            part = {"type": piece.kind, field: ""}
            if piece.kind == "tool_call":
                part |= {"id": piece.id, "name": piece.name}
            open_parts[key] = part
            choices.setdefault(piece.index, []).append(part)
        part[field] += piece.text
    return [
        {"role": "assistant", "parts": parts, "finish_reason": finish_reason or "unknown"}
        for _, parts in sorted(choices.items())
    ]
