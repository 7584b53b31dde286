"""Runs the suite against old and new versions of the SDKs, each set in an environment of its own, made by `uv`.

    python tests/versions/run.py            every environment below
    python tests/versions/run.py --quick    the oldest and the newest

The oldest has our own dependencies at their lower bounds as well, as pyproject.toml declares them.  Those in between
are versions at which an SDK changed what we hold on to.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ALL = ".[openai,anthropic,google]"
_SEAMS = {
    "openai": ["1.60", "1.66", "1.99.9", "1.109.1", "2.0.1", "2.54", "3.0"],  # responses; parse without beta; httpx2
    "anthropic": ["0.50", "0.79", "0.125", "1.0", "1.13", "1.14", "1.17", "2.0"],  # httpx2; spans of its own
    "google-genai": ["1.30", "1.50", "1.55", "1.75", "2.0", "2.8", "2.9", "2.34", "3.0"],  # interactions; httpx2
}
_UV = (os.environ.get("UV", "uv"), "run", "--quiet", "--isolated", "--no-project")
_TOOLS = ("pytest>=8.3", "pytest-asyncio>=0.25")
_FACT = re.compile(r"(?:installed: |[\w-]+ lacks )")
_RESULT = re.compile(r"^\d+ (?:passed|failed|skipped|error).* in [\d.]+s", re.MULTILINE)


@dataclass(frozen=True)
class Environment:
    """What is installed, and how the rest is chosen."""

    name: str
    project: str
    more: tuple[str, ...] = ()
    resolution: str = "highest"

    def command(self, python: str, pytest: list[str]) -> list[str]:
        """The whole command."""
        asked = [part for requirement in (*_TOOLS, *self.more) for part in ("--with", requirement)]
        uv = [*_UV, "--python", python, "--resolution", self.resolution]
        # what an old SDK warns of, about its dependencies, is no fault here
        tests = ["pytest", "tests/versions", "-q", "-W", "default", "-p", "no:cacheprovider", "--tb=short", *pytest]
        return [*uv, "--with-editable", self.project, *asked, "python", "-m", *tests]


OLDEST = Environment("oldest", _ALL, resolution="lowest-direct")
LATEST = Environment("latest", _ALL)
BETWEEN = [Environment(f"{sdk} {v}", ".", (f"{sdk}=={v}",)) for sdk, versions in _SEAMS.items() for v in versions]


def run(environment: Environment, python: str, pytest: list[str]) -> bool:
    """Run the suite in one environment and say how it went; True where all is well."""
    began = time.monotonic()
    command = environment.command(python, pytest)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=_clean(), timeout=900)
    result = _RESULT.search(done.stdout)
    well = done.returncode == 0 and result is not None and " passed" in result[0]
    facts = [line for line in done.stdout.splitlines() if _FACT.match(line)]
    shown = [result[0] if result else "did not run", *facts]
    head = f"{'ok  ' if well else 'FAIL'} {environment.name} ({time.monotonic() - began:.0f} s): "
    sys.stdout.write(head + "; ".join(shown) + "\n" + ("" if well else done.stdout + done.stderr))
    sys.stdout.flush()
    return well


def _clean() -> dict[str, str]:
    """Without what would lead to the environment that this script runs in."""
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}


def main() -> int:
    """Exit code: 0 where the suite passed in every environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the oldest and the newest versions only")
    parser.add_argument("--only", default="", help="environments whose name contains this")
    parser.add_argument("--python", default="3.11", help="version of Python")
    parser.add_argument("--jobs", type=int, default=2, help="environments at a time")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    given = parser.parse_args()
    chosen = [OLDEST, LATEST] if given.quick else [OLDEST, *BETWEEN, LATEST]
    chosen = [environment for environment in chosen if given.only in environment.name]
    with ThreadPoolExecutor(given.jobs) as pool:
        well = list(pool.map(lambda environment: run(environment, given.python, given.pytest), chosen))
    return 0 if well and all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
