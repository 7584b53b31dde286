"""The built wheel carries all it needs: the demo runs from it, away from the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
_ROOT = Path(__file__).parents[2]


def test_the_demo_runs_from_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=_ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site, work = tmp_path / "site", tmp_path / "work"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        names = archive.namelist()
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
    work.mkdir()
    environ = {**os.environ, "PYTHONPATH": str(site), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    where = [sys.executable, "-c", "import otel_llm_cost, otel_llm_cost_exporter as e; print(e.__file__)"]
    assert str(site) in subprocess.run(where, cwd=work, env=environ, check=True, capture_output=True, text=True).stdout
    demo = [sys.executable, "-m", "otel_llm_cost_exporter.cli", "demo", "--json"]
    done = subprocess.run(demo, cwd=work, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["differences"] == []
