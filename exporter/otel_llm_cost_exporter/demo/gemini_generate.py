"""Gemini's generateContent, whole and as a stream of the same shape, each chunk with the usage so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from . import prose
from .gemini_models import bad_request, error_body, no_such_model, thinks
from .gemini_models import exists as model_exists
from .gemini_usage import Bill, Prompt, weigh
from .reply import Ask, Reply, to_json

_LEAST_THOUGHT: Final = 48
_SPREAD: Final = 300
_PAGE_TOKENS: Final = 420
"""What one fetched page adds to the input."""
_CHUNK: Final = 6
"""Tokens of one chunk of a stream."""


def generate(ask: Ask, *, stream: bool) -> Reply:
    """POST …:generateContent and …:streamGenerateContent."""
    if not model_exists(ask.model):
        return no_such_model(ask.model)
    if not ask.body.get("contents"):
        return bad_request("* GenerateContentRequest.contents: contents is not specified")
    prompt, drafts = weigh(ask), _drafts(ask)
    bill = _bill(ask, prompt, drafts)
    head = {"modelVersion": ask.model, "responseId": prose.digest(ask.serial, ask.path, ask.body)}
    return Reply(
        headers={"server-timing": "gfet4t7; dur=5"},
        body=b"" if stream else to_json(_whole(ask, head, drafts, bill)),
        events=tuple(map(_frame, _chunks(ask, head, drafts, bill))) if stream else None,
        failure=(_frame(error_body(503, "The model is overloaded. Please try again later.")),),
        model=ask.model,
        response_id=head["responseId"],
        usage=bill.record(),
        prefixes=prompt.prefixes,
    )


def _config(ask: Ask) -> Mapping[str, Any]:
    config: Mapping[str, Any] = ask.body.get("generationConfig") or {}
    return config


def _seed(ask: Ask) -> str:
    return prose.digest(ask.model, ask.body.get("contents"), ask.body.get("systemInstruction"))


def _drafts(ask: Ask) -> list[prose.Generation]:
    config = _config(ask)
    schema = config.get("responseSchema") or config.get("responseJsonSchema")
    if schema is None and config.get("responseMimeType") == "application/json":
        schema = {"type": "object"}
    count, limit = int(config.get("candidateCount") or 1), config.get("maxOutputTokens")
    return [prose.generate(f"{_seed(ask)}/{n}", schema, limit) for n in range(count)]


def _bill(ask: Ask, prompt: Prompt, drafts: list[prose.Generation]) -> Bill:
    demanded = _demanded(ask)
    spoken = prose.tokens(prose.canonical(_call(ask, demanded))) if demanded else 0
    return Bill(
        prompt=prompt,
        spoken=spoken or sum(prose.tokens(draft.text) for draft in drafts),
        thoughts=_thoughts(ask),
        fetched=_PAGE_TOKENS if _has_tool(ask, "urlContext", "codeExecution") else 0,
        queries=len(_queries(ask)) or None,
    )


def _thoughts(ask: Ask) -> int:
    budget = (_config(ask).get("thinkingConfig") or {}).get("thinkingBudget")
    if budget == 0 or (budget is None and not thinks(ask.model)):
        return 0
    wanted = _LEAST_THOUGHT + prose.number(_seed(ask), _SPREAD)
    return min(wanted, budget) if budget and budget > 0 else wanted


def _has_tool(ask: Ask, *names: str) -> bool:
    return any(name in tool for tool in ask.body.get("tools") or () for name in names)


def _queries(ask: Ask) -> list[str]:
    return [prose.write(f"{_seed(ask)}/query", 4)] if _has_tool(ask, "googleSearch") else []


def _demanded(ask: Ask) -> Mapping[str, Any] | None:
    """The function that has to be called, if one has to."""
    config = (ask.body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if config.get("mode") != "ANY":
        return None
    offered = (tool.get("functionDeclarations") or () for tool in ask.body.get("tools") or ())
    return next((function for functions in offered for function in functions), None)


def _call(ask: Ask, function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters") or function.get("parametersJsonSchema") or {"type": "object"}
    return {"name": function["name"], "args": prose.instance(schema, _seed(ask))}


def _parts(ask: Ask, text: str) -> list[dict[str, Any]]:
    function = _demanded(ask)
    return [{"functionCall": _call(ask, function)}] if function else [{"text": text}]


def _candidate(ask: Ask, index: int, text: str, finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": _parts(ask, text)}, "index": index}
    queries = _queries(ask)
    if finish is not None:
        candidate["finishReason"] = finish
        if queries:
            candidate["groundingMetadata"] = {"webSearchQueries": queries}
    return candidate


def _finish(draft: prose.Generation) -> str:
    return "MAX_TOKENS" if draft.cut else "STOP"


def _whole(ask: Ask, head: dict[str, str], drafts: list[prose.Generation], bill: Bill) -> dict[str, Any]:
    candidates = [_candidate(ask, n, draft.text, _finish(draft)) for n, draft in enumerate(drafts)]
    return {"candidates": candidates, "usageMetadata": bill.metadata(), **head}


def _chunks(ask: Ask, head: dict[str, str], drafts: list[prose.Generation], bill: Bill) -> Iterator[dict[str, Any]]:
    spoken = 0
    for n, draft in enumerate(drafts):
        pieces = prose.pieces(draft.text) if _demanded(ask) is None else [""]
        for start in range(0, len(pieces), _CHUNK):
            said = pieces[start : start + _CHUNK]
            last = start + _CHUNK >= len(pieces)
            spoken += len(said)
            usage = bill.metadata() if last and n == len(drafts) - 1 else bill.metadata(spoken)
            candidate = _candidate(ask, n, "".join(said), _finish(draft) if last else None)
            yield {"candidates": [candidate], "usageMetadata": usage, **head}


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: " + to_json(chunk) + b"\r\n\r\n"
