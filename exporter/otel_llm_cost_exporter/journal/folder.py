"""The folder of a journal: private, held by one process, its small files replaced whole."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
"""Bodies may hold the text of prompts where a team captures it."""
_LOCK: Final = "lock"
_NOBODYS: Final = {"lost+found"}
"""The root of a volume has it."""


class JournalError(Exception):
    """The journal cannot do what was asked; the text says why and what to do about it."""


class JournalHeld(JournalError):
    """Another process has the journal."""


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Where a folder cannot be used, say so and what to do."""
    try:
        yield
    except OSError as error:
        raise JournalError(
            f"cannot keep a journal in {folder}: {error.strerror} ({error.filename or folder})."
            " Give a folder that this user may read and write, with room on its disk."
        ) from error


def make(folder: Path) -> None:
    """Make the folder where there is none, for this user alone; it is durable on return."""
    if folder.is_dir() and not (folder / _LOCK).exists() and {path.name for path in folder.iterdir()} - _NOBODYS:
        raise JournalError(f"{folder} holds other files than a journal's. Give the journal a folder of its own.")
    if not folder.exists():
        folder.mkdir(mode=FOLDER_MODE, parents=True)
        sync(folder.parent)
    folder.chmod(FOLDER_MODE)


def hold(folder: Path) -> int:
    """Lock the folder for this process: a descriptor, whose closing releases it, as does the death of the process."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        who = _described(os.read(descriptor, 4096))
        os.close(descriptor)
        raise JournalHeld(
            f"cannot open the journal in {folder}: {who} has it. Stop that process, or give this one another folder."
        ) from error
    os.ftruncate(descriptor, 0)
    program = Path(sys.argv[0]).name or "python"
    os.write(descriptor, json.dumps({"pid": os.getpid(), "program": program}).encode())
    return descriptor


def replace(file: Path, content: bytes) -> None:
    """Put a small file in the place of another: after a crash there is the old one or the new one, whole."""
    fresh = file.with_name(file.name + ".tmp")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as writing:
        writing.write(content)
        writing.flush()
        os.fsync(descriptor)
    fresh.replace(file)
    sync(file.parent)


def sync(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _described(content: bytes) -> str:
    try:
        said = json.loads(content)
        return f"process {said['pid']} ({said['program']})"
    except (ValueError, KeyError, TypeError):
        return "another process"
