"""Says at the end of a run what is installed, and what of the SDKs these versions lack."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import version

import pytest

from .sdks import SDKS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Lines that `run.py` repeats."""
    if not any("versions/" in report.nodeid for report in terminalreporter.getreports("passed")):
        return
    reports = terminalreporter.getreports("skipped")
    reasons = {report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple)}
    lacks = defaultdict(list)
    for reason in sorted(reasons):
        sdk, lacking, way = reason.removeprefix("Skipped: ").partition(" lacks ")
        if lacking:
            lacks[sdk].append(way)
    base = [f"{name} {version(name)}" for name in ("opentelemetry-api", "opentelemetry-instrumentation", "wrapt")]
    terminalreporter.write_line("installed: " + ", ".join([*(sdk.described() for sdk in SDKS), *base]))
    for sdk, ways in lacks.items():
        terminalreporter.write_line(f"{sdk} lacks {', '.join(ways)}")
