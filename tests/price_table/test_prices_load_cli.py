"""`prices load` tells what it did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from otel_llm_cost_exporter.cli.prices_load import load

APP = typer.Typer()
APP.command()(load)


@pytest.mark.integration
def test_loaded_and_loaded_again(tmp_path: Path) -> None:
    store = f"chdb://{tmp_path / 'store.db'}"
    first = json.loads(CliRunner().invoke(APP, ["--store", store, "--json"]).output)
    assert (first["new"], first["sheets"] > 2_000) == (True, True)
    again = CliRunner().invoke(APP, ["--store", store])
    assert again.exit_code == 0
    assert "in force as before" in " ".join(again.output.split())
