"""What every test shares: a fault of ours is raised instead of logged, and no test sees another's environment."""

import pytest

from otel_llm_cost.quiet import STRICT


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_LLM_COST_STORE", "OTEL_LLM_COST_PRICES", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(STRICT, "1")
