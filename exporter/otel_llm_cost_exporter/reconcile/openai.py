"""OpenAI's exports: costs and usage, from the Admin API and the console's Export button, and the older usage JSON.

Sources (read November 2026):
- costs, `GET /v1/organization/costs`: developers.openai.com/api/reference, "Costs": buckets of 1d with `results` of
  `amount {value, currency}`, `line_item`, `project_id`, `api_key_id`, `quantity`.
- usage, `GET /v1/organization/usage/{completions, embeddings, …}`, same place.  `input_tokens` is inclusive of cached
  (and, where `input_cache_write_tokens` is told, of written) tokens.  Where the text, audio and image counts of input
  are told with their cached counts, they are without them and add up to `input_uncached_tokens` (as observed and
  published by several who keep such files); the API's first description counts text alone in `input_tokens`, and
  audio beside it.
- console: help.openai.com "Understanding your API usage"; columns as the API's fields, flat (`amount_value`,
  `amount_currency`), after `start_time, end_time, start_time_iso, end_time_iso`; an empty bucket has only those.
- line items are "MODEL, input", "…, cached input", "…, cache writes", "…, output", with "audio" or "image" behind the
  model, "priority | " before it and ", long context" behind the direction; tools read "web search tool calls" or
  "assistants api | file search".  How a batch is named there is not documented: it is read where it says so.
- older usage, `GET /v1/usage?date=`: `data` of `aggregation_timestamp`, `n_requests`, `operation`, `snapshot_id`,
  `n_context_tokens_total`, `n_cached_context_tokens_total`, `n_generated_tokens_total`.

OpenAI says that usage and costs may differ a little and that costs are what is invoiced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, timedelta
from typing import Any, Final

from .reading import Place, counted, group, moment, money
from .records import ANY, Charged, Document, ExportError, Kind, Lane, Row, Span, Used, lane, whole_day

PROVIDER: Final = "openai"
_FLOAT_NOISE: Final = 1_000
"""Pico-dollars: amounts are sums of binary fractions, printed in full."""
_TIMES: Final = ("start_time", "end_time", "start_time_iso", "end_time_iso")
_NAMES: Final = ("project_name", "organization_name", "user_email", "organization_id", "api_key_name")
"""Columns of the console that say again what an id says; the API does not have them."""
_TOKENS = re.compile(r"^(?:input|output)_.*tokens$|^(?:num_|n_).*|^(?:images|characters|seconds|usage_bytes)$")
_TIERS: Final = frozenset({"priority", "flex", "batch", "default", "standard", "scale"})
_DIRECTIONS: Final = {
    "input": "input",
    "input tokens": "input",
    "cached input": "cache_read",
    "cached input tokens": "cache_read",
    "cache write": "cache_write",
    "cache writes": "cache_write",
    "output": "output",
    "output tokens": "output",
}
_MODALITIES: Final = frozenset({"audio", "image"})
_TOOLS: Final = (
    ("web search", "web_search"),
    ("file search", "file_search"),
    ("code interpreter", None),
    ("tool call", None),
    ("container", None),
    ("session", None),
)
_NO_MODEL: Final = ("storage", "credit", "tax", "training", "seat", "subscription", "refund", "scale tier")
_MODEL = re.compile(r"^[\w.:@/-]*[\d-][\w.:@/-]*$")


def is_cost_header(names: frozenset[str]) -> bool:
    return {"start_time", "amount_value"} <= names


def is_usage_header(names: frozenset[str]) -> bool:
    return "start_time" in names and bool(names & {"num_model_requests", "input_tokens", "num_sessions", "usage_bytes"})


def is_empty_header(names: frozenset[str]) -> bool:
    """The console leaves all other columns out where nothing was used."""
    return {"start_time", "end_time"} <= names <= {*_TIMES, *_NAMES}


def is_older_header(names: frozenset[str]) -> bool:
    return "n_context_tokens_total" in names


def cost_csv(name: str, places: Sequence[Place]) -> Document:
    """The console's cost export."""
    flat = [place for place in places if place.text("amount_value")]
    charged = [
        _row(place, _charged(place, place.need("amount_value"), place.need("amount_currency"))) for place in flat
    ]
    return _document(name, "cost", [_span(place) for place in places], charged)


