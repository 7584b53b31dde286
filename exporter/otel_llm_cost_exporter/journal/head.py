"""The head: all before it is stored.  A small file, replaced whole, with a checksum.

Should it be lost or damaged, the journal is read from its oldest segment again: spans are de-duplicated downstream.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final
from zlib import crc32

from . import folder as folders
from .segment import Position

_log = logging.getLogger(__name__)

_NAME: Final = "head"


def write(folder: Path, head: Position) -> None:
    """Note the head; it is durable on return."""
    said = f"{head.segment} {head.offset}"
    folders.replace(folder / _NAME, f"{said} {crc32(said.encode()):08x}\n".encode())


def read(folder: Path) -> Position | None:
    """The head, or None where there is none to be believed."""
    try:
        content = (folder / _NAME).read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return None
    said, _, checksum = content.strip().rpartition(" ")
    if f"{crc32(said.encode()):08x}" != checksum:
        _log.error("%s is damaged: the journal is read again from its oldest segment", folder / _NAME)
        return None
    segment, offset = said.split(" ")
    return Position(int(segment), int(offset))
