"""The names of money as SQL: buckets, and what a context is compared by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otel_llm_cost.pricing import layers
from otel_llm_cost.pricing.buckets import BUCKETS, PART, PARTS
from otel_llm_cost.pricing.names import REGIONAL_HOST
from otel_llm_cost_exporter import rows

from . import names

PACKED: Final = (
    *("project", "feature", "environment", "service_name", "duration_ns", "request_model", "response_model"),
    *("server_address", "speed", "inference_geo", "stream", "finish_reasons", "user_id", "session_id"),
    *("conversation_id", "prompt_name", "prompt_version", "prompt_fingerprint", "tags", "estimated_counts"),
    *("error_type", "error_class", "problems", "time_to_first_chunk", "stated_cost", "outcome", "resend_count"),
    *("status_code", *names.COUNTS),
)
"""Columns of `llm_spans` that the bill does not look at, or only once."""
_READ_LATER: Final = {
    "time_to_first_chunk": "said_first_chunk",
    "stated_cost": "said_stated_cost",
    "outcome": "said_outcome",
    "resend_count": "said_resend_count",
    "status_code": "said_status_code",
    "audio_cache_read_input_tokens": "said_audio_cache_read",
    "image_cache_read_input_tokens": "said_image_cache_read",
}


def packed() -> Iterator[str]:
    """What is only passed on, as one: a column for each on every step would cost each insert a second."""
    yield f"tuple({', '.join(PACKED)}) AS span,"


def unpacked() -> Iterator[str]:
    """The same, taken apart again."""
    return (f"span.{i} AS {_READ_LATER.get(name, name)}," for i, name in enumerate(PACKED, 1))


def context() -> Iterator[str]:
    """What a call asks for beyond the standard."""
    tier = f"replaceRegexpOne(lower(service_tier), '^{layers.VERTEX_PREFIX}', '')"
    tiers = names.listed(sorted({*layers.STANDARD_TIERS, "batch"}))
    speeds, regions = names.listed(sorted(layers.STANDARD_SPEEDS)), names.listed(sorted(layers.NO_REGIONS))
    yield f"(batch OR {tier} = 'batch') AS asked_batch,"
    yield f"if(has({tiers}, {tier}), '', {tier}) AS asked_tier,"
    yield f"if(has({speeds}, lower(speed)), '', lower(speed)) AS asked_speed,"
    host = names.quoted(REGIONAL_HOST.pattern)
    yield f"multiIf(inference_geo = '' AND match(lower(server_address), {host}), 'regional',"
    yield f"    has({regions}, lower(inference_geo)), '', lower(inference_geo)) AS asked_region,"


def buckets() -> Iterator[str]:
    """Names of the buckets, and the part of the bill that each belongs to, in one order."""
    yield f"{names.listed(list(BUCKETS))} AS bucket_names,"
    yield f"{names.listed([PARTS[part] for part in PART])} AS bucket_parts,"


def numbers() -> Iterator[str]:
    """The counts, zero where nobody said; whether nobody said any; and whether the span can be billed at all."""
    for field in names.COUNTS:
        yield f"toInt64(ifNull({field}, 0)) AS n_{field},"
    yield f"coalesce({', '.join(names.COUNTS)}) IS NULL AS nothing_said,"
    yield f"greatest({', '.join(f'n_{field}' for field in names.COUNTS)}) > 0"
    yield "    AND NOT bad_usage AND NOT unread_dialect AND operation NOT IN ('count_tokens', 'moderation')"
    yield "    AND (operation != 'fetch_response' OR scope_name = 'otel_llm_cost') AS carries_usage,"


def counts_of_call() -> Iterator[str]:
    """The counts as the columns of `llm_calls`: those that have one, and a map of the others."""
    for column, field in rows.COUNTS_WITH_A_COLUMN.items():
        yield f"{field} AS {column}," if column != field else f"{field},"
    others = names.listed(list(rows.OTHER_COUNTS))
    values = ", ".join(f"ifNull(toInt64({_READ_LATER.get(field, field)}), -1)" for field in rows.OTHER_COUNTS)
    yield "CAST(arrayMap(pair -> (pair.1, toUInt64(pair.2)), arrayFilter(pair -> pair.2 >= 0, arrayZip("
    yield f"    {others},"
    yield f"    [{values}]))), 'Map(LowCardinality(String), UInt64)') AS usage_other,"
