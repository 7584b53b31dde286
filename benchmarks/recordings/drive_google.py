"""Sends recorded requests again through google-genai, to the Gemini API and to Vertex.

The recorded JSON becomes the SDK's own types; what these do not know is left out, since the answer on the wire is the
recorded one all the same.
"""

from __future__ import annotations

import copy
import re
from typing import Any, TypeVar

from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from pydantic import BaseModel, ValidationError

from benchmarks.recordings.exchange import Job
from benchmarks.recordings.flow import Mode, NotDriven, drained, settled
from benchmarks.recordings.wire import Wire

_Model = TypeVar("_Model", bound=BaseModel)
_PROJECT = re.compile(r"/projects/([^/]+)/locations/([^/]+)/")
_NAMED = re.compile(r"/models/([^/:]+):")
_VERSION = re.compile(r"/(v\d\w*)/")


class Driver:
    """One client per address, on one pair of HTTP clients."""

    def __init__(self, wire: Wire, mode: Mode) -> None:
        self._mode = mode
        self._wire = wire
        self._clients: dict[tuple[str, ...], Any] = {}

    async def __call__(self, job: Job) -> list[Any]:
        """What the program gets: the answer, or the items of the stream."""
        if re.search(rb'"finishReason": ?\d', job.exchange.body):
            raise NotDriven("recorded by a client of another protocol: its enums are numbers")
        client, body = self._client(job), copy.deepcopy(job.exchange.request)
        match job.endpoint:
            case "generateContent" | "streamGenerateContent":
                return await self._generate(client, _model(job), body, stream=job.endpoint.startswith("stream"))
            case "batchEmbedContents" | "predict":
                return [await settled(_embed(client, _model(job), body))]
            case "countTokens":
                asked = body.get("generateContentRequest", body)
                contents = _contents(asked.get("contents", []))
                return [await settled(client.models.count_tokens(model=_model(job), contents=contents))]
            case "cachedContents":
                return [await settled(_cache(client, job, body))]
            case "interactions":
                result = await settled(client.interactions.create(**body))
                return await drained(result, self._mode) if body.get("stream") else [result]
            case _:
                raise NotDriven("an upload is two requests to two addresses")

    async def _generate(self, client: Any, model: str, body: dict[str, Any], *, stream: bool) -> list[Any]:
        contents = _contents(body.pop("contents", []))
        config = _suited(types.GenerateContentConfig, _snake(body.pop("generationConfig", None) or {}) | _snake(body))
        if self._mode.way == "helper" and contents:
            chat = client.chats.create(model=model, config=config, history=contents[:-1])
            send = chat.send_message_stream if stream else chat.send_message
            result = await settled(send(contents[-1].parts or []))
        else:
            call = client.models.generate_content_stream if stream else client.models.generate_content
            result = await settled(call(model=model, contents=contents, config=config))
        return await drained(result, self._mode) if stream else [result]

    def _client(self, job: Job) -> Any:
        path = job.exchange.path
        found = _VERSION.search(path)
        version = found[1] if found else "v1beta"
        place = _PROJECT.search(path)
        vertex = place is not None or "/publishers/" in path
        key = (str(job.row["host"]), path.partition(f"/{version}/")[0], version, *(place.groups() if place else ()))
        if (str(vertex), *key) not in self._clients:
            options = types.HttpOptions(
                base_url=f"https://{key[0]}{key[1]}/",
                api_version=version,
                httpx_client=self._wire.client(asynchronous=False),
                httpx_async_client=self._wire.client(asynchronous=True),
            )
            login: dict[str, Any] = {"api_key": "k"}
            if place:
                login = {"project": place[1], "location": place[2], "credentials": Credentials(token="t")}  # type: ignore[no-untyped-call]  # noqa: S106
            client = genai.Client(vertexai=vertex, http_options=options, **login)
            self._clients[str(vertex), *key] = client.aio if self._mode.asynchronous else client
        return self._clients[str(vertex), *key]


def _model(job: Job) -> str:
    found = _NAMED.search(job.exchange.path)
    return found[1] if found else str(job.row["model"])


def _embed(client: Any, model: str, body: dict[str, Any]) -> Any:
    """One call for all texts, as the SDK sends them; options are those of the first."""
    if "instances" in body:
        options = _snake(body.get("parameters") or {})
        contents: list[Any] = [each["content"] for each in body["instances"]]
    else:
        asked = body.get("requests") or [body]
        options, contents = _snake(asked[0]), _contents([each["content"] for each in asked])
    return client.models.embed_content(
        model=model, contents=contents, config=_suited(types.EmbedContentConfig, options)
    )


def _cache(client: Any, job: Job, body: dict[str, Any]) -> Any:
    if job.exchange.method == "DELETE":
        return client.caches.delete(name=job.exchange.path.rpartition("/cachedContents/")[2])
    config = _suited(types.CreateCachedContentConfig, _snake(body))
    return client.caches.create(model=body.get("model", "unknown"), config=config)


def _contents(said: Any) -> list[types.Content]:
    return [_suited(types.Content, each) for each in (said if isinstance(said, list) else [said])]


def _snake(body: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name): value for name, value in body.items()}


def _suited(kind: type[_Model], said: dict[str, Any]) -> _Model:
    """The recorded object as one of the SDK's, without the parts that it refuses."""
    known = {name for key, field in kind.model_fields.items() for name in (key, field.alias)}
    said = {k: v for k, v in said.items() if k in known}
    while True:
        try:
            return kind.model_validate(said)
        except ValidationError as refused:
            if not _remove(said, refused.errors()[0]["loc"]):
                raise


def _remove(said: Any, loc: tuple[int | str, ...]) -> bool:
    """Delete the innermost part that an error points at; the steps that name a member of a union lead nowhere."""
    last: tuple[Any, Any] | None = None
    for step in loc:
        if isinstance(said, dict):
            wanted = str(step).replace("_", "").lower()
            key: Any = next((k for k in said if k.replace("_", "").lower() == wanted), None)
        else:
            key = step if isinstance(said, list) and isinstance(step, int) and step < len(said) else None
        if key is not None:
            last, said = (said, key), said[key]
    if last is None:
        return False
    del last[0][last[1]]
    return True
