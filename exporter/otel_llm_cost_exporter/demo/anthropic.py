"""Anthropic's API as a pure function from request to reply.

Shapes are those of the public API reference: input tokens without the cache's, cache writes by their time to live,
thinking tokens as a detail of the output, the searches that the model made, batches whose results are JSON lines.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from . import prose
from .anthropic_messages import count_tokens, messages
from .anthropic_models import bad_request, headers, refuse
from .reply import Ask, Refusal, Reply, to_json

__all__ = ["KEYS", "NAME", "answer", "operation", "refuse"]

NAME: Final = "anthropic"
KEYS: Final = ("authorization", "x-api-key")
_MESSAGES: Final = "/v1/messages"
_BATCHES: Final = "/v1/messages/batches"


def answer(ask: Ask) -> Reply:
    """The reply to one request; what Anthropic would refuse is refused in its words."""
    if ask.method == "GET" and ask.path in ask.memory.replies:
        return ask.memory.replies[ask.path]
    match ask.method, ask.path:
        case "POST", "/v1/messages":
            return messages(ask)
        case "POST", "/v1/messages/count_tokens":
            return count_tokens(ask)
        case "POST", "/v1/messages/batches":
            return _batch(ask)
        case _:
            return refuse(Refusal(status=404, code="", kind="", message="Not Found"))


def operation(ask: Ask) -> str:
    """A batch is no call; what it holds are calls."""
    if ask.method != "POST":
        return ""
    return {_MESSAGES: "chat", f"{_MESSAGES}/count_tokens": "count_tokens"}.get(ask.path, "")


def _batch(ask: Ask) -> Reply:
    """Every request is answered at once, though the submitter is told that it is being done."""
    requests = ask.body.get("requests")
    if not isinstance(requests, list) or not requests:
        return bad_request("requests: at least one request is required")
    asks = [
        replace(ask, path=_MESSAGES, body=line["params"], serial=ask.serial * 1000 + n)
        for n, line in enumerate(requests)
    ]
    replies = [messages(each, tier="batch") for each in asks]
    results = b"".join(map(_line, requests, replies))
    name = f"msgbatch_{prose.digest('batch', ask.serial)}"
    begun = _document(ask, name, len(requests))
    return Reply(
        headers=headers(ask),
        body=to_json(begun),
        keep={
            f"{_BATCHES}/{name}": Reply(body=to_json(_ended(ask, begun, replies))),
            f"{_BATCHES}/{name}/results": Reply(body=results, media="application/x-jsonl"),
        },
        batch=tuple(zip(asks, replies, strict=True)),
    )


def _document(ask: Ask, name: str, size: int) -> dict[str, Any]:
    begun = datetime.fromtimestamp(ask.created, UTC)
    return {
        "id": name,
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": {"processing": size, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": begun.isoformat(),
        "expires_at": (begun + timedelta(days=1)).isoformat(),
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }


def _ended(ask: Ask, begun: dict[str, Any], replies: list[Reply]) -> dict[str, Any]:
    succeeded = sum(reply.status == 200 for reply in replies)
    counts = {"processing": 0, "succeeded": succeeded, "errored": len(replies) - succeeded, "canceled": 0, "expired": 0}
    return {
        **begun,
        "processing_status": "ended",
        "request_counts": counts,
        "ended_at": begun["created_at"],
        "results_url": f"{ask.origin}{_BATCHES}/{begun['id']}/results",
    }


def _line(request: dict[str, Any], reply: Reply) -> bytes:
    kind, content = (b"succeeded", b"message") if reply.status == 200 else (b"errored", b"error")
    name = to_json(request["custom_id"])
    return b'{"custom_id":%b,"result":{"type":"%b","%b":%b}}\n' % (name, kind, content, reply.body)
