"""One recorded exchange, and the job of sending it again: what a process that replays needs, and no reader of files."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; `body` has its content encoding undone."""

    method: str
    url: str
    sent: dict[str, str]
    """The request's headers, names in lower case."""
    request: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path of the request, unquoted."""
        return unquote(urlsplit(self.url).path)

    @property
    def is_events(self) -> bool:
        """True when the answer is a stream of server-sent events."""
        head = self.body[:400].lstrip()
        return "event-stream" in self.headers.get("content-type", "") or head.startswith((b"data:", b"event:"))

    @property
    def events(self) -> list[bytes]:
        """The body cut after each event."""
        return [part for part in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", self.body) if part]


@dataclass(frozen=True)
class Job:
    """An exchange and what the index says of it."""

    row: Mapping[str, Any]
    exchange: Exchange

    @cached_property
    def id(self) -> str:
        """The recording's name."""
        return str(self.row["id"])

    @property
    def endpoint(self) -> str:
        """What was called, as the index names it."""
        return str(self.row["endpoint"])

    @property
    def is_cuttable(self) -> bool:
        """A stream that was asked for and ended well: the caller could have stopped in the middle of it."""
        asked = self.exchange.request.get("stream") or self.endpoint.startswith("stream")
        return bool(asked) and self.exchange.is_events and not self.row["error"]


def save(jobs: Iterable[Job], path: Path) -> None:
    """Write jobs where another process finds them, one JSON line each."""
    with path.open("w") as file:
        for job in jobs:
            exchange = asdict(job.exchange) | {"body": base64.b64encode(job.exchange.body).decode()}
            file.write(json.dumps({"row": job.row, "exchange": exchange}) + "\n")


def load(path: Path) -> Iterator[Job]:
    """Read what `save` wrote."""
    with path.open() as file:
        for line in file:
            said = json.loads(line)
            yield Job(said["row"], Exchange(**said["exchange"] | {"body": base64.b64decode(said["exchange"]["body"])}))
