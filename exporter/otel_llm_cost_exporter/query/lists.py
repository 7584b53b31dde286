"""What is open: the names that a statement may use, and the settings that keep a reader from the rows of others."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final


@cache
def sql(name: str) -> str:
    """The text of one of the packaged queries."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


KINDS: Final = (
    frozenset({"Aggregate Functions", "Dates and Times", "Geo Polygon", "IP Address", "Random Number"})
    | {"String Replacement", "String Search", "String Splitting", "Time Series", "Time Window", "Type Conversion"}
    | names("""
        Arithmetic Arrays Bit Bitmap Comparison Conditional Dictionary Distance Encoding Encryption Financial Geo Hash
        JSON Logical Map Mathematical Null NumericIndexedVector QBit Rounding String Tuple URL UUID
    """)
)
"""Categories of system.functions whose members compute from their arguments and do nothing else."""

FUNCTIONS: Final = names("""
    _CAST bar blockNumber blockSize byteSize caseWithExpression connectionId countDigits currentDatabase
    currentQueryID currentRoles currentSchemas currentUser defaultValueOfArgumentType defaultValueOfTypeName
    digits displayName dumpColumnStructure enabledRoles errorCodeToName finalizeAggregation flipCoordinates
    formatQuery formatQueryOrNull formatQuerySingleLine formatQuerySingleLineOrNull formatReadableDecimalSize
    formatReadableQuantity formatReadableSize formatReadableTimeDelta getSetting getSettingOrDefault
    getSizeOfEnumType getSubcolumn globalVariable hostName identity ignore indexHint initialQueryID
    initialQueryStartTime initializeAggregation isConstant isDecimalOverflow lowCardinalityIndices
    lowCardinalityKeys materialize minSampleSizeContinuous minSampleSizeConversion neighbor nested
    normalizeQuery normalizeQueryKeepNames normalizedQueryHash normalizedQueryHashKeepNames parseReadableSize
    parseReadableSizeOrNull parseReadableSizeOrZero parseTimeDelta queryID revision rowNumberInAllBlocks
    rowNumberInBlock runningAccumulate runningDifference runningDifferenceStartingWithFirstValue sleep
    sleepEachRow throwIf toColumnTypeName toTypeName transform uptime variantElement variantType version
    visibleWidth
""")
"""Functions of other categories that are as harmless."""
NO_FUNCTIONS: Final = names("chdb")

TABLE_FUNCTIONS: Final = names("""
    numbers numbers_mt zeros zeros_mt primes generateseries generate_series generaterandom values null view format
""")

SYSTEM_TABLES: Final = names("""
    one numbers numbers_mt zeros zeros_mt settings functions formats time_zones collations data_type_families keywords
""")
"""Tables of the engine that tell nothing of this store or machine."""
SCHEMA_TABLES: Final = names("tables columns databases data_skipping_indices completions")
STATE_TABLES: Final = names("""
    parts parts_columns merges mutations metrics events table_engines table_functions build_options
    aggregate_function_combinators
""")
PLACES: Final = names("data_paths data_path metadata_path path")
"""Columns of those that tell where things lie on the machine."""
TEXTS: Final = names("create_table_query as_select")
"""Columns of those that hold the text of views: those of another reader name its projects."""
VOLUMES: Final = re.compile(
    r"total_\w+|lifetime_\w+|\w*_bytes\w*|\w*_count|\w*rows\w*|marks\w*|\w*partition\w*|\w*size\w*"
)
"""Columns of those that tell how much there is of everybody's."""

SHOWN: Final = names("TABLES DATABASES COLUMNS CREATE INDEXES INDEX FUNCTIONS")
STATEMENTS: Final = {
    "SELECT": "SELECT", "WITH": "SELECT", "(": "SELECT", "DESCRIBE": "DESCRIBE", "EXISTS": "EXISTS", "SHOW": "SHOW",
    "EXPLAIN": "EXPLAIN",
}  # fmt: skip
"""Kinds of statements by what they begin with."""
OF_BOUND_READERS: Final = frozenset({"SELECT", "DESCRIBE", "EXISTS"})

PUBLIC: Final = re.compile(r"llm_price\w*|schema_migrations")
"""Tables of ours that everybody may read: they hold nothing of any project."""
SHARED: Final = {"reprices": names("run stage")}
"""Columns of others that everybody may read: `explain` asks which corrections were brought to their end."""
IN_ORDER: Final = dict.fromkeys(
    names("""
        optimize_move_to_prewhere query_plan_optimize_prewhere query_plan_merge_filters query_plan_filter_push_down
        query_plan_convert_outer_join_to_inner_join use_top_k_dynamic_filtering enable_optimize_predicate_expression
        use_query_condition_cache output_format_write_statistics
    """),
    "0",
)
"""An optimizer that moves an expression below a filter runs it on rows that the reader does not see; and statistics
count rows that were read and left out."""
