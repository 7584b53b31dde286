"""Our figures against the vendor's own, by day and model, and where the difference comes from.

    documents = read_files(paths)                      # what the vendor exported, one record per bucket and group
    export = merge(documents)                          # pages put together, nothing counted twice
    result = reconcile(export, read_ours(store, …), book, now)

Readers are pure and one per vendor (openai, anthropic); `files` finds out which one a file is for.  `compare` lines
both sides up, `parts` splits each difference into parts that add up to it to the pico-dollar, `reasons` says them.
"""

from .compare import reconcile
from .files import merge, read_files
from .narrow import narrow
from .ours import first_days, read_ours
from .records import Export, ExportError
from .result import Line, Reconciliation, Total

__all__ = [
    "Export",
    "ExportError",
    "Line",
    "Reconciliation",
    "Total",
    "first_days",
    "merge",
    "narrow",
    "read_files",
    "read_ours",
    "reconcile",
]
