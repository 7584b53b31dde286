"""Anthropic's exports: the usage and cost reports of the Admin API, and the console's CSV of both.

Sources (read November 2026):
- usage, `GET /v1/organizations/usage_report/messages`: platform.claude.com/docs/en/api/admin/usage_report: buckets
  (`starting_at`, `ending_at`) of `uncached_input_tokens`, `cache_creation {ephemeral_5m…, ephemeral_1h_input_tokens}`,
  `cache_read_input_tokens`, `output_tokens`, `server_tool_use {web_search_requests}` by `model`, `service_tier`,
  `context_window`, `inference_geo`, `speed`, `workspace_id`, `api_key_id`.  The classes are exclusive.
- cost, `GET /v1/organizations/cost_report`: platform.claude.com/docs/en/api/admin/cost_report: `amount` is a decimal
  string in the currency's lowest unit, cents: "123.45" in USD is $1.2345.  `cost_type` is tokens, web_search,
  code_execution or session_usage.  Costs of the priority tier are not in it (usage-cost-api, FAQ).
- console: support.claude.com "Cost and usage reporting in the console"; usage has `usage_date_utc, model_version,
  api_key, workspace, usage_type, context_window, usage_input_tokens_no_cache, …cache_write_5m, …cache_write_1h,
  …cache_read, usage_output_tokens, web_search_count, inference_geo, speed`; cost has `usage_date_utc, model, workspace,
  api_key, usage_type, context_window, token_type, cost_usd, list_price_usd, cost_type, …`, in dollars and cents, and
  the model's name as people say it ("Claude Haiku 4.5").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from .reading import Place, counted, days_between, group, moment, money
from .records import ANY, Charged, Document, ExportError, Kind, Lane, Row, Span, Used, lane, whole_day

PROVIDER: Final = "anthropic"
DEFAULT_WORKSPACE: Final = "default"
_CENTS: Final = 10
_TOKEN_TYPES: Final = {
    "uncached_input_tokens": "input",
    "input_no_cache": "input",
    "cache_read_input_tokens": "cache_read",
    "input_cache_read": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write",
    "input_cache_write_5m": "cache_write",
    "input_cache_write": "cache_write",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "input_cache_write_1h": "cache_write_1h",
    "output_tokens": "output",
    "output": "output",
}
_TOOLS: Final = {"web_search": "web_search", "code_execution": "code_execution", "web_fetch": None}
_MEASURES: Final = frozenset(
    {
        "amount",
        "cache_creation",
        "cache_read_input_tokens",
        "cost_usd",
        "list_price_usd",
        "output_tokens",
        "server_tool_use",
        "uncached_input_tokens",
        "usage_input_tokens_cache_read",
        "usage_input_tokens_cache_write",
        "usage_input_tokens_cache_write_1h",
        "usage_input_tokens_cache_write_5m",
        "usage_input_tokens_no_cache",
        "usage_output_tokens",
        "web_search_count",
    }
)


def is_usage_header(names: frozenset[str]) -> bool:
    return "usage_input_tokens_no_cache" in names


def is_cost_header(names: frozenset[str]) -> bool:
    return "usage_date_utc" in names and "cost_usd" in names


def usage_csv(name: str, places: Sequence[Place]) -> Document:
    """The console's usage export; days without use have no rows."""
    return _table(name, "messages", places, [_row(place, _used_row(place)) for place in places])


def cost_csv(name: str, places: Sequence[Place]) -> Document:
    """The console's cost export."""
    return _table(name, "cost", places, [_row(place, _charged_row(place)) for place in places])


def bucket(name: str, at: Place, results: Sequence[Place]) -> Document:
    """One time bucket of the Admin API."""
    start = moment(at, at.need("starting_at"), "starting_at")
    end = at.text("ending_at")
    span = Span(start, moment(at, end, "ending_at") if end else start + timedelta(days=1))
    times = {"starting_at": span.start.isoformat(), "ending_at": span.end.isoformat()}
    inside = [Place(place.where, {**times, **place.fields}) for place in results]
    tables = {_kind(place) for place in inside}
    if len(tables) > 1:
        raise ExportError(f"{at.where}: usage and costs in one bucket.  Give the answers of the API as they are.")
    table = tables.pop() if tables else ""
    read = _charged if table == "cost" else _used
    rows = tuple(_row(place, read(place, span)) for place in inside)
    return Document(name=name, provider=PROVIDER, table=table, spans=(span,), rows=rows)


def _kind(place: Place) -> str:
    if "amount" in place.fields:
        return "cost"
    if "uncached_input_tokens" in place.fields:
        return "messages"
    raise ExportError(f"{place.where}: neither costs nor usage of Anthropic.  Give the answer of the API as it is.")


