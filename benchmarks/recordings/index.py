"""The recordings' index: which exchanges there are, and what their bytes say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.recordings.cassettes import exchange
from benchmarks.recordings.exchange import Job

PROVIDERS: Final = {"openai": "openai", "anthropic": "anthropic", "google": "gemini"}
"""Our short name of an SDK → the index's name of its provider."""

UNBILLED: Final = frozenset(
    {
        "cachedContents",
        "conversations",
        "countTokens",
        "count_tokens",
        "files",
        "responses.input_tokens",
        "responses.other",
        "vector_stores",
    }
)
"""Nothing is generated there: a retrieved response was billed when it was made."""


def jobs(root: Path, sdk: str, limit: int | None = None) -> list[Job]:
    """Every recording of one provider that has an answer to send again, each once."""
    return [Job(row, exchange(root, row)) for row in list(_rows(root, PROVIDERS[sdk]))[:limit]]


def _rows(root: Path, provider: str) -> Iterator[dict[str, Any]]:
    for line in (root / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        replayable = row["replayable"] or row["why_not"] == "endpoint"
        if row["provider"] == provider and replayable and not row["dup_of"]:
            yield row
