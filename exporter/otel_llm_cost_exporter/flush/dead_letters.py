"""Calls that were acknowledged and cannot be stored: kept, one file each, until somebody looks.

A dead letter is the export request with that one span (or, where a whole request cannot be worked on, all of it), who
sent it, when, and why it could not be stored.  Replayed, it goes through the journal once more as it came.  There is
room for a bounded number; when that is used up nothing further is taken from the journal, because to throw away a call
that was acknowledged is the one thing that must not happen quietly.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_llm_cost_exporter.entry import Entry, Sender
from otel_llm_cost_exporter.journal.folder import replace, sync

_log = logging.getLogger(__name__)

MOST: Final = 10_000
"""Letters that are kept."""
_REPLAY: Final = ".replay"


class DeadLettersFull(Exception):
    """There is no room for another dead letter."""


class DeadLetter(NamedTuple):
    """What could not be stored and why; `name` is the same for the same spans, however often they fail."""

    entry: Entry
    why: str
    spans: tuple[str, ...] = ()
    """Trace and span id, in hex with a colon between; empty where the request as a whole is at fault."""

    @property
    def name(self) -> str:
        told = hashlib.sha256(self.entry.body + self.entry.sender.tenant.encode()).hexdigest()[:16]
        return f"{datetime.fromtimestamp(self.entry.received_ns / 1e9, UTC):%Y%m%dT%H%M%S}-{told}"

    def as_json(self) -> dict[str, Any]:
        entry = self.entry
        return {
            "why": self.why,
            "received_ns": entry.received_ns,
            "spans": list(self.spans),
            "span_count": entry.spans,
            "sender": entry.sender._asdict(),
            "request": base64.b64encode(entry.body).decode(),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """Raises ValueError, KeyError or TypeError where the text is no dead letter."""
        sender = dict(told["sender"])
        may_name = sender["may_name"]
        sender["may_name"] = None if may_name is None else tuple(may_name)
        body = base64.b64decode(told["request"], validate=True)
        received_ns, spans = _number(told["received_ns"], 64), _number(told["span_count"], 32)
        if not isinstance(sender["key"], str) or not isinstance(sender["project"], str | None):
            raise TypeError("the sender's key and project are no text")
        return cls(Entry(body, received_ns, spans, Sender(**sender)), str(told["why"]), tuple(told["spans"]))


class DeadLetters:
    """The letters in a folder.  The collector adds and replays; a command lists, shows, marks and removes."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._folder = folder
        self._most = most
        self.added = 0
        """Since the start."""

    def __len__(self) -> int:
        return len(self._names((".json", ".json" + _REPLAY)))

    @property
    def full(self) -> bool:
        return len(self) >= self._most

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters, durably; those that are kept already are kept once.  Raises DeadLettersFull, OSError."""
        fresh = [letter for letter in letters if not self._path(letter.name).exists()]
        if not fresh:
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self.full:
            raise DeadLettersFull(
                f"{self._folder} holds {self._most:,} calls that could not be stored, and takes no more. Look at them"
                " with `otel-llm-cost dead-letters list`, then replay or remove them; nothing is lost meanwhile."
            )
        for letter in fresh:
            replace(self._path(letter.name), json.dumps(letter.as_json()).encode())
            self.added += 1

    def read(self) -> Iterator[tuple[str, DeadLetter]]:
        """Names and letters, the oldest first; a file that is none is named in the log and passed over."""
        for path in self._paths():
            try:
                yield path.name.removesuffix(_REPLAY).removesuffix(".json"), _letter(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                _log.error("%s is no dead letter and is left where it is: %s", path, error)

    def remove(self, name: str) -> bool:
        """Whether there was such a letter."""
        found = [path for path in (self._path(name), self._marked(name)) if path.exists()]
        for path in found:
            path.unlink()
        return bool(found)

    def mark(self, name: str) -> bool:
        """Have a letter replayed by the collector that owns the folder, now or at its next start; False: no such."""
        try:
            self._path(name).rename(self._marked(name))
        except FileNotFoundError:
            return self._marked(name).exists()
        sync(self._folder)
        return True

    def marked(self) -> Iterator[tuple[str, DeadLetter]]:
        """Those that are to be replayed; to be removed once they are in the journal."""
        for marked in self._names((".json" + _REPLAY,)):
            path = self._folder / marked
            try:
                yield marked.removesuffix(".json" + _REPLAY), _letter(path)
            except (OSError, ValueError, KeyError, TypeError) as error:
                _log.error("%s is no dead letter and cannot be replayed: %s", path, error)
                path.rename(path.with_name(marked.removesuffix(_REPLAY)))

    def _paths(self) -> list[Path]:
        return [self._folder / name for name in self._names((".json", ".json" + _REPLAY))]

    def _names(self, endings: tuple[str, ...]) -> list[str]:
        try:
            with os.scandir(self._folder) as found:
                return sorted(entry.name for entry in found if entry.name.endswith(endings))
        except FileNotFoundError:
            return []

    def _path(self, name: str) -> Path:
        return self._folder / f"{Path(name).name}.json"

    def _marked(self, name: str) -> Path:
        return self._folder / f"{Path(name).name}.json{_REPLAY}"


def _number(told: Any, bits: int) -> int:
    number = int(told)
    if not 0 <= number < 1 << bits:
        raise ValueError(f"{number} is out of range")
    return number


def _letter(path: Path) -> DeadLetter:
    return DeadLetter.from_json(json.loads(path.read_text(encoding="utf-8")))


def only(entry: Entry, trace_id: bytes, span_id: bytes) -> Entry:
    """The request with nothing in it but one span, its scope and its resource."""
    request, one = ExportTraceServiceRequest.FromString(entry.body), ExportTraceServiceRequest()
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                if (span.trace_id, span.span_id) == (trace_id, span_id):
                    resource = one.resource_spans.add(resource=of_resource.resource, schema_url=of_resource.schema_url)
                    resource.scope_spans.add(scope=of_scope.scope, schema_url=of_scope.schema_url, spans=[span])
                    return entry._replace(body=one.SerializeToString(), spans=1)
    return entry
