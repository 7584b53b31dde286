"""`python -m tests.doors [--check]`: see the package."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import sys
import warnings
from unittest.mock import patch

from otel_llm_cost.instrumentor import OpenAIInstrumentor
from otel_llm_cost.quiet import STRICT
from tests.instrumentation.conftest import watching
from tests.instrumentation.wire import Reply, Wire

from .beside import ROOT, UNSEEN, Unseen, untested
from .document import document
from .kits import KITS
from .observe import Walk, walk_all

FILE = ROOT / "docs" / "coverage.md"
_SETTINGS = ("OTEL_", "OPENAI_", "AZURE_", "ANTHROPIC_", "AWS_", "GOOGLE_", "GEMINI_")
"""What the SDKs and we read from the environment; the document says nothing of this machine's."""


def walks() -> list[Walk]:
    """Every way of every door, the same on any machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    with patch.dict(os.environ, {**environment, STRICT: "1"}, clear=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some doors are deprecated by their SDK, and in use
        return asyncio.run(walk_all(KITS))


def seen_after_all() -> list[Unseen]:
    """Doors that are said to be shut and have a span."""
    found = []
    for entry in UNSEEN:
        if entry.probe is None:
            continue
        with watching(OpenAIInstrumentor) as seen, Wire(Reply({})).client() as client:
            entry.probe(client)
            if seen.spans:
                found.append(entry)
    return found


def difference(text: str) -> str:
    """What would change in the committed document; nothing if it is up to date."""
    committed = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    lines = (committed.splitlines(keepends=True), text.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*lines, "docs/coverage.md", "what is seen now"))


def main() -> int:
    """Write the document, or compare it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.doors", description="What is seen of each call, as a document"
    )
    parser.add_argument("--check", action="store_true", help="exit 1, with a diff, if docs/coverage.md would change")
    check = parser.parse_args().check
    for test in untested():
        parser.error(f"there is no {test}: mend tests/doors/beside.py")
    for entry in seen_after_all():
        parser.error(f"{entry.door} has a span: it is not unseen any more, mend tests/doors/beside.py")
    text = document(walks())
    if not check:
        FILE.write_text(text, encoding="utf-8")
        return 0
    changed = difference(text)
    sys.stdout.write(changed and changed + "\ndocs/coverage.md is out of date: `make coverage` makes it anew\n")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
