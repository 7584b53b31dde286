"""Who has an embedded database open.

The embedded engine admits one process per path and refuses the second without a word.  So a process that opens
a path first locks the file `<path>.holder` beside it and writes there who it is, and where it answers queries if it
does.  The lock belongs to the open file: it goes with the process however that dies, and what a dead process wrote is
never believed.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .errors import StoreError, StoreHeld


@dataclass(slots=True)
class _Held:
    descriptor: int
    count: int


_held: dict[str, _Held] = {}
_guard = threading.Lock()


def hold(path: Path) -> None:
    """Take the path for this process (again, if it has it already); StoreError names another holder."""
    with _guard:
        mine = _held.get(str(path))
        if mine is not None:
            mine.count += 1
            return
        other = next(iter(_held), None)
        if other is not None:
            raise StoreError(
                f"cannot open {path}: this process has the embedded database {other} open, and the embedded engine"
                " admits one path per process. Close that store first, or use a ClickHouse server (clickhouse://…)."
            )
        _held[str(path)] = _Held(_lock(path), 1)


def release(path: Path) -> None:
    """Give the path back; the last release of this process unlocks it."""
    with _guard:
        mine = _held.get(str(path))
        if mine is None:
            return
        mine.count -= 1
        if mine.count == 0:
            del _held[str(path)]
            os.ftruncate(mine.descriptor, 0)
            os.close(mine.descriptor)


def announce(path: Path, query: str, *, key: bool) -> None:
    """Say where this process answers queries on a path that it holds, and whether it wants a key for that."""
    with _guard:
        mine = _held.get(str(path))
        if mine is not None:
            _write(mine.descriptor, _myself() | {"query": query, "key": key})


def _write(descriptor: int, said: dict[str, object]) -> None:
    """Over what stands there, and then cut to length: whoever reads meanwhile finds something."""
    content = json.dumps(said).encode()
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))


def _lock(path: Path) -> int:
    file = path.with_name(path.name + ".holder")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"cannot open {path}: {error.strerror} ({file}). Give a path in a directory this user may write to."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        content = os.read(descriptor, 4096)
        os.close(descriptor)
        query, key = _answers(content)
        raise StoreHeld(
            f"cannot open {path}: {_describe(content)} has it open, and the embedded engine admits one process per"
            " path. Stop that process, give another path, or let both use a ClickHouse server (clickhouse://…).",
            query=query,
            key=key,
        ) from error
    _write(descriptor, _myself())
    return descriptor


def _myself() -> dict[str, object]:
    """Only the program and its sub-command: the rest of a command line may hold secrets."""
    program = Path(sys.argv[0]).name or "python"
    verb = next((word for word in sys.argv[1:2] if word.isalpha()), "")
    return {
        "pid": os.getpid(),
        "command": f"{program} {verb}".strip(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _describe(content: bytes) -> str:
    try:
        said = json.loads(content)
        return f"process {said['pid']} (`{said['command']}`, since {said['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _answers(content: bytes) -> tuple[str | None, bool]:
    """Where the holder answers queries, and whether it wants a key."""
    try:
        said = json.loads(content)
        query = said.get("query")
    except (ValueError, AttributeError):
        return None, False
    return (query, bool(said.get("key"))) if isinstance(query, str) else (None, False)
