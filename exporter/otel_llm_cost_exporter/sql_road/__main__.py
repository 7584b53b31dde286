"""Write the generated parts of the SQL files, or compare them."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from . import __doc__ as _what
from . import bills, names

FOLDER: Final = Path(__file__).parents[3] / "clickhouse" / "otel_traces"
_log = logging.getLogger(__name__)
_PART: Final = re.compile(r"(?P<indent>[ ]*)-- generated: (?P<name>\w+)\n(?:.*?\n)??[ ]*-- end\n", re.DOTALL)

PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "signs": names.signs,
    "columns": names.columns,
    "texts": names.texts,
    "values": names.values,
    "unread": names.unread,
    "counts": names.counts,
    "bad": names.bad,
    "usage_said": names.usage_said,
    "says_what": names.says_what,
    "context": bills.context,
    "buckets": bills.buckets,
    "numbers": bills.numbers,
    "packed": bills.packed,
    "unpacked": bills.unpacked,
    "counts_of_call": bills.counts_of_call,
}


def generated(text: str) -> str:
    """A file with its generated parts as they are to be."""
    return _PART.sub(_part, text)


def _part(match: re.Match[str]) -> str:
    indent, name = match["indent"], match["name"]
    lines = [f"-- generated: {name}", *PARTS[name](), "-- end"]
    return "".join(f"{indent}{line}\n" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m otel_llm_cost_exporter.sql_road", description=_what)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file would change")
    check: bool = parser.parse_args(arguments).check
    stale = {path: new for path in sorted(FOLDER.glob("*.sql")) if (new := generated(old := path.read_text())) != old}
    for path, new in stale.items():
        if check:
            _log.error("%s is not what the tables give: run python -m otel_llm_cost_exporter.sql_road", path)
        else:
            path.write_text(new)
            _log.info("wrote %s", path)
    return int(check and bool(stale))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
