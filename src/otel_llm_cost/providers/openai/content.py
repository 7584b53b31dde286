"""What is said to a model and by it.

A whole answer is read as the pieces that its stream would have been, and put together by the same hand, so the two
cannot differ.  Lists and tuples are read; an iterator that a caller passes as messages is left for the SDK to consume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_llm_cost.content import Kind, Message, Part, Prompt, Said, assembled
from otel_llm_cost.read import count, items, text, view, within

_TEXT_ONLY: Final = frozenset({"user", "system", "developer"})
_BARE: Final = 2
"""Keys of a message that has a role and a content, and nothing else."""
_TEXTS: Final = {"refusal": "refusal"}
"""Part type → the key of its text, where that is not `text`."""
_MODALITIES: Final = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "video_url": "video",
    "input_file": "document",
    "file": "document",
}
_DELTAS: Final[dict[str, Kind]] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.audio.transcript.delta": "text",
    "transcript.text.delta": "text",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.function_call_arguments.delta": "tool_call",
    "response.custom_tool_call_input.delta": "tool_call",
    "response.mcp_call_arguments.delta": "tool_call",
    "response.code_interpreter_call_code.delta": "tool_call",
}


# -- what is said to the model


def prompt(body: Mapping[str, Any]) -> Prompt:
    """Messages, items, or plain texts to be answered, completed, embedded, spoken or drawn."""
    instructions, messages = body.get("instructions"), body.get("messages")
    system = _parts(instructions) if instructions else []
    if isinstance(messages, (list, tuple)):
        return Prompt(system, [_message(view(raw)) for raw in messages])
    given = body["input"] if "input" in body else body.get("prompt")
    if isinstance(given, str):
        return Prompt(system, [_user(_parts(given))])
    if isinstance(given, (list, tuple)) and not (given and isinstance(given[0], (int, list))):
        return Prompt(system, [message for raw in given for message in _items(raw)])
    return Prompt(system, [])  # nothing, an iterator, or tokens


def _message(said: Mapping[str, Any]) -> Message:
    """One message of a chat."""
    role, content = text(said, "role") or "user", said.get("content")
    if isinstance(content, str) and (role in _TEXT_ONLY or (role == "assistant" and len(said) == _BARE)):
        return {"role": role, "parts": [{"type": "text", "content": content}]}  # nearly all of a long conversation
    if role in ("tool", "function"):
        return _outcome(text(said, "tool_call_id"), content)
    parts = _parts(content)
    if role == "assistant":
        parts = [*_thought(said), *parts, *_called(said)]
    return {"role": role, "parts": parts}


def _thought(said: Mapping[str, Any]) -> list[Part]:
    reasoning = text(said, "reasoning_content") or text(said, "reasoning")
    return [{"type": "reasoning", "content": reasoning}] if reasoning else []


def _called(said: Mapping[str, Any]) -> list[Part]:
    return [
        {"type": "tool_call", "id": piece.id, "name": piece.name, "arguments": piece.text}
        for piece in _tool_calls(0, said)
    ]


def _items(raw: Any) -> Iterator[Message]:
    """One element of an input: a text, an item of a conversation, or a part of a message."""
    if isinstance(raw, str):
        yield _user(_parts(raw))
        return
    said = view(raw)
    kind = text(said, "type") or "message"
    if kind == "message":
        if said:
            yield _message(said)
    elif kind == "reasoning":
        yield {"role": "assistant", "parts": [{"type": "reasoning", "content": piece} for piece in _reasoned(said)]}
    elif kind.endswith("_call"):
        part = {"type": "tool_call", "id": _call_id(said), "name": _name(said, kind), "arguments": _arguments(said)}
        yield {"role": "assistant", "parts": [part]}
    elif kind.endswith("_output"):
        yield _outcome(_call_id(said), said.get("output"))
    elif parts := _part(said):
        yield _user(parts)


def _user(parts: list[Part]) -> Message:
    return {"role": "user", "parts": parts}


def _outcome(call: str | None, content: Any) -> Message:
    """What a tool answered, as one text."""
    told = "".join(part["content"] for part in _parts(content) if part["type"] == "text")
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": call, "response": told}]}


def _parts(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    if isinstance(content, (list, tuple)):
        return [part for raw in content for part in (_parts(raw) if isinstance(raw, str) else _part(view(raw)))]
    return []


def _part(said: Mapping[str, Any]) -> list[Part]:
    """One part of a message; none of what is neither text nor a medium."""
    kind = text(said, "type") or "text"
    if kind in _MODALITIES:
        return _medium(said, kind)
    content = text(said, _TEXTS.get(kind, "text"))
    return [{"type": "text", "content": content}] if content else []


def _medium(said: Mapping[str, Any], kind: str) -> list[Part]:
    """A file, an address, or bytes, of which only the kind is kept."""
    inner = within(said, kind) or said
    part: Part = {"modality": _MODALITIES[kind]}
    url = text(inner, "url") or text(inner, "image_url") or text(inner, "file_url") or ""
    data = url if url.startswith("data:") else text(inner, "data") or text(inner, "file_data")
    if file := text(inner, "file_id"):
        return [{"type": "file", **part, "file_id": file}]
    if not data:
        return [{"type": "uri", **part, "uri": url}] if url else []
    mime_type = data[5:99].partition(";")[0] if data.startswith("data:") else None
    if form := text(inner, "format"):
        mime_type = f"audio/{form}"
    return [{"type": "blob", **part, **({"mime_type": mime_type} if mime_type else {})}]


# -- what the model says


def answer(body: Any) -> list[Message]:
    """The choices of a completion, the output of a response, or a transcript."""
    said = view(body)
    if choices := items(said, "choices"):
        return [message for raw in choices for message in _choice(view(raw))]
    if output := items(said, "output"):
        pieces = [piece for index, raw in enumerate(output) for piece in _item(index, view(raw))]
        return assembled(pieces, text(within(said, "incomplete_details"), "reason") or "stop")
    transcript = text(said, "text")
    return assembled([Said(0, "text", transcript)], "stop") if transcript else []


def said(event: Any) -> list[Said]:
    """The deltas of one event; what only repeats them says nothing."""
    told = view(event)
    if choices := items(told, "choices"):
        return [piece for raw in choices for piece in _pieces(view(raw), "delta")]
    kind, index = text(told, "type") or "", count(told, "output_index") or 0
    if kind in _DELTAS:
        delta = text(told, "delta")
        return [Said(index, _DELTAS[kind], delta)] if delta else []
    if kind.startswith("response.output_item."):
        return _tool_item(index, within(told, "item"), begins=kind.endswith("added"))
    return []


def _choice(choice: Mapping[str, Any]) -> list[Message]:
    return assembled(_pieces(choice, "message"), text(choice, "finish_reason"))


def _pieces(choice: Mapping[str, Any], where: str) -> list[Said]:
    """What one choice says: a whole message and a delta have the same fields."""
    index, message = count(choice, "index") or 0, within(choice, where)
    kinds: tuple[tuple[Kind, str | None], ...] = (
        ("reasoning", text(message, "reasoning_content") or text(message, "reasoning")),
        ("text", _content(message) or text(choice, "text")),
        ("text", text(message, "refusal")),
        ("text", text(within(message, "audio"), "transcript")),
    )
    return [*(Said(index, kind, piece) for kind, piece in kinds if piece), *_tool_calls(index, message)]


def _content(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return content
    return "".join(part["content"] for part in _parts(content) if part["type"] == "text")


def _tool_calls(index: int, message: Mapping[str, Any]) -> Iterator[Said]:
    """Calls of functions and of custom tools, and the one call that was possible before there were tools."""
    for raw in items(message, "tool_calls"):
        call = view(raw)
        tool = within(call, "function") or within(call, "custom")
        yield Said(index, "tool_call", _arguments(tool), text(call, "id"), text(tool, "name"))
    if function := within(message, "function_call"):
        yield Said(index, "tool_call", _arguments(function), None, text(function, "name"))


def _item(index: int, item: Mapping[str, Any]) -> list[Said]:
    """One item of a response's output; a compacted one repeats what the user said."""
    kind = text(item, "type") or ""
    if kind == "message":
        told = _content(item) if text(item, "role") in (None, "assistant") else None
        return [Said(index, "text", told)] if told else []
    if kind == "reasoning":
        return [Said(index, "reasoning", piece) for piece in _reasoned(item)]
    if kind.endswith("_call"):
        return [Said(index, "tool_call", _arguments(item), _call_id(item), _name(item, kind))]
    return []


