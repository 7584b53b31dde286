"""The providers on 127.0.0.1: `with Emulator() as e` in a test, `python -m …demo.emulator` for the demo."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .office import Office
from .reply import to_json
from .server import Server
from .vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .ledger import Entry

log = logging.getLogger(__name__)


class Emulator:
    """Three providers for tests: `with Emulator() as e: OpenAI(base_url=e.base_url, api_key="any")`.

    Each provider has a port of its own, because only host and port tell a caller's instrumentation who is behind a
    local address; any of the ports would answer for all.  `scripts` maps a model's name to what goes wrong with it
    (see `scripts.SCRIPTS`).
    """

    def __init__(self, port: int = 0, scripts: Mapping[str, str] | None = None) -> None:
        self._office = Office(scripts or {})
        ports = (port, *(0 for _ in VENDORS[1:]))
        self._servers = [Server(("127.0.0.1", each), self._office) for each in ports]
        self._threads = [
            threading.Thread(target=s.serve_forever, kwargs={"poll_interval": 0.02}, name="emulator", daemon=True)
            for s in self._servers
        ]

    @property
    def origins(self) -> dict[str, str]:
        """Provider, as in `gen_ai.provider.name` → where it is."""
        ports = (int(server.server_address[1]) for server in self._servers)
        return {vendor.NAME: f"http://127.0.0.1:{port}" for vendor, port in zip(VENDORS, ports, strict=True)}

    @property
    def port(self) -> int:
        """OpenAI's."""
        return int(self._servers[0].server_address[1])

    @property
    def base_url(self) -> str:
        """OpenAI's, as its SDK takes it."""
        return f"{self.origins['openai']}/v1"

    @property
    def ledger(self) -> tuple[Entry, ...]:
        """Every answered request so far, in the order of arrival."""
        return self._office.ledger.entries

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Break what is still open, and wait for every thread to end."""
        for server in self._servers:
            server.shutdown()
            server.hang_up()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _script(text: str) -> tuple[str, str]:
    model, separator, name = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError("expected MODEL=SCRIPT")
    return model, name


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="emulator", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="OpenAI's; 0 picks a free one")
    parser.add_argument("--ready-file", type=Path, help="JSON {port, base_url, origins, pid}, written when it serves")
    parser.add_argument("--script", type=_script, action="append", default=[], metavar="MODEL=SCRIPT")
    options = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with Emulator(options.port, dict(options.script)) as emulator:
        _announce(options.ready_file, emulator)
        done.wait()


def _announce(ready_file: Path | None, emulator: Emulator) -> None:
    if ready_file is None:
        log.warning("serving on %s", emulator.origins)
        return
    aside = ready_file.with_suffix(".tmp")
    said = {"port": emulator.port, "base_url": emulator.base_url, "origins": emulator.origins, "pid": os.getpid()}
    aside.write_bytes(to_json(said))
    aside.rename(ready_file)  # complete or not there at all


if __name__ == "__main__":
    main()
