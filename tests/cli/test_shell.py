"""The command line itself: help, version, and how failures look."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from otel_llm_cost_exporter import cli
from otel_llm_cost_exporter.cli import app
from otel_llm_cost_exporter.store import Store

from .conftest import held

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import CliRunner

WITHOUT = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
sys.argv = ["otel-llm-cost", *{arguments}]
from otel_llm_cost_exporter.cli import main
main()
"""


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["otel-llm-cost", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def run_without(names: set[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(names=names, arguments=list(arguments))
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


def test_every_command_explains_itself(runner: CliRunner) -> None:
    shown = runner.invoke(app, ["--help"]).stdout
    for command in ("demo", "serve", "migrate", "report", "prices", "doctor"):
        assert command in shown
        assert runner.invoke(app, [command, "--help"]).exit_code == 0
    assert "Not available" not in shown


def test_the_version_is_told(runner: CliRunner) -> None:
    assert runner.invoke(app, ["--version"]).stdout.startswith("otel-llm-cost 0.")


def test_a_store_that_is_not_there_is_one_line_with_a_remedy_and_is_not_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "nowhere.db"
    assert run_main(monkeypatch, "report", "--store", f"chdb://{missing}") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(missing) in said
    assert "otel-llm-cost serve" in said
    assert not missing.exists()


def test_a_store_without_its_tables_is_not_taken_for_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    dsn = f"chdb://{tmp_path / 'bare.db'}"
    Store.open(dsn, migrate=False).close()
    (tmp_path / "bare.db").mkdir(exist_ok=True)
    assert run_main(monkeypatch, "report", "--store", dsn) == 1
    assert "otel-llm-cost migrate" in capsys.readouterr().err


def test_wrong_options_are_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "report", "--days", "3", "--since", "2026-01-01") == 1
    assert "contradict" in capsys.readouterr().err
    assert run_main(monkeypatch, "report", "--store", "mysql://x") == 1
    assert "chdb:///" in capsys.readouterr().err
    assert run_main(monkeypatch, "report", "--since", "2026-01-02", "--until", "2026-01-02") == 1
    assert "period is empty" in capsys.readouterr().err
    assert run_main(monkeypatch, "report", "--by", "colour") == 2


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--days", "900000"),
        ("report", "--days", "0"),
        ("serve", "--http-port", "99999", "--store", "none:"),  # a store that is none: never to serve here
        ("serve", "--grpc-port", "-1", "--store", "none:"),
    ],
)
def test_numbers_out_of_range_are_wrong_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run_main(monkeypatch, *words) == 2
    assert words[1] in capsys.readouterr().err


def test_a_report_on_a_store_that_a_collector_holds_says_who_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dsn: str
) -> None:
    with held(dsn) as pid:
        assert run_main(monkeypatch, "report", "--store", dsn) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for words in (str(pid), "since 20", "Ctrl-C", "clickhouse://"):
        assert words in said


def test_debug_shows_where_it_went_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["otel-llm-cost", "--debug", "report", "--store", f"chdb://{tmp_path}/none"])
    with pytest.raises(Exception, match="no store at"):
        cli.main()


def test_without_the_extra_the_command_says_what_to_install() -> None:
    done = run_without({"typer"}, "--help")
    assert done.returncode == 1
    assert "pip install 'otel-llm-cost[embedded]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_library_of_the_collector_help_and_doctor_still_work(tmp_path: Path) -> None:
    names = {"clickhouse_connect", "grpc", "uvicorn", "starlette"}
    assert "report" in run_without(names, "--help").stdout
    doctor = run_without(names, "doctor")
    assert "clickhouse_connect is not installed" in doctor.stdout
    report = run_without(names, "report", "--store", f"chdb://{tmp_path}")
    assert report.returncode == 1
    assert "pip install 'otel-llm-cost[embedded]'" in report.stderr
