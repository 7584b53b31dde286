"""OpenAI's batches: a file of requests goes in, and a file of answers is there when the batch is asked after."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from . import prose
from .openai_models import bad_request, headers
from .reply import Ask, Reply, to_json

FILES: Final = "/v1/files"
BATCHES: Final = "/v1/batches"
_JSONL: Final = "application/x-jsonl"


def upload(ask: Ask) -> Reply:
    """POST /v1/files: keeps the file and its content."""
    content = ask.body.get("file")
    if not isinstance(content, str):
        return bad_request("'file' is a required property")
    name = f"file-{prose.digest('file', ask.serial, content)}"
    body = _file(ask, name, content, str(ask.body.get("purpose")))
    return Reply(headers=headers(ask), body=body, keep=_kept(name, body, content))


def batch(ask: Ask, answer: Callable[[Ask], Reply]) -> Reply:
    """POST /v1/batches: answers every line of the file at once, though the caller is told that it is being done."""
    source = ask.memory.replies.get(f"{FILES}/{ask.body.get('input_file_id')}/content")
    if source is None:
        return bad_request("Invalid 'input_file_id'")
    lines = [json.loads(line) for line in source.body.splitlines() if line.strip()]
    asks = [
        replace(ask, path=line["url"], body=line["body"], serial=ask.serial * 1000 + n) for n, line in enumerate(lines)
    ]
    replies = [answer(each) for each in asks]
    output = "".join(
        _line(line, reply, n) for n, (line, reply) in enumerate(zip(lines, replies, strict=True)) if reply.status == 200
    )
    name = f"file-{prose.digest('output', ask.serial)}"
    document, done = _batch(ask, name, replies)
    return Reply(
        headers=headers(ask),
        body=to_json(document),
        keep={
            f"{BATCHES}/{document['id']}": Reply(body=to_json(done)),
            **_kept(name, _file(ask, name, output, "batch_output"), output),
        },
        batch=tuple(zip(asks, replies, strict=True)),
    )


def _batch(ask: Ask, output: str, replies: list[Reply]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The batch as its submitter sees it, and as it stands when it is asked after."""
    completed = sum(reply.status == 200 for reply in replies)
    document = {
        "id": f"batch_{prose.digest('batch', ask.serial, size=16)}",
        "object": "batch",
        "endpoint": ask.body.get("endpoint"),
        "input_file_id": ask.body.get("input_file_id"),
        "completion_window": ask.body.get("completion_window"),
        "status": "validating",
        "created_at": ask.created,
        "expires_at": ask.created + 86_400,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": ask.body.get("metadata"),
    }
    counts = {"total": len(replies), "completed": completed, "failed": len(replies) - completed}
    done = {"status": "completed", "completed_at": ask.created, "output_file_id": output, "request_counts": counts}
    return document, {**document, **done}


def _line(line: dict[str, Any], reply: Reply, number: int) -> str:
    """One line of the output file."""
    response = {"status_code": 200, "request_id": prose.digest(number), "body": json.loads(reply.body)}
    result = {"id": f"batch_req_{prose.digest(number, line)}", "custom_id": line["custom_id"], "error": None}
    return to_json({**result, "response": response}).decode() + "\n"


def _file(ask: Ask, name: str, content: str, purpose: str) -> bytes:
    document = {"id": name, "object": "file", "bytes": len(content.encode()), "created_at": ask.created}
    return to_json({**document, "filename": f"{name}.jsonl", "purpose": purpose, "status": "processed"})


def _kept(name: str, body: bytes, content: str) -> dict[str, Reply]:
    return {
        f"{FILES}/{name}": Reply(body=body),
        f"{FILES}/{name}/content": Reply(body=content.encode(), media=_JSONL),
    }
