"""A user's program with one peer and without us: makes the cases, exports OTLP, and says which span belongs to which.

    python -m tests.dialects.program PEER VENDOR…

Prints a line of JSON for each case: when it ran and which entries of the emulator's ledger are its own.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import sys
import time
import urllib.request
from typing import Any

from . import cases, pydantic_cases
from .cases import Case, use
from .peers import SWITCHES


def main() -> int:
    """Exit code 0 where every case was tried."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=SWITCHES)
    parser.add_argument("vendors", nargs="+", choices=cases.CASES)
    given = parser.parse_args()
    origins: dict[str, str] = json.loads(os.environ["DIALECTS_ORIGINS"])
    exporter = use("opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter")()
    tracers = use("opentelemetry.sdk.trace:TracerProvider")()
    tracers.add_span_processor(use("opentelemetry.sdk.trace.export:BatchSpanProcessor")(exporter))
    if not given.peer.startswith("logfire"):  # it brings tracers of its own
        use("opentelemetry.trace").set_tracer_provider(tracers)
    SWITCHES[given.peer](tracers)
    program = pydantic_cases.CASES if given.peer == "pydantic_ai" else cases.CASES
    with asyncio.Runner() as loop:  # one for all, because some SDKs keep a client from call to call
        for vendor in given.vendors:
            for case in program[vendor](origins[vendor]):
                _run(case, origins[vendor], loop)
    use("opentelemetry.trace").get_tracer_provider().force_flush()
    return 0


def _run(case: Case, origin: str, loop: asyncio.Runner) -> None:
    before = set(_serials(origin))
    begin = time.time_ns()
    error = ""
    try:
        result = case.run()
        if inspect.isawaitable(result):
            loop.run(_wait(result))
    except Exception as failure:  # noqa: BLE001  # the run has to say which case a peer breaks
        error = f"{type(failure).__name__}: {failure}"
    end = time.time_ns()
    served = [serial for serial in _serials(origin) if serial not in before]
    line: dict[str, Any] = {"vendor": case.vendor, "case": case.name, "begin": begin, "end": end, "serials": served}
    line |= {"finish": case.finish, "tier": case.tier, "error": error}
    sys.stdout.write(json.dumps(line) + "\n")


async def _wait(result: Any) -> None:
    await result


def _serials(origin: str) -> list[int]:
    with urllib.request.urlopen(f"{origin}/ledger") as answer:  # noqa: S310  # on 127.0.0.1
        return [entry["serial"] for entry in json.load(answer)["calls"]]


if __name__ == "__main__":
    sys.exit(main())
