"""OpenAI's doors beside chat, responses and embeddings: how a program calls and reads each, and what the wire answers.

Requests are kept as they were sent, to the byte, save for the random boundary of a multipart form.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from .ways import read_async, read_sync
from .wire import CHAT, EMBEDDINGS, RESPONSE, RESPONSE_EVENTS, Body, Json, Reply, Wire

SOUND = b"ID3\x04\x00\xff\xfb\x90\x00{not json}" * 7
PICTURE = ("cat.png", b"\x89PNG\r\n\x1a\n cat", "image/png")
RECORDING = ("talk.wav", b"RIFF\x00\x00 talk", "audio/wav")


class DoorWire(Wire):
    """A wire that takes forms and answers bytes; a body of bytes is sent as audio in two pieces."""

    def __init__(self, body: Body | bytes, status: int = 200) -> None:
        super().__init__(Reply({} if isinstance(body, bytes) else body, status))
        self.sound = body if isinstance(body, bytes) else None
        self.requests: list[tuple[str, str, bytes]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        boundary = request.headers.get("content-type", "").partition("boundary=")[2].encode()
        content = request.read().replace(boundary, b"-") if boundary else request.read()
        self.requests.append((request.method, str(request.url), content))
        if self.sound is not None:
            pieces = _Pieces([self.sound[:9], self.sound[9:]])
            return httpx2.Response(200, stream=pieces, headers={"content-type": "audio/mpeg", "x-request-id": "req-1"})
        return super().__call__(httpx2.Request(request.method, request.url))


class _Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Any:
        return iter(self.pieces)

    async def __aiter__(self) -> Any:
        for piece in self.pieces:
            yield piece


@dataclass(frozen=True)
class Door:
    """`usage` is every count that the span must hold, and `says` what else it must say."""

    name: str
    call: Callable[[Any], Any]
    read: str
    body: Body | bytes
    span: str
    usage: dict[str, int] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)

    @property
    def streamed(self) -> bool:
        """Whether the answer is an event stream."""
        return isinstance(self.body, list)


# -- what the wire answers

IMAGE_USAGE: Json = {
    "total_tokens": 4210,
    "input_tokens": 50,
    "output_tokens": 4160,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
IMAGES: Json = {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": IMAGE_USAGE}
DALLE: Json = {"created": 1, "data": [{"url": "https://img.example/1.png", "revised_prompt": "a cat"}]}
_PICTURE: Json = {
    "b64_json": "AAAA",
    "background": "opaque",
    "created_at": 1,
    "output_format": "png",
    "quality": "high",
    "size": "1024x1024",
}


def image_events(kind: str) -> list[Json | str]:
    """A stream of `image_generation` or `image_edit`."""
    return [
        {"type": f"{kind}.partial_image", "partial_image_index": 0, **_PICTURE},
        {"type": f"{kind}.completed", **_PICTURE, "usage": IMAGE_USAGE},
    ]


SPEECH_USAGE: Json = {
    "type": "tokens",
    "input_tokens": 30,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 26},
    "output_tokens": 12,
    "total_tokens": 42,
}
TRANSCRIPT: Json = {"text": "hello there", "usage": SPEECH_USAGE}
TIMED: Json = {
    "task": "transcribe",
    "language": "english",
    "duration": 8.5,
    "text": "hello there",
    "usage": {"type": "duration", "seconds": 9},
}
TRANSCRIPT_EVENTS: list[Json | str] = [
    {"type": "transcript.text.delta", "delta": "hello"},
    {"type": "transcript.text.delta", "delta": " there"},
    {"type": "transcript.text.done", "text": "hello there", "usage": SPEECH_USAGE},
]
UNCOUNTED_EVENTS: list[Json | str] = [*TRANSCRIPT_EVENTS[:2], {"type": "transcript.text.done", "text": "hello there"}]
SPOKEN_EVENTS: list[Json | str] = [
    {"type": "speech.audio.delta", "audio": "AAAA"},
    {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}},
]
MODERATION: Json = {"id": "modr-1", "model": "omni-moderation-latest", "results": []}
COMPACTED: Json = {
    "id": "resp_c",
    "object": "response.compaction",
    "created_at": 1,
    "output": [{"id": "cmp_1", "type": "compaction", "encrypted_content": "…"}],
    "usage": RESPONSE["usage"],
}
COUNTED: Json = {"object": "response.input_tokens", "input_tokens": 14}
DECISION: Json = {
    "answers": [{"type": "predicate", "name": "spam", "probability": 0.5}],
    "model": "gpt-6-luna",
    "usage": {**RESPONSE["usage"], "output_tokens": 0, "output_tokens_details": {"reasoning_tokens": 0}},  # type: ignore[dict-item]
}
BACKGROUND: Json = {**RESPONSE, "background": True}
BACKGROUND_EVENTS: list[Json | str] = [
    {**event, "response": {**event["response"], "background": True}}
    if isinstance(event, dict) and "response" in event
    else event
    for event in RESPONSE_EVENTS
]

# -- what the span says of it

_RESPONSE = {
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 45,
    "gen_ai.usage.cache_read.input_tokens": 100,
    "gen_ai.usage.reasoning.output_tokens": 30,
}
_SEARCHED = {**_RESPONSE, "llm_cost.usage.web_search.requests": 1}
_IMAGES = {
    "gen_ai.usage.input_tokens": 50,
    "gen_ai.usage.output_tokens": 4160,
    "gen_ai.usage.text.input_tokens": 10,
    "gen_ai.usage.image.input_tokens": 40,
    "gen_ai.usage.image.output_tokens": 4160,
}
_HEARD = {
    "gen_ai.usage.input_tokens": 30,
    "gen_ai.usage.output_tokens": 12,
    "gen_ai.usage.text.input_tokens": 4,
    "gen_ai.usage.audio.input_tokens": 26,
}
_SPOKEN = {"gen_ai.usage.input_tokens": 14, "gen_ai.usage.output_tokens": 101}
_COMPLETED = {"llm_cost.stream.outcome": "completed"}
_DRAWN: dict[str, Any] = {"model": "gpt-image-1", "prompt": "a cat"}
_SAID: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "hello"}


def _hear(**kw: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-transcribe", "file": RECORDING, **kw}


def _lazily(client: Any) -> Any:
    return client.audio.speech.with_streaming_response


_IMAGE = "image_generation gpt-image-1"
_SPEECH_IN = "speech_to_text gpt-4o-transcribe"
_SPEECH_OUT = "text_to_speech gpt-4o-mini-tts"
IMAGE_DOORS = [
    Door("image", lambda c: c.images.generate(**_DRAWN), "value", IMAGES, _IMAGE, _IMAGES),
    Door("image raw", lambda c: c.images.with_raw_response.generate(**_DRAWN), "raw", IMAGES, _IMAGE, _IMAGES),
    Door("image lazy", lambda c: c.images.with_streaming_response.generate(**_DRAWN), "lazy", IMAGES, _IMAGE, _IMAGES),
    Door(
        "image stream",
        lambda c: c.images.generate(**_DRAWN, stream=True),
        "stream",
        image_events("image_generation"),
        _IMAGE,
        _IMAGES,
        _COMPLETED,
    ),
    Door(
        "image lines",
        lambda c: c.images.with_streaming_response.generate(**_DRAWN, stream=True),
        "lines",
        image_events("image_generation"),
        _IMAGE,
        _IMAGES,
        _COMPLETED,
    ),
    Door(
        "dall-e", lambda c: c.images.generate(model="dall-e-3", prompt="x"), "value", DALLE, "image_generation dall-e-3"
    ),
    Door("edit", lambda c: c.images.edit(**_DRAWN, image=[PICTURE, PICTURE]), "value", IMAGES, _IMAGE, _IMAGES),
    Door(
        "edit stream",
        lambda c: c.images.edit(**_DRAWN, image=PICTURE, stream=True),
        "stream",
        image_events("image_edit"),
        _IMAGE,
        _IMAGES,
        _COMPLETED,
    ),
    Door("variation", lambda c: c.images.create_variation(image=PICTURE), "value", DALLE, "image_generation"),
]
AUDIO_DOORS = [
    Door("hear", lambda c: c.audio.transcriptions.create(**_hear()), "value", TRANSCRIPT, _SPEECH_IN, _HEARD),
    Door(
        "hear raw",
        lambda c: c.audio.transcriptions.with_raw_response.create(**_hear()),
        "raw",
        TRANSCRIPT,
        _SPEECH_IN,
        _HEARD,
    ),
    Door(
        "hear verbose",
        lambda c: c.audio.transcriptions.create(model="whisper-1", file=RECORDING, response_format="verbose_json"),
        "value",
        TIMED,
        "speech_to_text whisper-1",
    ),
    Door(
        "hear text",
        lambda c: c.audio.transcriptions.create(model="whisper-1", file=RECORDING, response_format="text"),
        "value",
        "1\nhello there",
        "speech_to_text whisper-1",
    ),
    Door(
        "hear stream",
        lambda c: c.audio.transcriptions.create(**_hear(stream=True)),
        "stream",
        TRANSCRIPT_EVENTS,
        _SPEECH_IN,
        _HEARD,
        _COMPLETED,
    ),
    Door(
        "hear stream uncounted",
        lambda c: c.audio.transcriptions.create(**_hear(stream=True)),
        "stream",
        UNCOUNTED_EVENTS,
        _SPEECH_IN,
        {},
        _COMPLETED,
    ),
    Door(
        "translate",
        lambda c: c.audio.translations.create(model="whisper-1", file=RECORDING),
        "value",
        {"text": "hello"},
        "speech_to_text whisper-1",
    ),
    Door("speak", lambda c: c.audio.speech.create(**_SAID), "bytes", SOUND, _SPEECH_OUT),
    Door("speak raw", lambda c: c.audio.speech.with_raw_response.create(**_SAID), "bytes", SOUND, _SPEECH_OUT),
    Door(
        "speak pieces", lambda c: c.audio.speech.with_streaming_response.create(**_SAID), "pieces", SOUND, _SPEECH_OUT
    ),
    Door("speak file", lambda c: _lazily(c).create(**_SAID), "file", SOUND, _SPEECH_OUT),
    Door(
        "speak events",
        lambda c: _lazily(c).create(**_SAID, stream_format="sse"),
        "lines",
        SPOKEN_EVENTS,
        _SPEECH_OUT,
        _SPOKEN,
        _COMPLETED,
    ),
    Door(
        "speak events at once",
        lambda c: c.audio.speech.create(**_SAID, stream_format="sse"),
        "bytes",
        SPOKEN_EVENTS,
        _SPEECH_OUT,
        _SPOKEN,
        _COMPLETED,
    ),
]
_ASK: dict[str, Any] = {"model": "gpt-5", "input": "Where?"}
RESPONSE_DOORS = [
    Door("compact", lambda c: c.responses.compact(**_ASK), "value", COMPACTED, "chat gpt-5", _RESPONSE),
    Door("count", lambda c: c.responses.input_tokens.count(**_ASK), "value", COUNTED, "count_tokens gpt-5"),
    Door("beta", lambda c: c.beta.responses.create(**_ASK), "value", RESPONSE, "chat gpt-5", _SEARCHED),
    Door("fetch", lambda c: c.responses.retrieve("resp_1"), "value", RESPONSE, "fetch_response"),
    Door(
        "fetch background", lambda c: c.responses.retrieve("resp_1"), "value", BACKGROUND, "fetch_response", _SEARCHED
    ),
    Door(
        "fetch queued",
        lambda c: c.responses.retrieve("resp_1"),
        "value",
        {**BACKGROUND, "status": "queued", "usage": None, "output": []},
        "fetch_response",
    ),
    Door(
        "cancel",
        lambda c: c.responses.cancel("resp_1"),
        "value",
        {**BACKGROUND, "status": "cancelled"},
        "fetch_response",
        _SEARCHED,
        {"gen_ai.response.finish_reasons": ("cancelled",)},
    ),
    Door(
        "fetch stream",
        lambda c: c.responses.retrieve("resp_1", stream=True),
        "stream",
        BACKGROUND_EVENTS,
        "fetch_response",
        _SEARCHED,
        _COMPLETED,
    ),
]
OTHER_DOORS = [
    Door(
        "moderate",
        lambda c: c.moderations.create(model="omni-moderation-latest", input="x"),
        "value",
        MODERATION,
        "moderation omni-moderation-latest",
    ),
    Door(
        "decide",
        lambda c: c.decisions.create(model="gpt-6-luna", input="x", questions=[]),
        "value",
        DECISION,
        "decision gpt-6-luna",
        {**_RESPONSE, "gen_ai.usage.output_tokens": 0, "gen_ai.usage.reasoning.output_tokens": 0},
    ),
]

_LINES = [
    {"status_code": 200, "request_id": "r1", "body": {**CHAT, "created": 1_700_000_000}},
    {"status_code": 200, "request_id": "r2", "body": {**RESPONSE, "created_at": 1_700_000_001}},
    {"status_code": 200, "request_id": "r3", "body": EMBEDDINGS},
    {"status_code": 400, "request_id": "r4", "body": {"error": {"code": "invalid_value", "message": "no"}}},
]
RESULTS = b"".join(
    json.dumps({"id": f"batch_req_{i}", "custom_id": str(i), "response": line, "error": None}).encode() + b"\n"
    for i, line in enumerate(_LINES)
)
DOWNLOADS = [
    Door("results", lambda c: c.files.content("file-1"), "bytes", RESULTS, ""),
    Door("results raw", lambda c: c.files.with_raw_response.content("file-1"), "bytes", RESULTS, ""),
    Door("results pieces", lambda c: c.files.with_streaming_response.content("file-1"), "pieces", RESULTS, ""),
    Door("results file", lambda c: c.files.with_streaming_response.content("file-1"), "file", RESULTS, ""),
    Door("results text", lambda c: c.files.retrieve_content("file-1"), "value", RESULTS, ""),
]
DOORS = [*IMAGE_DOORS, *AUDIO_DOORS, *RESPONSE_DOORS, *OTHER_DOORS]


# -- how a program reads them


def see_sync(door: Door, result: Any, folder: Path) -> list[Any]:
    """All that a program sees of a result."""
    match door.read:
        case "bytes":
            return [type(result), result.content]
        case "pieces":
            with result as opened:
                return [type(opened), list(opened.iter_bytes())]
        case "file":
            with result as opened:
                opened.stream_to_file(folder / "speech.mp3")
            return [(folder / "speech.mp3").read_bytes()]
        case _:
            return read_sync(door.read, result)


async def see_async(door: Door, result: Any, folder: Path) -> list[Any]:
    """The same, asynchronously."""
    if inspect.isawaitable(result):
        result = await result
    match door.read:
        case "bytes":
            return [type(result), result.content]
        case "pieces":
            async with result as opened:
                return [type(opened), [piece async for piece in opened.iter_bytes()]]
        case "file":
            async with result as opened:
                await opened.stream_to_file(folder / "speech.mp3")
            return [(folder / "speech.mp3").read_bytes()]
        case _:
            return await read_async(door.read, result)
