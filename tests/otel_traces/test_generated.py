"""The files follow the tables that the collector reads spans by."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_llm_cost_exporter.sql_road import __main__ as sql_road

from .upstream import ROAD


def test_the_files_are_what_the_tables_give() -> None:
    assert sql_road.main(["--check"]) == 0


def test_a_file_that_is_behind_is_named_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a name had been added to the tables."""
    now = (ROAD / "0001_llm_spans.sql").read_text()
    file = tmp_path / "0001_llm_spans.sql"
    file.write_text(now.replace("'gen_ai.usage.prompt_tokens'", "'gen_ai.usage.another'"))
    monkeypatch.setattr(sql_road, "FOLDER", tmp_path)
    assert sql_road.main(["--check"]) == 1
    assert file.read_text() != now
    assert sql_road.main([]) == 0
    assert file.read_text() == now
