"""Settings that more than one way in reads."""

from __future__ import annotations

from typing import Final

STORE_VARIABLE: Final = "OTEL_LLM_COST_STORE"
"""Environment variable with the store's address."""
DEFAULT_STORE: Final = "chdb:///./llm_cost.db"