def usage_csv(name: str, places: Sequence[Place]) -> Document:
    """The console's export of activity."""
    told = [place for place in places if any(_TOKENS.match(field) and place.text(field) for field in place.fields)]
    fields = frozenset().union(*(place.fields for place in places))
    table = "completions" if "output_tokens" in fields else "embeddings" if "input_tokens" in fields else "other"
    return _document(name, table, [_span(place) for place in places], [_row(p, _used(p, table)) for p in told])


def bucket(name: str, at: Place, results: Sequence[Place]) -> Document:
    """One time bucket of the Admin API."""
    span = _span(at)
    inside = [Place(place.where, {**_times(span), **place.fields}) for place in results]
    tables = {_table(place) for place in inside}
    if len(tables) > 1:
        raise ExportError(f"{at.where}: results of several endpoints in one bucket: {', '.join(sorted(tables))}.")
    table = tables.pop() if tables else ""
    if table != "cost":
        return _document(name, table, [span], [_row(place, _used(place, table)) for place in inside])
    rows = []
    for place in inside:
        place.need("amount")
        amount = place.inside("amount")
        rows.append(_row(place, _charged(place, amount.need("value"), amount.need("currency"))))
    return _document(name, table, [span], rows)


def older(name: str, places: Sequence[Place]) -> Document:
    """The usage that `/v1/usage` and the first console gave: no money, minutes summed by us."""
    rows = [_row(place, _older(place)) for place in places if place.text("n_context_tokens_total")]
    days = sorted({row.record.day for row in rows})
    return _document(name, "completions", [whole_day(day) for day in days], rows)


def _document(name: str, table: str, spans: Iterable[Span], rows: Iterable[Row]) -> Document:
    return Document(name=name, provider=PROVIDER, table=table, spans=tuple(dict.fromkeys(spans)), rows=tuple(rows))


def _row(place: Place, record: Used | Charged) -> Row:
    measures = [name for name in place.fields if _TOKENS.match(name) or name in ("amount", "amount_value", "quantity")]
    return Row(place.where, group(place, (*measures, *_NAMES, "start_time_iso", "end_time_iso")), record)


def _table(place: Place) -> str:
    said = str(place.fields.get("object", ""))
    if "amount" in place.fields or said == "organization.costs.result":
        return "cost"
    match = re.match(r"organization\.usage\.(\w+)\.result$", said)
    if match:
        return match[1]
    if "input_tokens" in place.fields:
        return "completions" if "output_tokens" in place.fields else "embeddings"
    raise ExportError(f"{place.where}: neither costs nor usage of OpenAI.  Give the answer of the API as it is.")


def _span(place: Place) -> Span:
    start = moment(place, place.need("start_time"), "start_time")
    end = place.text("end_time")
    return Span(start, moment(place, end, "end_time") if end else start + timedelta(days=1))


def _times(span: Span) -> dict[str, Any]:
    return {"start_time": int(span.start.timestamp()), "end_time": int(span.end.timestamp())}


def _charged(place: Place, value: Any, currency: Any) -> Charged:
    amount, _ = money(place, value, "amount")
    kind, label, of, how = line_item(place.text("line_item"))
    return Charged(
        day=_span(place).start.date(),
        kind=kind,
        label=label,
        lane=how,
        of=of,
        amount=amount,
        within=_FLOAT_NOISE,
        quantity=place.count_if("quantity") if kind == "model" and _whole(place) else None,
        currency=str(currency or "usd").strip().upper(),
        project=place.text("project_id"),
    )


def _whole(place: Place) -> bool:
    """Quantities are of many units; only counts of tokens are of use, and those are whole."""
    unit = (place.text("quantity_unit") or "tokens").lower()
    return "token" in unit and re.fullmatch(r"\d+(\.0*)?", place.text("quantity") or "") is not None


