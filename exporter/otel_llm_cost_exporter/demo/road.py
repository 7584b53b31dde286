"""The whole road on one machine: emulator → program under `opentelemetry-instrument` → collector → store."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from otel_llm_cost_exporter.config import JOURNAL_VARIABLE, STORE_VARIABLE

from .ledger import Entry, read_entry
from .processes import Child, DemoError, started

_BAD_DAYS: Final = {
    "gpt-4.1-nano": "rate-limit",
    "gpt-4.1-mini": "server-error",
    "claude-opus-4-5": "rate-limit",
    "gemini-2.0-flash": "rate-limit",
}
"""What goes wrong at the providers while the example program runs."""
_SDKS: Final = ("openai", "anthropic", "google.genai")
_PATIENCE: Final = 120.0
_GLANCE: Final = 0.15
_SIGNALS: Final = ("OTEL_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_")
_HERE: Final = "127.0.0.1"


class Watcher(Protocol):
    """Whoever wants to see the demo at work."""

    def step(self, text: str) -> None: ...
    def seen(self, requests: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What happened at the provider, and since when."""

    began: datetime
    ledger: list[Entry]


def travel(dsn: str, folder: Path, watcher: Watcher) -> Journey:
    """Run the example program from end to end, its calls stored in `dsn`; raises DemoError.

    When this returns every process has ended and nobody holds the store.
    """
    if not any(map(_installed, _SDKS)):
        raise DemoError("the demo needs a provider's SDK.  Run: pip install 'otel-llm-cost[openai,embedded]'")
    began = datetime.now(UTC)
    watcher.step("three providers on this machine")
    with _emulator(folder) as emulator:
        origins: dict[str, str] = emulator.ready(folder / "emulator.json")["origins"]
        watcher.step("the collector on its store")
        with _collector(dsn, folder) as collector:
            port = int(collector.ready(folder / "collector.json")["grpc_port"])
            watcher.step("opentelemetry-instrument python app.py")
            with started("program", _program(), _program_env(origins, port), folder) as program:
                ledger = _watch(program, origins["openai"], watcher)
            watcher.step("the collector stores what it holds")
            collector.check_running()
            collector.process.terminate()
            collector.finish(_PATIENCE)
    return Journey(began=began, ledger=ledger)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package above it
        return False


def _emulator(folder: Path) -> AbstractContextManager[Child]:
    scripts = [word for model, script in _BAD_DAYS.items() for word in ("--script", f"{model}={script}")]
    module = "otel_llm_cost_exporter.demo.emulator"
    command = [sys.executable, "-m", module, "--ready-file", str(folder / "emulator.json"), *scripts]
    return started("emulator", command, os.environ, folder)


def _collector(dsn: str, folder: Path) -> AbstractContextManager[Child]:
    command = [sys.executable, "-m", "otel_llm_cost_exporter.cli", "serve"]
    command += ["--http-port", "0", "--grpc-port", "0", "--no-query", "--ready-file", str(folder / "collector.json")]
    # by the environment: a password in the arguments would show in every list of processes
    settings = {STORE_VARIABLE: dsn, JOURNAL_VARIABLE: str(folder / "journal")}
    return started("collector", command, _clean_env() | settings, folder)


def _program() -> list[str]:
    beside = Path(sys.executable).with_name("opentelemetry-instrument")
    launcher = str(beside) if beside.exists() else shutil.which("opentelemetry-instrument")
    if launcher is None:
        raise DemoError("opentelemetry-instrument is not installed.  Run: pip install opentelemetry-distro")
    return [launcher, sys.executable, str(example())]


def example() -> Path:
    """The example program: package data of an installed wheel, else the repository's folder."""
    packaged = Path(str(files("otel_llm_cost_exporter"))) / "examples" / "app.py"
    if packaged.is_file():
        return packaged
    in_repository = Path(__file__).parents[3] / "examples" / "app.py"
    if in_repository.is_file():
        return in_repository
    raise DemoError(f"the example program is neither at {packaged} nor at {in_repository}: reinstall otel-llm-cost.")


def _program_env(origins: Mapping[str, str], grpc_port: int) -> dict[str, str]:
    """What a user would set for a program of their own, and the emulator in the place of the providers.

    Behind one address there may be any provider: the addresses are named for who is there.
    """
    names = {urlsplit(origin).netloc: name for name, origin in origins.items()}
    return _clean_env() | {
        "OPENAI_BASE_URL": f"{origins['openai']}/v1",
        "OPENAI_API_KEY": "none-is-needed",
        "ANTHROPIC_BASE_URL": origins["anthropic"],
        "ANTHROPIC_API_KEY": "none-is-needed",
        "GOOGLE_GEMINI_BASE_URL": origins["gcp.gemini"],
        "GEMINI_API_KEY": "none-is-needed",
        "OTEL_LLM_COST_PROVIDER_HOSTS": ",".join(f"{host}={name}" for host, name in names.items()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{_HERE}:{grpc_port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "bicycle-shop",
        "OTEL_RESOURCE_ATTRIBUTES": "llm_cost.project=bicycle-shop,deployment.environment.name=demo",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": _other_instrumentations(),
    }


def _clean_env() -> dict[str, str]:
    """This environment without what would send the demo's traffic elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SIGNALS)}
    return kept | {"NO_PROXY": _HERE, "no_proxy": _HERE, "PYTHONUNBUFFERED": "1"}


def _other_instrumentations() -> str:
    """The demo shows our spans alone, whatever else is installed here."""
    return ",".join(
        sorted({p.name for p in entry_points(group="opentelemetry_instrumentor") if not p.name.startswith("llm_cost_")})
    )


def _watch(program: Child, origin: str, watcher: Watcher) -> list[Entry]:
    """The emulator's ledger at the program's end."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            program.process.wait(_GLANCE)
            break
        except subprocess.TimeoutExpired:
            watcher.seen(len(_ledger(origin)))
    program.finish(0.1)
    ledger = _ledger(origin)
    watcher.seen(len(ledger))
    return ledger


def _ledger(origin: str) -> list[Entry]:
    with closing(HTTPConnection(urlsplit(origin).netloc, timeout=10)) as connection:
        connection.request("GET", "/ledger")
        return [read_entry(call) for call in json.load(connection.getresponse())["calls"]]
