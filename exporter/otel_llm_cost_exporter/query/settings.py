"""Which settings a client may send with a query.

The engine is sealed with `readonly = 1` before the query runs, so what may be set is decided here, by name: how the
answer looks, and limits, which may only be lowered.  Clients also send settings of the transport with everything; those
mean nothing here and are passed over.  Anything else is refused as a server refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .answer import BAD_ARGUMENTS, READONLY, Refusal
from .limits import Limits
from .lists import names

_LOOKS: Final = re.compile(
    r"output_format_\w+|format_(?:csv|custom|tsv|pretty|json|regexp)_\w+|bool_(?:true|false)_representation"
    r"|date_time_\w+_format"
)
_FREE: Final = names("""
    aggregate_functions_null_for_empty any_join_distinct_right_table_keys cast_keep_nullable
    cast_string_to_dynamic_use_inference count_distinct_implementation decimal_check_overflow
    distinct_overflow_mode empty_result_for_aggregation_by_empty_set extremes final group_by_overflow_mode
    group_by_use_nulls join_use_nulls limit low_cardinality_allow_in_native_format max_block_size offset
    prefer_column_name_to_alias result_overflow_mode session_timezone timeout_overflow_mode totals_mode
    transform_null_in union_default_mode
""")
_CAPPED: Final = names("max_execution_time max_result_rows max_result_bytes max_memory_usage max_threads")
"""Lowered only: 0, which means without limit, becomes ours."""
_FILES: Final = names("output_format_schema format_schema format_schema_path")
"""Looks by their names, and yet they make the engine read or write a file."""
_PASSED_OVER: Final = names("""
    add_http_cors_header allow_experimental_json_type async_insert buffer_size
    cancel_http_readonly_queries_on_client_close close_session compress connect_timeout decompress
    enable_http_compression enable_json_type http_headers_progress_interval_ms http_response_buffer_size
    http_write_exception_in_output_format http_zlib_compression_level insert_deduplicate log_comment
    log_queries max_query_size network_compression_method priority quota_key readonly receive_timeout role
    send_logs_level send_progress_in_http_headers send_timeout session_check session_id session_timeout
    stacktrace use_client_time_zone use_query_cache wait_end_of_query wait_for_async_insert
""")


def chosen(asked: Iterable[tuple[str, str]], limits: Limits) -> dict[str, str]:
    """What is to be set, of what a client asked for; ours where it asked for nothing.  Refusal of anything else."""
    ours = _ours(limits)
    for name, value in asked:
        if name in _CAPPED:
            ours[name] = _lower(name, value, ours[name])
        elif name not in _FILES and (name in _FREE or _LOOKS.fullmatch(name)):
            ours[name] = value
        elif name not in _PASSED_OVER and not name.startswith("input_format_"):
            raise Refusal(READONLY, f"Cannot modify '{name}' setting in readonly mode.")
    return ours


def _ours(limits: Limits) -> dict[str, str]:
    return {
        "max_execution_time": f"{limits.seconds:g}",
        "max_memory_usage": str(limits.memory),
        "max_result_rows": str(limits.rows),
        "max_result_bytes": str(limits.result_bytes),
        "max_threads": str(limits.threads),
        "result_overflow_mode": "throw",
        "timeout_overflow_mode": "throw",
        "allow_introspection_functions": "0",
        "allow_ddl": "0",
        "implicit_select": "0",
    }


def _lower(name: str, value: str, most: str) -> str:
    try:
        number, ceiling = float(value), float(most)
    except ValueError:
        raise Refusal(BAD_ARGUMENTS, f"the setting {name} wants a number.") from None
    if not 0 <= number < float("inf"):
        raise Refusal(BAD_ARGUMENTS, f"the setting {name} wants a number from 0.")
    wanted = [one for one in (number, ceiling) if one > 0]
    return f"{min(wanted, default=0):.15g}"
