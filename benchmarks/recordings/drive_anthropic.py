"""Sends recorded requests again through the Anthropic SDK."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import anthropic

from benchmarks.recordings.exchange import Job
from benchmarks.recordings.flow import Mode, NotDriven, drained, entered, fitting, settled
from benchmarks.recordings.wire import Wire

_FILES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("POST", r"/files$", lambda files: files.upload(file=("a.txt", b"a", "text/plain"))),
    ("GET", r"/files$", lambda files: files.list()),
    ("GET", r"/files/([^/]+)/content$", lambda files, key: files.download(key)),
    ("DELETE", r"/files/([^/]+)$", lambda files, key: files.delete(key)),
)


class Driver:
    """One client per address, on one HTTP client."""

    def __init__(self, wire: Wire, mode: Mode) -> None:
        self._mode = mode
        self._http = wire.client(asynchronous=mode.asynchronous)
        self._clients: dict[str, Any] = {}

    async def __call__(self, job: Job) -> list[Any]:
        """What the program gets: the answer, or the items of the stream."""
        client, body = self._client(job), dict(job.exchange.request)
        if job.endpoint == "files":
            return await self._file(client.beta.files, job)
        messages = client.messages
        if beta := job.exchange.sent.get("anthropic-beta") or "beta=true" in job.exchange.url:
            messages = client.beta.messages
            if isinstance(beta, str):
                body["betas"] = [name.strip() for name in beta.split(",")]
        if job.endpoint == "count_tokens":
            return [await settled(messages.count_tokens(**fitting(messages.count_tokens, body)))]
        if self._mode.way == "helper":
            return await self._helped(messages, body)
        result = await settled(messages.create(**fitting(messages.create, body)))
        if not body.get("stream"):
            return [result]
        return await drained(result, self._mode)

    async def _helped(self, messages: Any, body: dict[str, Any]) -> list[Any]:
        if body.pop("stream", None):
            if isinstance(body.get("output_format"), dict):  # the helper takes a class there
                body["extra_body"] = {"output_format": body.pop("output_format")}
            async with entered(messages.stream(**fitting(messages.stream, body)), self._mode) as stream:
                return [*await drained(stream, self._mode), await settled(stream.get_final_message())]
        raw = await settled(messages.with_raw_response.create(**fitting(messages.create, body)))
        return [await settled(raw.parse())]

    async def _file(self, files: Any, job: Job) -> list[Any]:
        for method, pattern, call in _FILES:
            if job.exchange.method == method and (found := re.search(pattern, job.exchange.path)):
                return [await settled(call(files, *found.groups()))]
        raise NotDriven("the SDK has no such method")

    def _client(self, job: Job) -> Any:
        base = f"https://{job.row['host']}{job.exchange.path.partition('/v1/')[0]}"
        if base not in self._clients:
            kind = anthropic.AsyncAnthropic if self._mode.asynchronous else anthropic.Anthropic
            self._clients[base] = kind(api_key="k", base_url=base, max_retries=0, timeout=600, http_client=self._http)
        return self._clients[base]
