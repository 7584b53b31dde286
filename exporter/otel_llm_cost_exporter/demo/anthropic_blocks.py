"""What Claude "wrote": thoughts, searches, a tool's arguments or a text, as content blocks."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import prose
from .reply import Ask, to_json

_LEAST_THOUGHT: Final = 64
_SPREAD: Final = 400
_RESULT_TOKENS: Final = 350
"""What the results of one search add to the input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """The answer's content and what it costs in tokens; `output` includes `thinking`."""

    content: tuple[dict[str, Any], ...]
    stop: str
    output: int
    thinking: int
    searches: int

    @property
    def found(self) -> int:
        """Tokens that the searches added to the input."""
        return self.searches * _RESULT_TOKENS


def write(ask: Ask) -> Writing:
    """The answer to a request; the same request always gets the same."""
    seed = prose.digest(ask.model, ask.body.get("system"), ask.body.get("messages"), ask.body.get("tools"))
    thinking, searches = _thinking(ask, seed), _searches(ask, seed)
    tool = _demanded(ask)
    content = [*_thoughts(thinking, seed), *_search_blocks(ask, searches, seed)]
    said = prose.generate(seed, tool["input_schema"] if tool else _schema(ask), ask.body.get("max_tokens"))
    content.append(_tool_use(ask, tool, seed) if tool else {"type": "text", "text": said.text, "citations": None})
    queries = sum(prose.tokens(_arguments(block)) for block in content if block["type"] == "server_tool_use")
    last = content[-1]
    spoken = prose.tokens(last["text"] if last["type"] == "text" else _arguments(last))
    return Writing(
        content=tuple(content),
        stop="tool_use" if tool else "max_tokens" if said.cut else "end_turn",
        output=thinking + queries + spoken,
        thinking=thinking,
        searches=searches,
    )


def _thinking(ask: Ask, seed: str) -> int:
    wanted = ask.body.get("thinking") or {}
    if wanted.get("type") not in ("enabled", "adaptive"):
        return 0
    return min(_LEAST_THOUGHT + prose.number(seed, _SPREAD), int(wanted.get("budget_tokens") or _SPREAD))


def _thoughts(tokens: int, seed: str) -> Iterator[dict[str, Any]]:
    """The caller sees a summary; the bill counts the whole thought."""
    if tokens:
        signature = base64.b64encode(seed.encode()).decode()
        yield {"type": "thinking", "thinking": prose.write(f"{seed}/thought", 20), "signature": signature}


def _searches(ask: Ask, seed: str) -> int:
    tools = [tool for tool in ask.body.get("tools") or () if str(tool.get("type")).startswith("web_search_")]
    return min(1 + prose.number(seed, 2), int(tools[0].get("max_uses") or 2)) if tools else 0


def _search_blocks(ask: Ask, searches: int, seed: str) -> Iterator[dict[str, Any]]:
    for n in range(searches):
        use = f"srvtoolu_{prose.digest(ask.serial, n)}"
        query = {"query": prose.write(f"{seed}/{n}", 4)}
        yield {"type": "server_tool_use", "id": use, "name": "web_search", "input": query}
        yield {"type": "web_search_tool_result", "tool_use_id": use, "content": [_page(f"{seed}/{n}")]}


def _page(seed: str) -> dict[str, Any]:
    page = {"type": "web_search_result", "title": prose.write(seed, 3), "url": "https://shop.example/"}
    return {**page, "encrypted_content": prose.digest(seed), "page_age": None}


def _demanded(ask: Ask) -> Mapping[str, Any] | None:
    """The caller's own tool that has to be used, if any has to."""
    own = [tool for tool in ask.body.get("tools") or () if "input_schema" in tool]
    return own[0] if own and (ask.body.get("tool_choice") or {}).get("type") in ("any", "tool") else None


def _tool_use(ask: Ask, tool: Mapping[str, Any], seed: str) -> dict[str, Any]:
    given = prose.instance(tool["input_schema"], seed)
    return {"type": "tool_use", "id": f"toolu_{prose.digest(ask.serial)}", "name": tool["name"], "input": given}


def _schema(ask: Ask) -> Mapping[str, Any] | None:
    form = (ask.body.get("output_config") or {}).get("format") or {}
    schema: Mapping[str, Any] | None = form.get("schema")
    return schema


def _arguments(block: Mapping[str, Any]) -> str:
    return to_json(block["input"]).decode()
