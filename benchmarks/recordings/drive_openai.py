"""Sends recorded requests again through the OpenAI SDK."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import openai

from benchmarks.recordings.exchange import Job
from benchmarks.recordings.flow import Mode, NotDriven, drained, entered, fitting, settled
from benchmarks.recordings.wire import Wire

_SUFFIX = {"chat.completions": "/chat/completions"}
_BILLED = ("chat.completions", "responses", "embeddings", "completions")
_HELPED = ("chat.completions", "responses")

# method and path of what is not asked of a model → how the SDK calls it
_OTHERS: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("POST", r"/responses/compact$", lambda c, body: c.responses.compact(**fitting(c.responses.compact, body))),
    ("POST", r"/responses/input_tokens$", lambda c, body: c.responses.input_tokens.count(**body)),
    ("GET", r"/responses/([^/]+)$", lambda c, _, key: c.responses.retrieve(key)),
    ("POST", r"/conversations$", lambda c, body: c.conversations.create(**body)),
    ("DELETE", r"/conversations/([^/]+)$", lambda c, _, key: c.conversations.delete(key)),
    ("POST", r"/vector_stores$", lambda c, body: c.vector_stores.create(**body)),
    ("POST", r"/vector_stores/([^/]+)/files$", lambda c, body, key: c.vector_stores.files.create(key, **body)),
    ("DELETE", r"/vector_stores/([^/]+)$", lambda c, _, key: c.vector_stores.delete(key)),
    ("POST", r"/files$", lambda c, _: c.files.create(file=("a.txt", b"a"), purpose="assistants")),
    ("DELETE", r"/files/([^/]+)$", lambda c, _, key: c.files.delete(key)),
)


class Driver:
    """One client per address, on one HTTP client."""

    def __init__(self, wire: Wire, mode: Mode) -> None:
        self._mode = mode
        self._http = wire.client(asynchronous=mode.asynchronous)
        self._clients: dict[tuple[str, bool], Any] = {}

    async def __call__(self, job: Job) -> list[Any]:
        """What the program gets: the answer, or the items of the stream."""
        if job.endpoint not in _BILLED:
            return await self._other(job)
        client, body = self._client(job, _SUFFIX.get(job.endpoint, "/" + job.endpoint)), dict(job.exchange.request)
        resource = client.chat.completions if job.endpoint == "chat.completions" else getattr(client, job.endpoint)
        if "model" in inspect.signature(resource.create).parameters:
            body.setdefault("model", job.row["model"] or "unknown")
        if self._mode.way == "helper":
            return await self._helped(job, resource, body)
        result = await settled(resource.create(**fitting(resource.create, body)))
        if not body.get("stream"):
            return [result]
        return await drained(result, self._mode)

    async def _helped(self, job: Job, resource: Any, body: dict[str, Any]) -> list[Any]:
        if body.get("stream") and job.endpoint in _HELPED:
            del body["stream"]
            async with entered(resource.stream(**fitting(resource.stream, body)), self._mode) as stream:
                return await drained(stream, self._mode)
        raw = await settled(resource.with_raw_response.create(**fitting(resource.create, body)))
        result = await settled(raw.parse())
        return await drained(result, self._mode) if body.get("stream") else [result]

    async def _other(self, job: Job) -> list[Any]:
        path = job.exchange.path
        for method, pattern, call in _OTHERS:
            if job.exchange.method == method and (found := re.search(pattern, path)):
                client = self._client(job, path[found.start() :])
                if "stream=true" in job.exchange.url:
                    stream = await settled(client.responses.retrieve(*found.groups(), stream=True))
                    return await drained(stream, self._mode)
                return [await settled(call(client, job.exchange.request, *found.groups()))]
        raise NotDriven("the SDK has no such method")

    def _client(self, job: Job, suffix: str) -> Any:
        path = job.exchange.path
        base = f"https://{job.row['host']}{path.removesuffix(suffix)}"
        azure = job.row["flavor"] == "azure" and "/deployments/" in path
        if (base, azure) not in self._clients:
            name = ("Async" if self._mode.asynchronous else "") + ("AzureOpenAI" if azure else "OpenAI")
            extra = {"api_version": "1"} if azure else {}
            self._clients[base, azure] = getattr(openai, name)(
                api_key="k", base_url=base, max_retries=0, http_client=self._http, **extra
            )
        return self._clients[base, azure]
