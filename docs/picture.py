"""Draws docs/report.svg, the README's picture: the report of a fresh demo, as the terminal shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from otel_llm_cost_exporter.cli.report import open_existing, render
from otel_llm_cost_exporter.report import read_report


def main() -> None:
    """Run the demo, then render its store into the file."""
    done = subprocess.run(  # our own command
        [sys.executable, "-m", "otel_llm_cost_exporter.cli", "demo", "--json"], check=True, capture_output=True
    )
    dsn = json.loads(done.stdout)["store"]
    console = Console(record=True, width=100, force_terminal=True)
    with open_existing(dsn) as store:
        console.print(render(read_report(store, by=("provider", "model")), dsn))
    console.save_svg(str(Path(__file__).with_name("report.svg")), title="otel-llm-cost report")


if __name__ == "__main__":
    main()