def _tool_item(index: int, item: Mapping[str, Any], *, begins: bool) -> list[Said]:
    """A call begins with its name; what it searches for is told at its end, all else in deltas between."""
    kind = text(item, "type") or ""
    if not kind.endswith("_call"):
        return []
    if begins:
        return [Said(index, "tool_call", "", _call_id(item), _name(item, kind))]
    return [Said(index, "tool_call", searched)] if (searched := _searched(item)) else []


def _reasoned(item: Mapping[str, Any]) -> list[str]:
    parts = [view(raw) for raw in (*items(item, "summary"), *items(item, "content"))]
    return [piece for part in parts if (piece := text(part, "text"))]


def _call_id(item: Mapping[str, Any]) -> str | None:
    return text(item, "call_id") or text(item, "id")


def _name(item: Mapping[str, Any], kind: str) -> str:
    """`web_search_call` is a call of `web_search`."""
    return text(item, "name") or kind.removesuffix("_call")


def _arguments(call: Mapping[str, Any]) -> str:
    return text(call, "arguments") or text(call, "input") or text(call, "code") or _searched(call)


def _searched(call: Mapping[str, Any]) -> str:
    queries = [query for query in items(call, "queries") if isinstance(query, str)]
    return text(within(call, "action"), "query") or "\n".join(queries)