def _table(name: str, table: str, places: Sequence[Place], rows: Iterable[Row]) -> Document:
    days = [moment(place, place.need("usage_date_utc"), "usage_date_utc").date() for place in places]
    spans = tuple(whole_day(day) for day in days_between(min(days), max(days))) if days else ()
    return Document(name=name, provider=PROVIDER, table=table, spans=spans, rows=tuple(rows))


def _row(place: Place, record: Used | Charged) -> Row:
    return Row(place.where, group(place, _MEASURES), record)


def _used(place: Place, span: Span) -> Used:
    written = place.inside("cache_creation")
    tools = place.inside("server_tool_use")
    return Used(
        day=span.start.date(),
        model=place.text("model") or "",
        lane=_lane(place, place.text("service_tier")),
        counts=counted(
            (
                ("input", place.count("uncached_input_tokens")),
                ("cache_read", place.count("cache_read_input_tokens")),
                ("cache_write", written.count("ephemeral_5m_input_tokens")),
                ("cache_write_1h", written.count("ephemeral_1h_input_tokens")),
                ("output", place.count("output_tokens")),
                ("web_search", tools.count("web_search_requests")),
            )
        ),
        project=place.text("workspace_id") or (DEFAULT_WORKSPACE if "workspace_id" in place.fields else None),
    )


def _used_row(place: Place) -> Used:
    return Used(
        day=moment(place, place.need("usage_date_utc"), "usage_date_utc").date(),
        model=str(place.need("model_version", "model")).strip(),
        lane=_lane(place, place.text("usage_type")),
        counts=counted(
            (
                ("input", place.count("usage_input_tokens_no_cache")),
                ("cache_read", place.count("usage_input_tokens_cache_read")),
                ("cache_write", place.count("usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write")),
                ("cache_write_1h", place.count("usage_input_tokens_cache_write_1h")),
                ("output", _needed(place, "usage_output_tokens")),
                ("web_search", place.count("web_search_count")),
            )
        ),
        project=place.text("workspace"),
    )


def _needed(place: Place, name: str) -> int:
    place.need(name)
    return place.count(name)


def _charged(place: Place, span: Span) -> Charged:
    amount, within = money(place, place.need("amount"), "amount", _CENTS)
    kind, label, of = _what(place)
    return Charged(
        day=span.start.date(),
        kind=kind,
        label=label,
        lane=_lane(place, place.text("service_tier")) if kind == "model" else ANY,
        of=of,
        amount=amount,
        within=within,
        currency=(place.text("currency") or "USD").upper(),
        project=place.text("workspace_id") or (DEFAULT_WORKSPACE if "workspace_id" in place.fields else None),
    )


def _charged_row(place: Place) -> Charged:
    amount, within = money(place, place.need("cost_usd"), "cost_usd")
    kind, label, of = _what(place)
    usage_type = (place.text("usage_type") or "").lower()
    return Charged(
        day=moment(place, place.need("usage_date_utc"), "usage_date_utc").date(),
        kind=kind,
        label=label,
        lane=_lane(place, "batch" if "batch" in usage_type else None) if kind == "model" else ANY,
        of=of,
        amount=amount,
        within=within,
        project=place.text("workspace"),
    )


def _what(place: Place) -> tuple[Kind, str, str | None]:
    """What an amount is for.  A report that is not grouped by description has none of these fields."""
    model, cost_type = place.text("model"), (place.text("cost_type") or "").lower()
    words = place.text("description") or cost_type
    if cost_type in _TOOLS:
        return "tools", words, _TOOLS[cost_type]
    if cost_type.rstrip("s") == "token" or (not cost_type and model):
        return "model", api_name(model or words), _TOKEN_TYPES.get((place.text("token_type") or "").lower())
    if not words:
        return "ungrouped", "", None
    tool = next((name for name in _TOOLS if name.replace("_", " ") in words.lower()), None)
    return ("tools", words, _TOOLS[tool]) if tool else ("other", words, None)


def api_name(model: str) -> str:
    """`Claude Haiku 4.5` → `claude-haiku-4-5`; a name of the API stays what it is."""
    return re.sub(r"[\s.]+", "-", model.strip().lower()) if re.search(r"[A-Z\s]", model) else model.strip()


def _lane(place: Place, tier: str | None) -> Lane:
    window: Any = place.text("context_window")
    return lane(
        tier,
        batch=None if tier is None else tier.lower() == "batch",
        long=None if window is None else re.match(r"^(?:0-|≤|<)", window) is None,
        speed=place.text("speed"),
        geo=place.text("inference_geo"),
    )
