"""Generated content, whole and streamed; as the Gemini API does, every chunk carries the usage so far."""

from __future__ import annotations

import json
from typing import Any, Final

from google import genai
from google.genai import types

from benchmarks.instrumentation.wire import CHUNKS, event, http

_HEAD: Final = {"modelVersion": "gemini-2.5-flash", "responseId": "kEzpaN3mBYqCnvgP5dCT6AU"}
_ASK: Final[dict[str, Any]] = {"model": "gemini-2.5-flash", "contents": "Where is it?"}


def _answer(text: str, output: int, finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}
    if finish:
        candidate["finishReason"] = finish
    usage = {
        "promptTokenCount": 120,
        "cachedContentTokenCount": 100,
        "candidatesTokenCount": output,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 150 + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 120}],
    }
    return {"candidates": [candidate], "usageMetadata": usage, **_HEAD}


def _parts() -> list[bytes]:
    answers = [_answer(" word", number + 1, None) for number in range(CHUNKS)]
    return [event(each, end="\r\n\r\n") for each in (*answers, _answer("", CHUNKS, "STOP"))]


def client(*, asynchronous: bool) -> Any:
    """A client that never leaves the process."""
    body = json.dumps(_answer("In Oslo. " * 20, 45, "STOP")).encode()
    both = [http(body, _parts(), lambda asked: "stream" in asked.url.path, asynchronous=each) for each in (False, True)]
    options = types.HttpOptions(httpx_client=both[0], httpx_async_client=both[1])
    made = genai.Client(vertexai=False, api_key="k", http_options=options)
    return made.aio if asynchronous else made


def whole(client: Any) -> Any:
    """One call."""
    return client.models.generate_content(**_ASK)


def stream(client: Any) -> Any:
    """One stream."""
    return client.models.generate_content_stream(**_ASK)
