"""`otel-llm-cost keys`: who may write to a collector, and who may ask it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.table import Column, Table
from rich.text import Text

from otel_llm_cost_exporter.access.files import VARIABLE, KeysError, change, keys_file, read
from otel_llm_cost_exporter.access.keys import Key, mint, split

from .output import CommandError, JsonOption, console, emit

_AGE: Final = re.compile(r"(\d{1,5})([dh])")
_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1)}

app = typer.Typer(help="API keys: who may write to the collector, and for which project.", no_args_is_help=True)

KeysOption = Annotated[Path | None, typer.Option("--keys", envvar=VARIABLE, help="The file with the API keys.")]


@app.command()
def create(
    project: Annotated[str, typer.Option(help="The project that the calls of this key belong to.")],
    may_name: Annotated[
        str, typer.Option(help="Other projects that its calls may name: a,b, or * for any.", metavar="a,b|*")
    ] = "",
    may_read: Annotated[bool, typer.Option("--read", help="A key to ask with, not to write.")] = False,
    may_write: Annotated[bool, typer.Option("--write", help="With --read: a key for both.")] = False,
    rate: Annotated[
        float | None, typer.Option(help="Spans per second that it may send; no limit if not given.")
    ] = None,
    expires: Annotated[str, typer.Option(help="When it ends: 90d, 12h, or a date (UTC).")] = "",
    note: Annotated[str, typer.Option(help="Who uses it, for the list.")] = "",
    keys: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key.  It is shown once, and only its hash is kept."""
    path, now = _file(keys), datetime.now(UTC)
    identity, digest, secret = mint()
    try:
        key = Key(
            id=identity,
            digest=digest,
            project=project.strip(),
            created_at=now,
            may_name=_projects(may_name),
            may_read=may_read,
            may_write=may_write or not may_read,
            note=note,
            rate=rate,
            expires_at=_end(expires, now),
        )
    except ValueError as error:
        raise CommandError(str(error)) from None
    change(path, lambda there: (*there, key))
    header = f"OTEL_EXPORTER_OTLP_HEADERS=authorization={quote(f'Bearer {secret}')}"
    if as_json:
        emit({"key": secret, "environment": header, **_shown(key, now)}, as_json, Text)
    else:  # in whole lines, to be copied
        console.print(_created(key, secret, header), soft_wrap=True)


@app.command("list")
def list_keys(keys: KeysOption = None, as_json: JsonOption = False) -> None:
    """Every key, in force or not; none of them can be shown again."""
    path, now = _file(keys), datetime.now(UTC)
    shown = [_shown(key, now) for key in read(path)]
    emit(shown, as_json, lambda: _table(shown, path))


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the key, as `keys list` shows it.")],
    keys: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a key out of force; a running collector refuses it within about a second."""
    path, now = _file(keys), datetime.now(UTC)
    form = split(key_id)
    identity = form[0] if form else key_id
    changed: list[Key] = []

    def edit(there: tuple[Key, ...]) -> tuple[Key, ...]:
        changed.extend(_revoked(key, now) for key in there if key.id == identity)
        if not changed:
            raise CommandError(f"{path} has no key with that id: `otel-llm-cost keys list` shows those that there are.")
        return tuple(changed[0] if key.id == identity else key for key in there)

    change(path, edit)
    told = Text(
        f"Key {identity} of project {changed[0].project} is revoked since {changed[0].revoked_at:%Y-%m-%d %H:%M} UTC."
    )
    emit(_shown(changed[0], now), as_json, lambda: told)


def _file(option: Path | None) -> Path:
    path = keys_file(option)
    if path is None:
        raise KeysError(f"there is no home directory to keep API keys in: name a file with --keys or ${VARIABLE}.")
    return path


def _revoked(key: Key, now: datetime) -> Key:
    return key if key.revoked_at else replace(key, revoked_at=now)


def _projects(said: str) -> tuple[str, ...] | None:
    """The projects of `--may-name`, None for any."""
    named = tuple(dict.fromkeys(filter(None, (name.strip() for name in said.split(",")))))
    if "*" in named and len(named) > 1:
        raise CommandError("--may-name: either * or the names of projects, not both.")
    return None if named == ("*",) else named


def _end(said: str, now: datetime) -> datetime | None:
    """When a key ends, by its age or as a date; a date ends as it begins."""
    if not said:
        return None
    if age := _AGE.fullmatch(said):
        end = now + int(age[1]) * _UNITS[age[2]]
    else:
        try:
            end = datetime.fromisoformat(said)
        except ValueError:
            raise CommandError(
                f"--expires: 90d, 12h or a date such as 2027-01-31 expected, not {said[:50]!r}."
            ) from None
        end = end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)
    if end <= now:
        raise CommandError(f"--expires: {end:%Y-%m-%d %H:%M} UTC is over already.")
    return end


def _shown(key: Key, now: datetime) -> dict[str, Any]:
    """What may be told of a key."""
    return {
        "id": key.id,
        "project": key.project,
        "may_name": "*" if key.may_name is None else list(key.may_name),
        "may": [name for name, may in (("write", key.may_write), ("read", key.may_read)) if may],
        "rate": key.rate,
        "note": key.note,
        "state": key.state(now),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _created(key: Key, secret: str, header: str) -> Text:
    lines = [f"Key {key.id} for project {key.project}. It is shown this once:", "", secret, ""]
    if key.may_write:
        lines += ["For a program with any OpenTelemetry SDK:", "", header, ""]
    if key.may_read:
        lines += [f"For the query endpoint: user {key.id}, password the key.", ""]
    lines.append(f"Take it back with: otel-llm-cost keys revoke {key.id}")
    return Text("\n".join(lines))


def _table(shown: list[dict[str, Any]], path: Path) -> Table:
    table = Table(Column("id", no_wrap=True), "project", "may name", "may", "spans/s", "expires", "state", "note")
    table.caption = str(path) if shown else f"{path}: no keys yet. Run: otel-llm-cost keys create --project NAME"
    for key in shown:
        names = key["may_name"] if key["may_name"] == "*" else ", ".join(key["may_name"])
        rate = "" if key["rate"] is None else f"{key['rate']:g}"
        ends = f"{key['expires_at']:%Y-%m-%d}" if key["expires_at"] else ""
        cells = (key["id"], key["project"], names, ", ".join(key["may"]), rate, ends, key["state"], key["note"])
        table.add_row(*(Text(cell) for cell in cells))
    return table
