"""The demo's processes: each with a log file, started, watched, and always ended."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TAIL_LINES = 15
_POLL = 0.05


class DemoError(Exception):
    """A step of the demo failed; the text has the end of that process's log."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running process of the demo."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def failed(self, what: str) -> DemoError:
        """An error about this process, with what it said last."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        tail = "\n  ".join(lines) or "(it said nothing)"
        return DemoError(f"the {self.name} {what}.  The end of {self.log}:\n  {tail}")

    def ready(self, file: Path, patience: float = 30.0) -> dict[str, Any]:
        """What the process wrote in its ready file, once it is there; DemoError if it ends or takes too long."""
        deadline = time.monotonic() + patience
        while not file.exists():
            self.check_running()
            if time.monotonic() > deadline:
                raise self.failed(f"was not ready after {patience:.0f} s")
            time.sleep(_POLL)
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return said

    def check_running(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise self.failed(f"ended by itself with exit code {code}")

    def finish(self, patience: float) -> None:
        """Wait for its end; DemoError if that is late or not a success."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise self.failed(f"did not end within {patience:.0f} s") from None
        if code != 0:
            raise self.failed(f"failed with exit code {code}")


@contextmanager
def started(name: str, command: Sequence[str], env: Mapping[str, str], folder: Path) -> Iterator[Child]:
    """A process for the length of the block; what is still running at its end is told to stop, then made to."""
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603  # our own programs, no shell
            command, env=dict(env), stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        yield Child(name, process, log)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
