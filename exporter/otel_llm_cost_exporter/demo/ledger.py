"""What the emulator served: the truth that a stored bill is compared with."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from otel_llm_cost.record import Usage

Outcome = Literal["completed", "cut", "abandoned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One answered HTTP request.  `attempt` 0 opens a logical call, higher numbers are the SDK's retries."""

    serial: int
    vendor: str
    """As in `gen_ai.provider.name`."""
    method: str
    path: str
    operation: str
    """Empty for a request that reaches no model: a file, a batch."""
    model: str
    """The model as the caller named it; empty where the request names none."""
    stream: bool
    script: str
    attempt: int
    status: int
    response_id: str
    usage: Usage | None
    """What the caller was told; `None` for a refusal, a broken answer, a stream without usage."""
    outcome: Outcome = "completed"
    batch: bool = False
    """A line of a batch: nobody asked for it by a request of its own, and its model is the one that answered."""


class Ledger:
    """Append-only and safe to use from many threads."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries[entry.serial] = entry

    def abandon(self, serial: int) -> None:
        """The caller hung up before the answer's end."""
        with self._lock:
            self._entries[serial] = replace(self._entries[serial], outcome="abandoned", usage=None)

    @property
    def entries(self) -> tuple[Entry, ...]:
        with self._lock:
            return tuple(self._entries[serial] for serial in sorted(self._entries))

    def as_json(self) -> dict[str, Any]:
        calls = [{**asdict(entry), "usage": entry.usage and entry.usage._asdict()} for entry in self.entries]
        return {"calls": calls}


def read_entry(data: dict[str, Any]) -> Entry:
    """An entry of `as_json`, read back."""
    usage = data.pop("usage")
    return Entry(**data, usage=Usage(**usage) if usage else None)
