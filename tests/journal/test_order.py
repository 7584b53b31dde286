"""What power loss may take: nothing is acknowledged, forgotten or removed before that which it rests on is durable.

A killed process leaves all that it wrote to the kernel, so only the order of the calls can show this.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_llm_cost_exporter.journal import Journal

from .conftest import entry


def _kind(path: str) -> str:
    name = Path(path).name
    return name if name.startswith("head") else Path(name.removesuffix(".tmp")).suffix or "folder"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that write, sync, rename and remove, with what kind of file they were for."""
    made: list[str] = []

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(first: int | Path, *rest: Any) -> Any:
            path = str(first) if isinstance(first, Path) else str(Path(f"/proc/self/fd/{first}").readlink())
            done = call(first, *rest)
            made.append(f"{name} {_kind(path)}")
            return done

        return noting

    originals: dict[str, tuple[str, Callable[..., Any]]] = {
        "os.writev": ("write", os.writev),
        "os.fsync": ("sync", os.fsync),
        "otel_llm_cost_exporter.journal.disk._sync": ("sync", os.fdatasync),
        "pathlib.Path.replace": ("rename", Path.replace),
        "pathlib.Path.unlink": ("remove", Path.unlink),
    }
    for target, (name, call) in originals.items():
        monkeypatch.setattr(target, watched(name, call))
    return made


def test_an_entry_and_the_name_of_its_segment_are_durable_before_it_is_acknowledged(
    folder: Path, calls: list[str]
) -> None:
    with Journal(folder) as journal:
        calls.clear()
        journal.take(entry(1))
        assert calls == ["write .segment", "sync folder", "write .segment", "sync .segment"]
        calls.clear()
        journal.take(entry(2))
        assert calls == ["write .segment", "sync .segment"]


def test_a_segment_goes_after_the_head_and_its_digests_are_durable(folder: Path, calls: list[str]) -> None:
    with Journal(folder, segment_bytes=1) as journal:
        journal.take(entry(1))
        journal.take(entry(2))
        calls.clear()
        journal.advance(journal.read(most_spans=1).end)
    replaced = [
        ["sync head.tmp", "rename head.tmp", "sync folder"],
        ["sync .digests", "rename .digests", "sync folder"],
    ]
    assert calls == [*replaced[0], *replaced[1], "remove .segment"]
