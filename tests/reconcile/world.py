"""A store filled by the road that calls take, and exports in the vendors' shapes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.decode import decode
from otel_llm_cost_exporter.pipeline import Pipeline
from otel_llm_cost_exporter.reconcile import Export, Line, Reconciliation, first_days, merge, read_ours, reconcile
from otel_llm_cost_exporter.reconcile.files import read_text
from otel_llm_cost_exporter.store import Store
from tests.exporter.otlp import request, span

DAY = date(2026, 11, 2)
TODAY = date(2026, 11, 20)
GPT = "gpt-4o-2024-08-06"
CLAUDE = "claude-haiku-4-5-20251001"

_COUNTS = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "read": "gen_ai.usage.cache_read.input_tokens",
    "write": "gen_ai.usage.cache_creation.input_tokens",
    "searches": "llm_cost.usage.web_search.requests",
}


def call(provider: str, model: str, day: date = DAY, also: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """A span of a call at noon; counts are inclusive, `also` are further attributes."""
    counts = {_COUNTS[name]: count for name, count in more.items() if name in _COUNTS}
    assert more.keys() <= {*_COUNTS, "operation", "id"}
    attributes = {
        "gen_ai.operation.name": more.get("operation", "chat"),
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": more.get("id") or os.urandom(8).hex(),
        **counts,
        **(also or {}),
    }
    at = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 10**9
    return span(attributes, start_time_unix_nano=at, end_time_unix_nano=at + 10**9)


def fill(store: Store, book: PriceBook, *calls: Any, project: str = "") -> None:
    resource = {"service.name": "shop", **({"llm_cost.project": project} if project else {})}
    arrived = decode(request(*calls, resource=resource, scope="otel_llm_cost"), time.time_ns()).calls
    assert Pipeline(store, book, patience=0.0).write(arrived) == 0


def seconds(day: date, more: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + more


def openai_page(object_name: str, *results: Mapping[str, Any], day: date = DAY, **page: Any) -> str:
    """A page of the Admin API with one bucket of a day."""
    inside = [{"object": f"organization.{object_name}.result", **result} for result in results]
    bucket = {"object": "bucket", "start_time": seconds(day), "end_time": seconds(day, 86_400), "results": inside}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False, "next_page": None, **page})


def cost(line_item: str | None, value: Any, currency: str = "usd", **more: Any) -> dict[str, Any]:
    return {"amount": {"value": value, "currency": currency}, "line_item": line_item, "project_id": None, **more}


def completions(model: str | None, requests: int = 1, **counts: Any) -> dict[str, Any]:
    named = {"model": model, "num_model_requests": requests, "batch": None, "service_tier": None, "project_id": None}
    return {**named, "input_tokens": 0, "output_tokens": 0, "input_cached_tokens": 0, **counts}


def anthropic_page(*results: Mapping[str, Any], day: date = DAY, **page: Any) -> str:
    bucket = {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
        "results": list(results),
    }
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None, **page})


def messages(model: str, **counts: Any) -> dict[str, Any]:
    plain = {"uncached_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0, "model": model}
    return {**plain, "service_tier": None, "context_window": None, "workspace_id": None, "api_key_id": None, **counts}


def cents(amount: str, token_type: str | None, model: str | None = CLAUDE, **more: Any) -> dict[str, Any]:
    plain = {"amount": amount, "currency": "USD", "cost_type": "tokens", "token_type": token_type, "model": model}
    return {**plain, "description": "Usage", "service_tier": "standard", "context_window": "0-200k", **more}


def export(*texts: str) -> Export:
    return merge([document for i, text in enumerate(texts) for document in read_text(f"file{i}", text)])


def compared(
    store: Store, book: PriceBook, *texts: str, today: date = TODAY, projects: Sequence[str] = (), began: bool = False
) -> Reconciliation:
    told = export(*texts)
    calls = read_ours(store, told.providers, told.days[0], told.days[-1], projects)
    found = reconcile(told, calls, book, today, first_days(store) if began else None)
    for line in found.lines:
        check(line)
    return found


def check(line: Line) -> None:
    """What holds of every line."""
    if line.difference is None:
        assert not line.parts
        assert line.theirs is None
    else:
        assert sum(line.parts.values()) == line.difference == (line.theirs or 0) - (line.ours or 0)
    assert line.why
    assert line.reason


def by_model(lines: Iterable[Line]) -> dict[str, Line]:
    found = list(lines)
    told = {line.model: line for line in found}
    assert len(told) == len(found)
    return told
