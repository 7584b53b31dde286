"""`make recordings`: every recorded OpenAI call again, sync and async, scored field by field.

A field counts as exact when the only span of the call carries the number that stands in the recorded bytes (the
index's `truth`); a field that the bytes do not carry must not be on the span.  Also checked: one span per call, no
usage invented where none was sent, class and status of recorded errors, and that the SDK's outcome is the same as
without instrumentation.  Prices are looked up for every call, so an unpriced public model shows.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.recordings.cassettes import Exchange, exchange
from otel_llm_cost import attributes
from otel_llm_cost.instrumentor import OpenAIInstrumentor
from otel_llm_cost.pricing import Context, PriceBook

_SUFFIX = {"chat.completions": "/chat/completions"}
_ENDPOINTS = ("chat.completions", "responses", "embeddings", "completions")
_FIELDS = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "cache_read": "gen_ai.usage.cache_read.input_tokens",
    "cache_write": "gen_ai.usage.cache_write.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
    "audio_in": "gen_ai.usage.audio.input_tokens",
    "audio_out": "gen_ai.usage.audio.output_tokens",
    "response_model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
    "service_tier": "llm_cost.response.service_tier",
}
_KEPT_HEADERS = ("content-type", "x-request-id", "retry-after")


def rows(root: Path) -> Iterator[dict[str, Any]]:
    """The index's OpenAI calls that can be sent again, each once."""
    for line in (root / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["provider"] == "openai" and row["endpoint"] in _ENDPOINTS and row["replayable"] and not row["dup_of"]:
            yield row


def _answer(recorded: Exchange, body: bytes) -> httpx2.Response:
    headers = {k: v for k, v in recorded.headers.items() if k in _KEPT_HEADERS}
    headers.setdefault("content-type", "text/event-stream" if body[:5] in (b"data:", b"event") else "application/json")
    return httpx2.Response(recorded.status, content=body, headers=headers)


def _arguments(method: Any, body: dict[str, Any], model: str | None) -> dict[str, Any]:
    """The recorded body as keyword arguments; what this SDK does not know goes to `extra_body`."""
    known = set(inspect.signature(method).parameters)
    named = {k: v for k, v in body.items() if k in known}
    if "model" in known:
        named.setdefault("model", model or "unknown")
    extra = {k: v for k, v in body.items() if k not in known}
    return {**named, **({"extra_body": extra} if extra else {})}


def _method(client: Any, endpoint: str) -> Any:
    return client.chat.completions.create if endpoint == "chat.completions" else getattr(client, endpoint).create


def _client(row: dict[str, Any], recorded: Exchange, *, asynchronous: bool) -> Any:
    transport = httpx2.MockTransport(lambda _request: _answer(recorded, recorded.body))
    http = httpx2.AsyncClient(transport=transport) if asynchronous else httpx2.Client(transport=transport)
    path = unquote(urlsplit(recorded.url).path)
    base = f"https://{row['host']}{path.removesuffix(_SUFFIX.get(row['endpoint'], '/' + row['endpoint']))}"
    azure = row["flavor"] == "azure" and "/deployments/" in path
    name = ("Async" if asynchronous else "") + ("AzureOpenAI" if azure else "OpenAI")
    extra = {"api_version": "1"} if azure else {}
    return getattr(openai, name)(api_key="k", base_url=base, max_retries=0, http_client=http, **extra)


def call_sync(row: dict[str, Any], recorded: Exchange) -> str:
    """One call; its outcome as text."""
    try:
        method = _method(_client(row, recorded, asynchronous=False), row["endpoint"])
        result = method(**_arguments(method, recorded.request, row["model"]))
        return f"{len(list(result))} items" if recorded.request.get("stream") else type(result).__name__
    except Exception as exc:  # noqa: BLE001  # whatever the SDK raises is the outcome
        return type(exc).__name__


async def call_async(row: dict[str, Any], recorded: Exchange) -> str:
    """The same through the asynchronous client."""
    try:
        method = _method(_client(row, recorded, asynchronous=True), row["endpoint"])
        result = await method(**_arguments(method, recorded.request, row["model"]))
        return f"{len([i async for i in result])} items" if recorded.request.get("stream") else type(result).__name__
    except Exception as exc:  # noqa: BLE001  # whatever the SDK raises is the outcome
        return type(exc).__name__


class Score:
    """Counts per field, and a line per miss."""

    def __init__(self, book: PriceBook) -> None:
        self.exact: Counter[str] = Counter()
        self.recorded: Counter[str] = Counter()
        self.misses: list[str] = []
        self.status: Counter[str] = Counter()
        self.unpriced: Counter[str] = Counter()
        self._book = book

    def check(self, name: str, ok: bool, row: dict[str, Any], detail: str = "") -> None:
        """One comparison."""
        self.recorded[name] += 1
        self.exact[name] += ok
        if not ok:
            self.misses.append(f"{name}: {row['id']} {detail}")

    def score(self, row: dict[str, Any], spans: list[dict[str, Any]], outcome: str) -> None:
        """One call."""
        self.check("one span", len(spans) == 1, row, f"{len(spans)} spans, {outcome}")
        span = spans[0] if spans else {}
        if row["error"]:
            self.check("error class", span.get("llm_cost.error.class", "unknown") != "unknown", row, outcome)
            self.check("error status", span.get("http.response.status_code") == row["status"], row, outcome)
            return
        truth = row["truth"] or {}
        if not row["has_usage"]:
            invented = [v for k, v in span.items() if k.startswith("gen_ai.usage.") and v]
            self.check("nothing invented", not invented, row)
            return
        wrong = [field for field, name in _FIELDS.items() if not self._field(field, span.get(name), truth, row)]
        self.check("ALL FIELDS", not wrong, row, ", ".join(wrong))
        self._price(span)

    def _field(self, field: str, seen: Any, truth: dict[str, Any], row: dict[str, Any]) -> bool:
        said = truth.get(field)
        if said is None or (said == 0 and field not in ("input", "output")):
            return not seen
        ok = bool(seen == said or (said == 0 and seen is None))
        self.check(field, ok, row, f"{seen!r} instead of {said!r}")
        return ok

    def _price(self, span: dict[str, Any]) -> None:
        call = attributes.decode(span).call
        if call.response.usage is None or call.request.provider is None:
            return
        model = call.response.model or call.request.model or ""
        today = datetime.now(UTC).date()
        tier = Context(service_tier=call.response.service_tier)
        cost = self._book.price(call.request.provider, model, call.response.usage, today, tier)
        self.status[cost.status] += 1
        if cost.total is None:
            self.unpriced[f"{call.request.provider} {model}: {cost.reason}"] += 1


def main() -> int:
    """Print the table; 1 when a field falls below the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bar", type=float, default=0.99, help="share of calls that must be exact in all fields")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    root = os.environ.get("LLM_RECORDINGS")
    if not root or not (Path(root) / "index.jsonl").exists():
        print("LLM_RECORDINGS names no folder with recordings (index.jsonl): nothing replayed")
        return 2
    chosen = list(rows(Path(root)))[: options.limit]
    passed = [_run(mode, Path(root), chosen, options.bar) for mode in ("sync", "async")]
    return 0 if all(passed) else 1


def _run(mode: str, root: Path, chosen: list[dict[str, Any]], bar: float) -> bool:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    instrumentor, score = OpenAIInstrumentor(), Score(PriceBook.vendored())
    loop = asyncio.new_event_loop()

    def outcome_of(row: dict[str, Any], recorded: Exchange) -> str:
        return call_sync(row, recorded) if mode == "sync" else loop.run_until_complete(call_async(row, recorded))

    bare = [outcome_of(row, exchange(root, row)) for row in chosen]
    instrumentor.instrument(tracer_provider=provider)
    for row, plain in zip(chosen, bare, strict=True):
        outcome = outcome_of(row, exchange(root, row))
        spans = [dict(span.attributes or {}) for span in memory.get_finished_spans()]
        memory.clear()
        if not spans and outcome == "TypeError":
            continue  # the SDK refused the recorded arguments before it sent anything
        score.score(row, spans, outcome)
        score.check("same outcome as bare", outcome == plain, row, f"{outcome} instead of {plain}")
    instrumentor.uninstrument()
    loop.close()
    _print(mode, score)
    share = score.exact["ALL FIELDS"] / max(1, score.recorded["ALL FIELDS"])
    return share >= bar and score.exact["one span"] == score.recorded["one span"]


def _print(mode: str, score: Score) -> None:
    print(f"\nopenai {openai.__version__}, {mode}: exact / recorded")
    for name, count in score.recorded.items():
        print(f"  {name:22} {score.exact[name]:5} / {count}")
    for miss in score.misses:
        print(f"  miss  {miss}")
    print("  price status: " + ", ".join(f"{name} {count}" for name, count in score.status.most_common()))
    for name, count in score.unpriced.most_common(12):
        print(f"  unpriced {count:4}  {name}")


if __name__ == "__main__":
    sys.exit(main())
