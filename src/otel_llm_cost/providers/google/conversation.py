"""What was said to a model of Google's and by it: contents and their parts, steps of an interaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_llm_cost.content import Kind, Message, Part, Prompt, Said
from otel_llm_cost.read import count, items, text, view, within

from .words import ending, lower

_ROLES: Final = {"model": "assistant", "function": "tool", "model_output": "assistant", "thought": "assistant"}
_DELTAS: Final[dict[str, Kind]] = {"text": "text", "thought_summary": "reasoning", "arguments_delta": "tool_call"}
_MEDIA: Final = frozenset({"image", "audio", "video", "document"})


# -- asked


def prompt(body: Mapping[str, Any]) -> Prompt:
    """The contents of a request, its system instruction, the texts to embed, or an interaction's input."""
    if "input" in body:
        system = body.get("system_instruction")
        return Prompt(_parts_of(system) if system else [], _turns(body["input"]))
    system = body.get("systemInstruction")
    contents = _list(body.get("contents"))
    contents += [within(view(asked), "content") for asked in items(body, "requests")] or _list(body.get("content"))
    texts = [text(view(asked), "content") or text(view(asked), "prompt") for asked in items(body, "instances")]
    messages = [_message(content) for content in contents]
    messages += [{"role": "user", "parts": [_said(asked)]} for asked in texts if asked]
    return Prompt(_parts_of(system) if system else [], messages)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _message(content: Any) -> Message:
    role = text(view(content), "role") or "user"
    return {"role": _ROLES.get(role, role), "parts": _parts_of(content)}


def _parts_of(content: Any) -> list[Part]:
    """A content may be given as its text alone."""
    if isinstance(content, str):
        return [_said(content)]
    parts = items(view(content), "parts") or ([content] if "text" in view(content) else [])
    return [part for raw in parts if (part := _part(view(raw)))]


def _said(words: str, kind: Kind = "text") -> Part:
    return {"type": kind, "content": words}


def _part(raw: Mapping[str, Any]) -> Part | None:
    if (words := text(raw, "text")) is not None:
        return _said(words, "reasoning" if raw.get("thought") is True else "text")
    for name, read in _PARTS.items():
        if name in raw:
            return read(within(raw, name))
    return None


def _media(raw: Mapping[str, Any]) -> Part:
    """The bytes are left out."""
    kind = text(raw, "mimeType") or text(raw, "mime_type")
    uri = text(raw, "fileUri") or text(raw, "file_uri") or text(raw, "uri")
    part = {"type": "uri" if uri else "blob", "modality": (kind or "file").partition("/")[0], "mime_type": kind}
    return {**part, "uri": uri} if uri else part


def _called(raw: Mapping[str, Any]) -> Part:
    arguments = raw.get("args", raw.get("arguments"))
    return {"type": "tool_call", "id": text(raw, "id"), "name": text(raw, "name"), "arguments": arguments}


def _returned(raw: Mapping[str, Any]) -> Part:
    given = raw.get("response", raw.get("result"))
    return {"type": "tool_call_response", "id": text(raw, "id") or text(raw, "call_id"), "response": given}


def _code(raw: Mapping[str, Any]) -> Part:
    """Code that the model runs at Google's is a call of a tool with a name of ours."""
    return {"type": "tool_call", "id": text(raw, "id"), "name": "code_execution", "arguments": dict(raw)}


def _outcome(raw: Mapping[str, Any]) -> Part:
    return {"type": "tool_call_response", "id": text(raw, "id"), "response": dict(raw)}


_PARTS: Final = {
    "inlineData": _media,
    "fileData": _media,
    "functionCall": _called,
    "functionResponse": _returned,
    "executableCode": _code,
    "codeExecutionResult": _outcome,
}


# -- answered


def answer(body: Any) -> list[Message]:
    """The candidates of a whole answer, or what an interaction came to."""
    said = view(body)
    if "steps" in said:
        parts = [part for step in items(said, "steps") for part in _step(view(step))]
        return [{"role": "assistant", "parts": parts, "finish_reason": ending(text(said, "status") or "unknown")}]
    candidates = [view(raw) for raw in items(said, "candidates")]
    return [
        {
            "role": "assistant",
            "parts": _parts_of(within(candidate, "content")),
            "finish_reason": lower(text(candidate, "finishReason")) or "unknown",
        }
        for candidate in candidates
    ]


def said(event: Any) -> list[Said]:
    """The new parts of every candidate, or a delta of an interaction."""
    told = view(event)
    if "event_type" in told:
        return list(_delta(told))
    return [
        piece
        for position, raw in enumerate(items(told, "candidates"))
        for part in items(within(view(raw), "content"), "parts")
        if (piece := _piece(count(view(raw), "index") or position, _part(view(part)) or {}))
    ]


def _piece(index: int, part: Part) -> Said | None:
    match part.get("type"):
        case "text" | "reasoning" as kind:
            return Said(index, kind, part["content"])
        case "tool_call":
            return Said(index, "tool_call", _json(part["arguments"]), part["id"], part["name"])
        case _:
            return None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>")


# -- interactions


def _turns(given: Any) -> list[Message]:
    """A text, contents, or the steps of a conversation so far."""
    if isinstance(given, str):
        return [{"role": "user", "parts": [_said(given)]}]
    messages: list[Message] = []
    for raw in _list(given):
        step = view(raw)
        kind = text(step, "role") or text(step, "type") or "user"
        role = (
            "assistant" if kind.endswith("_call") else "tool" if kind.endswith("_result") else _ROLES.get(kind, "user")
        )
        parts = _step(step)
        if messages and messages[-1]["role"] == role:
            messages[-1]["parts"] += parts
        else:
            messages.append({"role": role, "parts": parts})
    return messages


def _role(kind: str) -> str:
    if kind.endswith("_result"):
        return "tool"
    return "assistant" if kind.endswith("_call") else _ROLES.get(kind, "user")


def _step(step: Mapping[str, Any]) -> list[Part]:
    kind = text(step, "type") or ""
    if kind.endswith("_call"):
        called = _called(step)
        return [{**called, "name": called["name"] or kind.removesuffix("_call")}]
    if kind.endswith("_result"):
        return [_returned(step)]
    if kind == "thought":
        return [_said(words, "reasoning") for raw in items(step, "summary") if (words := text(view(raw), "text"))]
    if kind in _MEDIA:
        return [_media(step)]
    if (words := text(step, "text") or text(step, "content")) is not None:
        return [_said(words)]
    return [part for raw in items(step, "content") for part in _step(view(raw))]


def _delta(event: Mapping[str, Any]) -> Iterable[Said]:
    """Steps follow one another and make one message."""
    step, delta = within(event, "step"), within(event, "delta")
    if text(step, "type") == "function_call":
        yield Said(0, "tool_call", "", text(step, "id"), text(step, "name"))
    kind = _DELTAS.get(text(delta, "type") or "")
    if kind is not None:
        words = text(delta, "text") or text(delta, "arguments") or text(within(delta, "content"), "text")
        if words:
            yield Said(0, kind, words)
