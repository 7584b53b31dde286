"""What is said to a model and by it.

A whole answer is read as the pieces that its stream would have been, and put together by the same hand, so the two
cannot differ.  All its blocks are one message.  Lists and tuples are read; an iterator that a caller passes as messages
is left for the SDK to consume.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from otel_llm_cost.content import Kind, Message, Part, Prompt, Said, assembled
from otel_llm_cost.read import items, text, view, within

_PIECES: Final[dict[str, tuple[Kind, str]]] = {
    "text": ("text", "text"),
    "text_delta": ("text", "text"),
    "compaction": ("text", "content"),
    "compaction_delta": ("text", "content"),
    "thinking": ("reasoning", "thinking"),
    "thinking_delta": ("reasoning", "thinking"),
    "input_json_delta": ("tool_call", "partial_json"),
}
"""Type of a block or of a delta → what it is a piece of, and the key of its text."""


# -- what is said to the model


def prompt(body: Mapping[str, Any]) -> Prompt:
    """The system text and the messages; of a legacy completion, its prompt."""
    legacy = text(body, "prompt")
    if legacy is not None:
        return Prompt([], [{"role": "user", "parts": [_text(legacy)]}])
    messages = body.get("messages")
    said = [view(raw) for raw in messages] if isinstance(messages, (list, tuple)) else []
    return Prompt(
        _parts(body.get("system")),
        [{"role": text(message, "role") or "user", "parts": _parts(message.get("content"))} for message in said],
    )


def _parts(content: Any) -> list[Part]:
    """A text, or blocks."""
    if isinstance(content, str):
        return [_text(content)]
    blocks = content if isinstance(content, (list, tuple)) else []
    return [part for block in blocks if (part := _part(view(block))) is not None]


def _text(content: str) -> Part:
    return {"type": "text", "content": content}


def _part(block: Mapping[str, Any]) -> Part | None:
    """One block of a message; None of one that holds no words and no medium."""
    kind = text(block, "type") or ""
    if kind in _PIECES:
        of, key = _PIECES[kind]
        return {"type": of, "content": text(block, key) or ""}
    if kind.endswith("tool_use"):
        return {"type": "tool_call", "id": text(block, "id"), "name": text(block, "name"), "arguments": _input(block)}
    if kind.endswith("tool_result"):
        words = _joined(block.get("content"))
        return {"type": "tool_call_response", "id": text(block, "tool_use_id"), "response": words}
    if kind in ("image", "document"):
        return _medium(kind, within(block, "source"))
    if kind == "container_upload":
        return {"type": "file", "modality": "document", "file_id": text(block, "file_id")}
    return _text(_joined(block.get("content"))) if kind == "search_result" else None


def _input(call: Mapping[str, Any]) -> str:
    given = call.get("input")
    return json.dumps(given, ensure_ascii=False, default=str) if given else ""


def _joined(content: Any) -> str:
    """The texts of what a tool or a search gave; a picture in it says nothing here."""
    return "\n".join(part["content"] for part in _parts(content) if part["type"] == "text")


def _medium(modality: str, source: Mapping[str, Any]) -> Part | None:
    """A picture or a document, by where it comes from; a document may be text."""
    mime = text(source, "media_type")
    match source.get("type"):
        case "base64":
            return {"type": "blob", "modality": modality, "mime_type": mime}
        case "url":
            return {"type": "uri", "modality": modality, "mime_type": mime, "uri": text(source, "url")}
        case "file":
            return {"type": "file", "modality": modality, "file_id": text(source, "file_id")}
        case "text":
            return _text(text(source, "data") or "")
        case "content":
            return _text(_joined(source.get("content")))
        case _:
            return None


# -- what the model says


def answer(body: Any) -> list[Message]:
    """The blocks of a message, or a legacy completion."""
    told = view(body)
    pieces = [piece for raw in items(told, "content") for piece in _block(view(raw), whole=True)]
    return assembled(pieces or _completed(told), text(told, "stop_reason"))


def said(event: Any) -> list[Said]:
    """The start of a block, or a delta of it."""
    told = view(event)
    match told.get("type"):
        case "content_block_start":
            return _block(within(told, "content_block"), whole=False)
        case "content_block_delta":
            return _piece(within(told, "delta"))
        case "completion":
            return _completed(told)
        case _:
            return []


def _block(block: Mapping[str, Any], *, whole: bool) -> list[Said]:
    """A block as one piece.  At the start of a stream's a tool call has no input yet, or an empty one."""
    if str(block.get("type")).endswith("tool_use"):
        return [Said(0, "tool_call", _input(block) if whole else "", text(block, "id"), text(block, "name"))]
    return _piece(block)


def _piece(piece: Mapping[str, Any]) -> list[Said]:
    kind, key = _PIECES.get(text(piece, "type") or "", ("text", ""))
    words = text(piece, key)
    return [Said(0, kind, words)] if words else []


def _completed(completion: Mapping[str, Any]) -> list[Said]:
    words = text(completion, "completion")
    return [Said(0, "text", words)] if words else []
