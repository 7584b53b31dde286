"""What every test shares: a fault of ours is raised instead of logged, and no test sees what another set up."""

import logging
from collections.abc import Iterator

import pytest

from otel_llm_cost.quiet import STRICT


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("OTEL_LLM_COST_STORE", "OTEL_LLM_COST_PRICES", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):  # not the prices of whoever runs the tests
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / "nobody"))
    monkeypatch.setenv(STRICT, "1")


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """A command that sets logging up does so for its process; here that is the whole run."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
