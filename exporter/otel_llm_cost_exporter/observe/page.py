"""The table of metrics in docs/observe.md, from the instruments themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from otel_llm_cost_exporter.forward import ForwardCounts

from .instruments import INSTRUMENTS, Instrument
from .observer import Observer
from .readings import Calls, Journal, Machine, Queries, Readings, Received, Rollups, Stored

BEGIN: Final = "<!-- generated: metrics -->\n"
END: Final = "<!-- end -->\n"
_ONE: Final[Mapping[str, int]] = {"x": 1}
SAMPLE: Final = Readings(
    received=Received(requests=1, spans=1, rejected=1, refused=_ONE, duplicates=1),
    journal=Journal(
        spans=1, written_bytes=1, syncs=1, waiting_spans=1, waiting_bytes=1, capacity_bytes=1, damaged_bytes=1, lag=1.0
    ),
    stored=Stored(spans=1, batches=1, retries=1, last_flush=1.0, away=1.0, dead_letters=1, dead_letters_waiting=1),
    calls=Calls(seen=1, set_aside=_ONE, unpriced=1),
    forward=ForwardCounts(sent=1, dropped=_ONE, left_out=_ONE, waiting_spans=1, waiting_bytes=1),
    rollups=Rollups(drift=_ONE, checked=1.0, mended=1, copies=1),
    queries=Queries(answered=1, refused=_ONE),
    machine=Machine(memory_bytes=1, disk_free_bytes=1),
)
"""Readings in which nothing is unknown."""


def prometheus_names() -> dict[str, str]:
    """Description of a metric → its name as Prometheus is told it."""
    with Observer(lambda: SAMPLE) as observer:
        text = observer.render()[0].decode()
    return {family.documentation: family.samples[0].name for family in text_string_to_metric_families(text)}


def table() -> str:
    """The metrics as a table in Markdown."""
    names = prometheus_names()
    rows = ["| Prometheus | OpenTelemetry | kind | unit | meaning |", "|---|---|---|---|---|"]
    rows += [_row(instrument, names[instrument.description]) for instrument in INSTRUMENTS]
    return "\n".join(rows) + "\n"


def _row(instrument: Instrument, name: str) -> str:
    label = f"{{{instrument.label}}}" if instrument.label else ""
    unit = instrument.unit.strip("{}")
    return f"| `{name}{label}` | `{instrument.name}` | {instrument.kind} | {unit} | {instrument.description} |"


def written_into(page: str) -> str:
    """The page with its table as it is to be.  Raises ValueError where it has no place for one."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no {BEGIN.strip()} … {END.strip()} in the page")
    return f"{before}{begin}{table()}{end}{after}"
