"""A batch, frozen: what is about to be inserted, on disk before the first try.

Judging a batch asks what the store has, and prices change with a new version.  So a batch that was half inserted when
the process died must not be judged again: its rows would be found stored, and the rollups that they did not reach would
stay short.  Therefore the blocks themselves are kept, with the range of the journal that they were made of, and whoever
comes next inserts these very bytes under these very tokens.  There is one such file, or none.

    magic, length of the header (8 bytes, big-endian), its SHA-256, header (JSON), the blocks one after another
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from otel_llm_cost_exporter.commit import Block
from otel_llm_cost_exporter.config import FROZEN
from otel_llm_cost_exporter.journal import Position
from otel_llm_cost_exporter.journal.folder import replace, sync

from .dead_letters import DeadLetter

_log = logging.getLogger(__name__)

_MAGIC: Final = b"llm-cost frozen 1\n"


@dataclass(frozen=True, slots=True)
class Frozen:
    """Blocks to insert and calls that cannot be, made of the journal from `start` to `end`.

    `whole`: nothing else of that range is left to do once this is done.
    """

    start: Position
    end: Position
    blocks: Sequence[Block]
    dead: Sequence[DeadLetter] = ()
    whole: bool = True

    @property
    def rows(self) -> int:
        return sum(block.rows for block in self.blocks)


class FrozenFile:
    """The one file in a folder that holds the batch under way."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FROZEN

    def write(self, batch: Frozen) -> None:
        """Durable when it returns.  OSError where the disk does not take it."""
        header = json.dumps(
            {
                "start": batch.start,
                "end": batch.end,
                "whole": batch.whole,
                "blocks": [
                    {"names": block.names, "rows": block.rows, "bytes": len(block.content), "token": block.token}
                    for block in batch.blocks
                ],
                "dead": [letter.as_json() for letter in batch.dead],
            }
        ).encode()
        opening = (_MAGIC, len(header).to_bytes(8, "big"), hashlib.sha256(header).digest(), header)
        pieces = (*opening, *(block.content for block in batch.blocks))
        replace(self._path, b"".join(pieces))

    def read(self) -> Frozen | None:
        """The batch that was under way; None where there is none, or it is damaged (said in the log)."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _parse(content)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            _log.error("%s is damaged (%s); its calls are taken from the journal again", self._path, error)
            return None

    def discard(self) -> None:
        """The batch is done."""
        self._path.unlink(missing_ok=True)
        sync(self._path.parent)


def _parse(content: bytes) -> Frozen:
    if not content.startswith(_MAGIC):
        raise ValueError("no frozen batch of this version")
    digest_at = len(_MAGIC) + 8
    length = int.from_bytes(content[len(_MAGIC) : digest_at], "big")
    at = digest_at + hashlib.sha256().digest_size
    written = content[at : at + length]
    if hashlib.sha256(written).digest() != content[digest_at:at]:
        raise ValueError("the header is not the one that was written")
    header = json.loads(written)
    blocks, at = [], at + length
    for told in header["blocks"]:
        blocks.append(_block(told, content[at : at + told["bytes"]]))
        at += told["bytes"]
    return Frozen(
        Position(*header["start"]),
        Position(*header["end"]),
        blocks,
        [DeadLetter.from_json(letter) for letter in header["dead"]],
        header["whole"],
    )


def _block(told: dict[str, Any], content: bytes) -> Block:
    block = Block(tuple(told["names"]), content, told["rows"])
    if block.token != told["token"]:
        raise ValueError("the bytes of a block are not those that were written")
    return block
