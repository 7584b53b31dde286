"""What `prices diff`, `update`, `check` and `validate` print for eyes; the JSON has all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.markup import escape

from .prices_tables import files_lines, table

_MOST_ROWS: Final = 200
_MOST_NAMES: Final = 30


def diff_table(told: Mapping[str, Any]) -> RenderableType:
    """Changed rates, new models, gone models."""
    sides = " → ".join(f"{told[side]['source']} on {told[side]['date']}" for side in ("from", "to"))
    if not (told["changed"] or told["new"] or told["gone"]):
        return escape(f"{sides}: nothing changed")
    rows = [
        (
            change["provider"],
            change["model"],
            change["context"],
            _bucket(change),
            change["old"] or "?",
            change["new"] or "?",
            change["per"],
            _percent(change["percent"]),
        )
        for change in told["changed"]
    ]
    columns = ("provider", "model", "for", "bucket", "old", "new", "USD per", "%")
    return Group(*_changed(columns, rows, sides), *_names("new", told["new"]), *_names("gone", told["gone"]))


def _changed(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> list[RenderableType]:
    shown = [table(columns, rows[:_MOST_ROWS], title=title, right=("old", "new", "ours", "theirs", "%"))]
    return [*shown, *_more(len(rows) - _MOST_ROWS)]


def _more(count: int) -> list[RenderableType]:
    return [f"… and {count} more: --json, or --provider"] if count > 0 else []


def _names(what: str, models: Sequence[Mapping[str, str]]) -> list[RenderableType]:
    """`3 new: openai gpt-6, …`"""
    if not models:
        return []
    names = ", ".join(f"{model['provider']} {model['model']}" for model in models[:_MOST_NAMES])
    return [escape(f"{len(models)} {what}: {names}" + ", …" * (len(models) > _MOST_NAMES))]


def update_table(told: Mapping[str, Any]) -> RenderableType:
    """Which prices are in force, what was done, and what that changes."""
    rows = [
        ("packaged", f"{told['packaged']} ({told['packaged_date']})"),
        ("installed", told["installed"] or "not installed"),
        ("updated file", told["updated"] or "none"),
        ("in use", told["in_use"] or "none"),
    ]
    parts: list[RenderableType] = [table(("what", "version"), rows, title="price data"), files_lines(told["files"])]
    parts += [escape(told["problem"])] if told["problem"] else []
    return Group(*parts, *_done(told))


def _done(told: Mapping[str, Any]) -> list[RenderableType]:
    if told["removed"]:
        return [escape(f"removed {told['removed']}, which was damaged; the packaged data is as new as any on offer")]
    if told["changes"] is None:
        return [escape(f"{told['offered'] or 'nothing'} is on offer, which is not newer. {_FURTHER}")]
    written = f"wrote {told['written']}" if told["written"] else "nothing was written (--dry-run)"
    changes = told["changes"]
    counts = ", ".join(f"{len(changes[key])} {what}" for key, what in _COUNTED.items())
    return [diff_table(changes), escape(f"{told['offered']}: {counts}; {written}")]


_FURTHER: Final = "To ask the package index: otel-llm-cost prices update --download"
_COUNTED: Final = {"changed": "rates changed", "new": "models new", "gone": "models gone"}


def drift_table(told: Mapping[str, Any]) -> RenderableType:
    """What agrees, what differs, what one side lacks."""
    rows = [
        (
            rate["provider"],
            rate["model"],
            rate["served"],
            _bucket(rate),
            rate["ours"] or "?",
            rate["theirs"] or "?",
            rate["per"],
            _percent(rate["percent"]),
        )
        for rate in told["differing"]
    ]
    columns = ("provider", "model", "for", "bucket", "ours", "theirs", "USD per", "%")
    title = f"{told['ours']} and {told['theirs']} on {told['date']}"
    missing, ours, theirs = (len(told[key]) for key in ("only_they_have_a_rate", "only_ours", "only_theirs"))
    counts = (
        f"{told['agreeing']} rates agree, {len(told['differing'])} differ, {missing} only they have for models"
        f" that both know; {ours} models only we know, {theirs} only they"
    )
    once = list(dict.fromkeys(rows))  # one model of ours may be several of theirs
    return Group(*_changed(columns, once, title), counts)


def _bucket(row: Mapping[str, Any]) -> str:
    return str(row["bucket"]) + (f" above {row['above']:,}" if row["above"] else "")


def _percent(percent: object) -> str:
    return "" if percent is None else f"{percent:+}"
