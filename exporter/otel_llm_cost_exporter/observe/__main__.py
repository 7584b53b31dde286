"""Write the table of metrics into docs/observe.md, or compare it."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Final

from .page import written_into

PAGE: Final = Path(__file__).parents[3] / "docs" / "observe.md"
_log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m otel_llm_cost_exporter.observe", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page would change")
    check: bool = parser.parse_args(arguments).check
    old = PAGE.read_text(encoding="utf-8")
    new = written_into(old)
    if new == old:
        return 0
    if check:
        _log.error("%s is not what the instruments give: run python -m otel_llm_cost_exporter.observe", PAGE)
        return 1
    PAGE.write_text(new, encoding="utf-8")
    _log.info("wrote %s", PAGE)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
