"""The file with the API keys: where it is, how it is read, how it is changed.

    $OTEL_LLM_COST_KEYS, else $XDG_CONFIG_HOME/otel-llm-cost/keys.json   (~/.config where the variable is not set)

It holds no secret that could be used, but who could write to it could let himself in, and its projects and notes are
nobody else's business: so it is refused unless its owner alone can read and write it.  A change replaces the file as
a whole under a lock beside it (the lock cannot be on the file, which goes away), so that a reader sees all of a
change or nothing, and of two changes at once neither is lost.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from otel_llm_cost_exporter.prices.files import xdg_folder

from .keys import Key

VARIABLE: Final = "OTEL_LLM_COST_KEYS"
"""Environment variable with the path of the file."""
_VERSION: Final = 1
_MOST_BYTES: Final = 64 * 1024 * 1024
_OTHERS: Final = 0o077


class KeysError(Exception):
    """The file with the API keys cannot be used; the text says why and what to do."""


class Stamp(NamedTuple):
    """What tells one state of a file from the next."""

    mtime_ns: int
    inode: int
    size: int
    mode: int


def keys_file(option: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where the keys of this user are; the option of a command goes before the environment.

    None for a user without a home directory, as services often are.
    """
    if option is not None:
        return option
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE]).expanduser()
    folder = xdg_folder(environ, "XDG_CONFIG_HOME", ".config")
    return folder and folder / "keys.json"


def stamp(path: Path) -> Stamp | None:
    """The state that the file is in; None where there is none, or none that can be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)


def read(path: Path) -> tuple[Key, ...]:
    """The keys of a file; none where there is no file.  KeysError if it cannot be read, believed or trusted."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if state.st_mode & _OTHERS:
                raise KeysError(f"{path}: others than its owner may read or write it. Run: chmod 600 {path}")
            if state.st_size > _MOST_BYTES:
                raise KeysError(f"{path}: larger than {_MOST_BYTES // 2**20} MiB, so it is no file with API keys.")
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise KeysError(
            f"{path}: {error.strerror or error}. Give it to the user who runs this, or name another with --keys."
        ) from error
    return _decode(path, content)


def change(path: Path, edit: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
    """Replace the keys by what `edit` makes of them; KeysError if the file cannot be read or written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path):
            _replace(path, _encode(edit(read(path))))
    except OSError as error:
        raise KeysError(
            f"{path}: {error.strerror or error}. Name a file in a directory that this user may write to with --keys"
            f" or ${VARIABLE}."
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    """Through a link to what it leads to: the file may live elsewhere."""
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    folder = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _encode(keys: tuple[Key, ...]) -> bytes:
    said = [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(key).items()}
        | {"may_name": "*" if key.may_name is None else list(key.may_name)}
        for key in keys
    ]
    return json.dumps({"version": _VERSION, "keys": said}, indent=2, ensure_ascii=False).encode() + b"\n"


def _decode(path: Path, content: bytes) -> tuple[Key, ...]:
    try:
        document = json.loads(content)
        if document["version"] != _VERSION:
            raise KeysError(f"{path}: written by another version of otel-llm-cost. Use that one, or upgrade this one.")
        keys = tuple(_key(said) for said in document["keys"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeysError(
            f"{path}: no file with API keys ({type(error).__name__}: {error}). Put back a copy of it, or take it away"
            " and create new keys: otel-llm-cost keys create."
        ) from error
    if len({key.id for key in keys}) < len(keys):
        raise KeysError(f"{path}: one id stands there twice. Take one of the two away.")
    return keys


def _key(said: dict[str, Any]) -> Key:
    """One key as it was written; a field that is unknown or of another kind is an error: it may be a restriction."""
    times = {name: _instant(said.get(name)) for name in ("created_at", "expires_at", "revoked_at")}
    may_name = None if said.get("may_name") == "*" else tuple(_texts(said.get("may_name", [])))
    for name, kind in _KINDS.items():
        if name in said and not isinstance(said[name], kind):
            raise TypeError(f"{name}: {type(said[name]).__name__} found")
    return Key(**(said | times | {"may_name": may_name}))


_KINDS: Final[dict[str, Any]] = {
    "id": str,
    "digest": str,
    "project": str,
    "note": str,
    "may_read": bool,
    "may_write": bool,
    "rate": int | float | None,
}


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("may_name: a list of projects or * expected")
    return value


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    instant = datetime.fromisoformat(value)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
