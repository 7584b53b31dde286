"""Overlay files: where they are looked for, and what is wrong with one, to the line.

In rising rank, each laid over those before it:

    project      llm-cost-prices.{yaml,yml,json} in the working directory or, within a repository, the nearest of its
                 parents up to the repository's root; outside of one the parents belong to who knows whom
    user         $XDG_CONFIG_HOME/otel-llm-cost/prices.{yaml,yml,json}   (~/.config where the variable is not set)
    environment  the file that $OTEL_LLM_COST_PRICES names
    option       the file that a command is given with --overlay

A file that is there and cannot be read, or has one fault, is an error: prices that someone wrote down and that are
quietly not used make every sum wrong.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, NamedTuple

from otel_llm_cost.pricing import Overlay
from otel_llm_cost.pricing.overlay import OverlayError

from .text import Document, Mark, parse

ENVIRONMENT: Final = "OTEL_LLM_COST_PRICES"
PROJECT_FILE: Final = "llm-cost-prices"
USER_FILE: Final = "prices"
FOLDER: Final = "otel-llm-cost"
SUFFIXES: Final = (".yaml", ".yml", ".json")
_MOST_TOLD: Final = 20

_log = logging.getLogger(__name__)

Level = Literal["error", "never applies", "hint"]


class OverlayFile(NamedTuple):
    """A file with prices, and who put it there: project, user, environment or option."""

    path: Path
    origin: str


class Finding(NamedTuple):
    """One thing to mend in a file.  `error`: the file is refused for it."""

    path: Path
    line: int
    column: int
    field: str
    message: str
    level: Level = "error"

    def __str__(self) -> str:
        named = f"{self.field}: " if self.field else ""
        level = "" if self.level == "error" else f"{self.level}: "
        return f"{self.path}:{self.line}:{self.column}: {level}{named}{self.message}"


class PriceFileError(ValueError):
    """A file with prices cannot be used; the text says where, why and what to do."""

    def __init__(self, findings: Iterable[Finding] | str) -> None:
        self.findings = () if isinstance(findings, str) else tuple(findings)
        told = [findings] if isinstance(findings, str) else [str(finding) for finding in self.findings[:_MOST_TOLD]]
        more = len(self.findings) - _MOST_TOLD
        super().__init__("\n".join(told + [f"… and {more} more: otel-llm-cost prices validate FILE"] * (more > 0)))


def overlay_files(
    option: Path | None = None, environ: Mapping[str, str] = os.environ, directory: Path | None = None
) -> tuple[OverlayFile, ...]:
    """The files in force for a process that runs in `directory`, in rising rank.

    Raises PriceFileError where there are two to choose from.
    """
    named = Path(environ[ENVIRONMENT]).expanduser() if environ.get(ENVIRONMENT) else None
    ranks = {"project": _project(directory), "user": _user(environ), "environment": named, "option": option}
    return tuple(OverlayFile(path, origin) for origin, path in ranks.items() if path is not None)


def xdg_folder(environ: Mapping[str, str], variable: str, default: str) -> Path | None:
    """Our folder below one of the XDG base directories; a relative one is invalid by their specification."""
    said = environ.get(variable, "")
    if said and Path(said).is_absolute():
        return Path(said) / FOLDER
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) / default / FOLDER if home else None


def _project(directory: Path | None) -> Path | None:
    """The nearest project file; none for a process whose working directory was taken away."""
    try:
        here = directory or Path.cwd()
    except FileNotFoundError:
        return None
    above = [here, *here.parents]
    root = next((folder for folder in above if is_there(folder / ".git")), here)
    candidates = (_only(folder, PROJECT_FILE) for folder in above[: above.index(root) + 1])
    return next((path for path in candidates if path), None)


def _user(environ: Mapping[str, str]) -> Path | None:
    folder = xdg_folder(environ, "XDG_CONFIG_HOME", ".config")
    return folder and _only(folder, USER_FILE)


def _only(folder: Path, name: str) -> Path | None:
    """The file of that name, whatever its suffix."""
    found = [path for path in (folder / f"{name}{suffix}" for suffix in SUFFIXES) if is_there(path)]
    if len(found) > 1:
        raise PriceFileError(f"{' and '.join(map(str, found))} both hold prices: keep one of them.")
    return found[0] if found else None


def is_there(path: Path) -> bool:
    """Whether a path exists; a link that leads nowhere does, and will be told when it is read.

    A folder that one may not look into is no place of one's own: services often run with another user's home.
    """
    try:
        path.lstat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            _log.info("%s: %s; taken for absent", path, error.strerror)
        return False
    return True


def read_overlay(path: Path, origin: str = "user") -> Overlay:
    """An overlay from its file; the `source` of its entries tells their lines.

    Raises PriceFileError with every fault, each as `file:line:column: field: what to do`.
    """
    overlay, document, findings = examine(OverlayFile(path, origin))
    if overlay is None:
        raise PriceFileError(findings)
    entries = [
        replace(entry, source=", ".join(filter(None, (entry.source, f"{_short(path, origin)}:{line}"))))
        for entry, line in zip(overlay.entries, entry_lines(document), strict=True)
    ]
    return replace(overlay, entries=tuple(entries))


def examine(file: OverlayFile) -> tuple[Overlay | None, Document, tuple[Finding, ...]]:
    """A file's overlay, or None and everything that is wrong with it."""
    document = parse(_text(file), json=file.path.suffix == ".json")
    faults = [Finding(file.path, *fault.mark, "", fault.message) for fault in document.faults]
    if document.raw is None and faults:
        return None, document, tuple(faults)
    try:
        overlay = Overlay.decode(document.raw, file.origin)
    except OverlayError as error:
        faults += [
            Finding(file.path, *document.mark(problem.path, problem.at_key), dotted(problem.path), problem.message)
            for problem in error.problems
        ]
        return None, document, tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
    return (None if faults else overlay), document, tuple(faults)


def entry_lines(document: Document) -> list[int]:
    """The line that each entry begins on."""
    raw = document.raw
    count = len(raw["entries"]) if isinstance(raw, dict) and isinstance(raw.get("entries"), list) else 0
    return [document.mark(("entries", i)).line for i in range(count)]


def dotted(path: tuple[str | int, ...]) -> str:
    """`entries[3].rates.input`"""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _text(file: OverlayFile) -> str:
    try:
        return file.path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        where = Mark(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise PriceFileError([Finding(file.path, *where, "", "not UTF-8: save it in that encoding")]) from error
    except OSError as error:
        raise PriceFileError(f"{file.path}: {error.strerror or error}. {_REMEDY.get(file.origin, _OTHER)}") from error


_OTHER: Final = "Give it to who runs this to read, or take it away."
_REMEDY: Final = {
    "environment": f"${ENVIRONMENT} names it: mend the path, or unset the variable.",
    "option": "--overlay names it: mend the path.",
}


def _short(path: Path, origin: str) -> str:
    """A file's name as it stands in a stored cost: no home directory, which tells a person's name."""
    if origin == "project":
        return path.name
    home = os.environ.get("HOME")
    inside = home is not None and path.is_absolute() and path.is_relative_to(home)
    return f"~/{path.relative_to(home or '')}" if inside else str(path)
