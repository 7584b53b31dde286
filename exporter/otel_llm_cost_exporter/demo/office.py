"""What the emulator's listeners share: scripts, the ledger, and what earlier requests left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count

from .attempts import Attempts
from .ledger import Entry, Ledger
from .reply import Ask, Memory, Reply, Vendor


class Office:
    """Safe to use from many threads."""

    def __init__(self, scripts: Mapping[str, str]) -> None:
        self.scripts = scripts
        self.ledger = Ledger()
        self.attempts = Attempts()
        self.serials: Iterator[int] = count()  # `next` on it is atomic
        self._replies: dict[str, Reply] = {}
        self._prefixes: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def memory(self) -> Memory:
        """As it stands now; it does not change under the reader."""
        with self._lock:
            return Memory(dict(self._replies), dict(self._prefixes))

    def record(self, ask: Ask, vendor: Vendor, script: str, reply: Reply) -> None:
        """Write down what is about to be sent, and remember what it leaves behind."""
        self.ledger.add(_entry(ask, vendor, script, reply))
        for line in _lines(vendor, reply, self.serials):
            self.ledger.add(line)
        with self._lock:
            self._replies.update(reply.keep)
            self._prefixes.update(reply.prefixes)


def _entry(ask: Ask, vendor: Vendor, script: str, reply: Reply) -> Entry:
    return Entry(
        serial=ask.serial,
        vendor=vendor.NAME,
        method=ask.method,
        path=ask.path,
        operation=vendor.operation(ask),
        model=ask.model,
        stream=reply.events is not None,
        script=script,
        attempt=ask.attempt,
        status=reply.status,
        response_id=reply.response_id,
        usage=reply.usage if reply.status == 200 else None,
        outcome="cut" if reply.ending == "cut" else "completed",
    )


def _lines(vendor: Vendor, reply: Reply, serials: Iterator[int]) -> Iterator[Entry]:
    """The calls of a batch that were answered, as if each had come by itself."""
    for ask, answer in reply.batch:
        if answer.usage is not None:
            entry = _entry(ask, vendor, "", answer)
            yield replace(entry, serial=next(serials), attempt=0, model=answer.model, batch=True)
