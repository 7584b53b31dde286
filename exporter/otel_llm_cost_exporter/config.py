"""Settings that more than one way in reads."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from otel_llm_cost import hosts

_log = logging.getLogger(__name__)

STORE_VARIABLE: Final = "OTEL_LLM_COST_STORE"
"""Environment variable with the store's address."""
DEFAULT_STORE: Final = "chdb:///./llm_cost.db"
JOURNAL_VARIABLE: Final = "OTEL_LLM_COST_JOURNAL"
"""Environment variable with the folder of the collector's journal."""
FORWARD_VARIABLE: Final = "OTEL_LLM_COST_FORWARD"
"""Environment variable with the address that spans go on to with their costs."""
_JOURNAL: Final = "llm_cost.journal"
FROZEN: Final = "frozen"
"""In that folder, the batch that is on its way to the store."""


def provider_hosts(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Who is behind hosts that nobody knows, as the user says; an entry that is none is named and passed over."""
    found, bad = hosts.named(environ.get(hosts.NAMED, ""))
    for entry in bad:
        _log.warning("%s: %r is not of the form host=provider or host:port=provider; ignored", hosts.NAMED, entry)
    return found


def journal_folder(store: str) -> Path:
    """Where the journal of a collector is unless it is told otherwise: beside an embedded store, else where it runs."""
    from .store import embedded_path  # noqa: PLC0415  # heavy

    path = embedded_path(store)
    return Path(_JOURNAL).resolve() if path is None else path.with_name(path.name + ".journal")
