"""The command `otel-llm-cost`.

The commands need the libraries of the extra `exporter`; with the bare package installed, `main` says so.
"""

from __future__ import annotations

import sys
from typing import Any

INSTALL = "pip install 'otel-llm-cost[embedded]'"


def main() -> None:
    """Run a command; what goes wrong becomes one red line with its remedy and exit code 1, never a traceback."""
    try:
        from .root import run  # noqa: PLC0415  # so that a missing extra is told, not thrown
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("otel_llm_cost"):
            raise
        sys.stderr.write(f"otel-llm-cost needs {missing.name}, which is not installed.  Run: {INSTALL}\n")
        raise SystemExit(1) from None
    raise SystemExit(run())


def __getattr__(name: str) -> Any:
    """`app` is made when it is first asked for."""
    if name == "app":
        from .root import app  # noqa: PLC0415  # see main

        return app
    raise AttributeError(name)
