"""Settings that more than one way in reads."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final

from otel_llm_cost import hosts

_log = logging.getLogger(__name__)

STORE_VARIABLE: Final = "OTEL_LLM_COST_STORE"
"""Environment variable with the store's address."""
DEFAULT_STORE: Final = "chdb:///./llm_cost.db"


def provider_hosts(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Who is behind hosts that nobody knows, as the user says; an entry that is none is named and passed over."""
    found, bad = hosts.named(environ.get(hosts.NAMED, ""))
    for entry in bad:
        _log.warning("%s: %r is not of the form host=provider or host:port=provider; ignored", hosts.NAMED, entry)
    return found
