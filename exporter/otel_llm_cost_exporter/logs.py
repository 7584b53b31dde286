"""The log of a process that serves: which request a line belongs to, and what no line may hold.

Everything below a request (thread pools included) logs with its id, because the request stands in a context variable.
Nothing here logs a secret on purpose; what looks like one is taken out of every message and traceback all the same,
for an error's text is made of whatever went wrong.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TextIO

from .entry import Sender

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_KEY: Final = re.compile(r"(olc_[0-9A-Za-z]{4,64}_)[0-9A-Za-z]+")
_CREDENTIAL: Final = re.compile(
    r"""(?ix) ( (?: authorization | x-api-key ) (?: ['"]?\s*[:=]\s* | ['"],\s* ) (?:b(?=['"]))?['"]? ) [^\n'",}]+"""
)
_BEARER: Final = re.compile(r"(?i)\b(bearer(?:\s|%20|\+)+)[A-Za-z0-9._~+/=-]{12,}")


@dataclass(slots=True)
class _Asked:
    """The request that is being worked on, and who sent it as far as that is known."""

    request_id: str
    key: str = ""
    project: str = ""


_asked: ContextVar[_Asked | None] = ContextVar("llm_cost_request", default=None)


def request_id(told: str | None) -> str:
    """The sender's own id of a request if it can stand in a log as it is, else a new one."""
    return told if told and _REQUEST_ID.fullmatch(told) else uuid.uuid4().hex


@contextmanager
def of_request(identity: str) -> Iterator[None]:
    """Every record that is logged within belongs to this request."""
    token = _asked.set(_Asked(identity))
    try:
        yield
    finally:
        _asked.reset(token)


def sent_by(sender: Sender) -> None:
    """From here on the request at work is known to come from this sender."""
    asked = _asked.get()
    if asked is not None:
        asked.key, asked.project = sender.key, sender.project or ""


def redact(text: str) -> str:
    """The text without API keys (their public ids stay) and without values of headers that carry one."""
    return _KEY.sub(r"\1***", _BEARER.sub(r"\1***", _CREDENTIAL.sub(r"\1***", text)))


def where(error: BaseException) -> str:
    """Kind and place of an error without its text, which may hold what a user wrote to a model."""
    frames = traceback.extract_tb(error.__traceback__)
    steps = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-5:])
    return f"{type(error).__name__} at {steps or 'an unknown place'}"


def to_stderr(as_json: bool) -> None:
    """Send this process's log to stderr, as text or as one JSON object a line."""
    handler = _Stderr(sys.stderr)
    handler.addFilter(note_request)
    handler.setFormatter(JsonLines() if as_json else PlainLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # what cannot be reached is said by who tried
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # it greets and takes leave once per server


class _Stderr(logging.StreamHandler[TextIO]):
    """A handler that tells a faulty line by its place; logging itself would print the line's arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        error = sys.exc_info()[1]
        with suppress(OSError, ValueError):
            told = where(error) if error else "an unknown fault"
            self.stream.write(f"a log line of {record.name} could not be written: {told}\n")


def note_request(record: logging.LogRecord) -> bool:
    """A filter that lets all through and writes the request at work on the record."""
    asked = _asked.get()
    if asked is not None:
        record.request_id, record.key_id, record.project = asked.request_id, asked.key, asked.project
    return True


_FIELDS: Final = {"request_id": "request_id", "key_id": "key", "project": "project"}
"""Attribute of a record → its name in a line."""


def _fields(record: logging.LogRecord) -> dict[str, str]:
    return {name: told for attribute, name in _FIELDS.items() if (told := getattr(record, attribute, ""))}


class PlainLines(logging.Formatter):
    """A log record as text for a person, redacted."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line itself, with its request behind it; a traceback follows on lines of its own."""
        told = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        return super().formatMessage(record) + (f" [{told}]" if told else "")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonLines(logging.Formatter):
    """A log record as one JSON object, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redact(record.stack_info)
        return json.dumps(line, ensure_ascii=False)


class Sparingly:
    """Lines of one kind, a few a second at most: what anybody can cause must not fill the log.

    The first line after a silence says how many were left out.  `burst` lines may come at once.
    """

    def __init__(
        self,
        log: logging.Logger,
        *,
        burst: int = 20,
        per_second: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._left = float(burst)
        self._since = clock()
        self._silent = 0
        self._lock = threading.Lock()

    def warn(self, message: str, *arguments: object) -> None:
        """Log a warning, or count it."""
        silent = self.admit()
        if silent is not None:
            more = f" ({silent} more before it were not logged)" if silent else ""
            self._log.warning(message + more, *arguments)

    def admit(self) -> int | None:
        """Whether a line may be written now: None, or how many before it were not."""
        with self._lock:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._since) * self._per_second)
            self._since = now
            if self._left < 1:
                self._silent += 1
                return None
            self._left -= 1
            silent, self._silent = self._silent, 0
            return silent