def line_item(text: str | None) -> tuple[Kind, str, str | None, Lane]:
    """A line item → what kind it is, of which model, of which token class, served how."""
    if not text:
        return "ungrouped", "", None, ANY
    before, bar, after = (part.strip() for part in text.partition(" | "))
    tier = before.lower() if bar and before.lower() in _TIERS else None
    head, *more = (part.strip() for part in (after if tier else text).split(","))
    words, modifiers = head.split(), [part.lower().replace("_", " ") for part in more]
    modality = next((word.lower() for word in words[1:] if word.lower() in _MODALITIES), None)
    tier = next((word for word in (*modifiers, *map(str.lower, words[1:])) if word in _TIERS), tier)
    direction = next((_DIRECTIONS[part] for part in modifiers if part in _DIRECTIONS), None)
    if direction is None and not _MODEL.match(head):
        return _no_model(text)
    how = lane(tier, batch=True if tier == "batch" else None, long="long context" in modifiers or None)
    of = f"{direction}_{modality}" if modality and direction in ("input", "output", "cache_read") else direction
    return "model", re.sub(r"^ft-", "ft:", words[0]), of, how


def _no_model(text: str) -> tuple[Kind, str, str | None, Lane]:
    lowered = text.lower()
    if not any(word in lowered for word in _NO_MODEL):
        for word, of in _TOOLS:
            if word in lowered:
                return "tools", text, of, ANY
    return "other", text, None, ANY


def _used(place: Place, table: str) -> Used:
    batch, tier = place.flag("batch"), place.text("service_tier")
    return Used(
        day=_span(place).start.date(),
        model=place.text("model") or "",
        lane=lane(tier, batch=batch),
        counts=counted(_tokens(place) if table in ("completions", "embeddings", "moderations") else _units(place)),
        requests=place.count_if("num_model_requests"),
        project=place.text("project_id"),
    )


def _tokens(place: Place) -> Iterable[tuple[str, int]]:
    """Exclusive classes of an inclusive total."""
    total, cached = place.count("input_tokens"), place.count("input_cached_tokens")
    written, output = place.count("input_cache_write_tokens"), place.count("output_tokens")
    audio_in, audio_out = place.count("input_audio_tokens"), place.count("output_audio_tokens")
    image_in, image_out = place.count("input_image_tokens"), place.count("output_image_tokens")
    cached_audio, cached_image = place.count("input_cached_audio_tokens"), place.count("input_cached_image_tokens")
    if "input_text_tokens" not in place.fields:  # the first description: audio is told beside the text
        total, output = total + audio_in, output + audio_out
    yield "input", max(0, total - cached - written - audio_in - image_in)
    yield "input_audio", audio_in
    yield "input_image", image_in
    yield "cache_read", max(0, cached - cached_audio - cached_image)
    yield "cache_read_audio", cached_audio
    yield "cache_read_image", cached_image
    yield "cache_write", written
    yield "output", max(0, output - audio_out - image_out)
    yield "output_audio", audio_out
    yield "output_image", image_out


def _units(place: Place) -> Iterable[tuple[str, int]]:
    """What is not billed by the token: images, seconds, characters, bytes, sessions."""
    for name in ("images", "characters", "seconds", "usage_bytes", "num_sessions", "num_requests"):
        yield name, place.count(name)


def _older(place: Place) -> Used:
    at = moment(place, place.need("aggregation_timestamp", "timestamp", "usage_date", "date"), "aggregation_timestamp")
    cached = place.count("n_cached_context_tokens_total")
    return Used(
        day=at.astimezone(UTC).date(),
        model=place.text("snapshot_id") or place.text("model") or "",
        lane=lane(batch={"batch": True}.get((place.text("request_type") or "").lower())),
        counts=counted(
            (
                ("input", max(0, place.count("n_context_tokens_total") - cached)),
                ("cache_read", cached),
                ("output", place.count("n_generated_tokens_total")),
            )
        ),
        requests=place.count_if("n_requests"),
        project=place.text("project_id"),
    )
