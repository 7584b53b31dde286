"""`otel-llm-cost dead-letters`: calls that were acknowledged and could not be stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from otel_llm_cost_exporter.config import JOURNAL_VARIABLE, journal_folder

from .output import DEFAULT_STORE, CommandError, JsonOption, StoreOption, console, emit

if TYPE_CHECKING:
    from otel_llm_cost_exporter.flush import DeadLetter, DeadLetters

app = typer.Typer(help="Calls that were acknowledged and could not be stored.", no_args_is_help=True)

JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", envvar=JOURNAL_VARIABLE, help="The collector's journal; default: beside the store."),
]
Names = Annotated[list[str] | None, typer.Argument(help="Names, as `list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command("list")
def show_list(store: StoreOption = DEFAULT_STORE, journal: JournalOption = None, as_json: JsonOption = False) -> None:
    """What could not be stored, when it came and why."""
    found = [_told(name, letter) for name, letter in _letters(store, journal).read()]
    emit(found, as_json, lambda: _table(found))


@app.command("show")
def show(name: str, store: StoreOption = DEFAULT_STORE, journal: JournalOption = None) -> None:
    """One of them as OTLP in JSON, with all that was sent; it may hold prompts."""
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415  # heavy
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415
        ExportTraceServiceRequest,
    )

    letter = dict(_letters(store, journal).read()).get(name)
    if letter is None:
        raise CommandError(_none_such(name))
    request = MessageToDict(ExportTraceServiceRequest.FromString(letter.entry.body))
    emit({**_told(name, letter), "request": request}, as_json=True, table=str)


@app.command("replay")
def replay(
    names: Names = None, every: All = False, store: StoreOption = DEFAULT_STORE, journal: JournalOption = None
) -> None:
    """Have the collector try again, now if it runs, else when it starts."""
    letters = _letters(store, journal)
    done = _each(letters, names, every, letters.mark)
    console.print(f"{done:,} to be tried again by the collector that has this journal.")


@app.command("remove")
def remove(
    names: Names = None, every: All = False, store: StoreOption = DEFAULT_STORE, journal: JournalOption = None
) -> None:
    """Give them up: these calls will never be in the store."""
    letters = _letters(store, journal)
    done = _each(letters, names, every, letters.remove)
    console.print(f"{done:,} removed.")


def _each(letters: DeadLetters, names: Sequence[str] | None, every: bool, do: Callable[[str], bool]) -> int:
    """Do something with each letter that was chosen; how many these are."""
    chosen = _chosen(letters, names, every)
    for name in chosen:
        if not do(name):
            raise CommandError(_none_such(name))
    return len(chosen)


def _letters(store: str, journal: Path | None) -> DeadLetters:
    from otel_llm_cost_exporter.flush import DeadLetters  # noqa: PLC0415  # heavy

    folder = journal or journal_folder(store)
    if not folder.is_dir():
        raise CommandError(
            f"there is no journal at {folder}.  Give the store of the collector with --store, or its journal with"
            " --journal."
        )
    return DeadLetters(folder / "dead")


def _chosen(letters: DeadLetters, names: Sequence[str] | None, every: bool) -> list[str]:
    if every == bool(names):
        raise CommandError("Give the names of the letters, or --all.")
    return [name for name, _ in letters.read()] if every else list(names or ())


def _none_such(name: str) -> str:
    return f"there is no dead letter {name!r}.  `otel-llm-cost dead-letters list` shows what there is."


def _told(name: str, letter: DeadLetter) -> dict[str, Any]:
    return {
        "name": name,
        "received_at": datetime.fromtimestamp(letter.entry.received_ns / 1e9, UTC),
        "project": letter.entry.sender.project,
        "spans": letter.spans,
        "why": letter.why,
    }


def _table(found: Sequence[dict[str, Any]]) -> Table | str:
    if not found:
        return "Nothing: every call that was acknowledged is stored, or is about to be."
    table = Table("name", "received at (UTC)", "trace id:span id", "why")
    for line in found:
        table.add_row(line["name"], f"{line['received_at']:%Y-%m-%d %H:%M:%S}", " ".join(line["spans"]), line["why"])
    return table
