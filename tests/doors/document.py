"""The document: how it is read, and the tables of what was seen."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final, NamedTuple

from otel_llm_cost import attributes as names
from otel_llm_cost.attributes import USAGE_NAMES

from .appendix import compatible_hosts, elsewhere, unseen
from .cells import ANSWER, CACHE, KINDS, REASONING, TIER, TOKENS, TOOLS, Cells, Group, cells, provider
from .kits import Kit
from .labels import Label, label
from .markdown import heading, line
from .observe import Walk

_HEADS: Final = Cells(
    "Seen as",
    "Answer",
    "Tokens",
    "Cache",
    "Reasoning",
    "Modality",
    "Tools",
    "Tier",
    "First chunk",
    "Error",
    "Retries",
    "Cut stream",
)

_INTRO = """\
# What is seen

Is my call seen, and what of it? Find the SDK, then the method you call and the way you read its answer.

Everything in the tables was observed: each row was called through the real SDK on a wire in memory, and each cell says
what the span held that came out. Make it anew with `make coverage`; `make check` fails where it is out of date.

## How to read it

Each call has one span and is measured in the metrics. A row holds the ways of calling that say the same. `create()` is
a method as you call it; `→ json()` is how its answer is read, where an SDK offers several ways. Where the same call
has two rows, what it asks for tells them apart, or the name of its test in brackets.

| cell | |
|---|---|
| ✓, or words | captured |
| – | there is nothing to capture: the answer that was given does not say it, or the column does not apply |
| ✗ | the answer said it and the span does not |
| not billed | no tokens are billed for this call: they were only counted, or were billed when they were made |
| ~ | marked as an estimate: the provider never got to say it, or not its last word |
| an error | the SDK reads this stream to its end at once, so that a break is the error of the call |

| column | what it says | on the span |
|---|---|---|
"""


class Row(NamedTuple):
    """The ways through one door that say the same."""

    doors: tuple[str, ...]
    modes: str
    cells: Cells
    ways: tuple[tuple[Label, str], ...]
    """Each with the name that its test gives it."""
    about: str = ""


def rows(walks: Iterable[Walk]) -> dict[str, list[Row]]:
    """Title of a table → its rows, in the order of the tests."""
    tables: dict[str, dict[tuple[str, str, Cells, str], list[tuple[Label, str]]]] = {}
    for (kit, name), both in groupby(walks, lambda walk: (walk.kit, walk.way.name)):
        taken = list(both)
        found = {walk.asynchronous: cells(walk) for walk in taken}
        path = label(taken[0].way)
        for modes, told in _modes(found):
            key = (_door(kit, path), modes, told, kit.about)
            tables.setdefault(kit.title, {}).setdefault(key, []).append((path, name))
    return {title: _merged(_sorted(table)) for title, table in tables.items()}


def _door(kit: Kit, path: Label) -> str:
    return path.door if kit.client == "client" else f"{kit.client}().{path.door}"


def _modes(found: dict[bool, Cells]) -> Iterator[tuple[str, Cells]]:
    if found[False] == found[True]:
        yield "sync+async", found[False]
    else:
        yield "sync", found[False]
        yield "async", found[True]


def _sorted(table: Mapping[tuple[str, str, Cells, str], list[tuple[Label, str]]]) -> list[Row]:
    """The rows of a door together, doors in the order in which they first come."""
    listed = [Row((door,), modes, told, tuple(ways), about) for (door, modes, told, about), ways in table.items()]
    order = list(dict.fromkeys(row.doors for row in listed))
    return sorted(listed, key=lambda row: order.index(row.doors))


def _merged(table: list[Row]) -> list[Row]:
    """Doors that have the same ways, which say the same, in one row."""
    found: dict[Hashable, Row] = {}
    for row in table:
        alike = (row.modes, row.cells, tuple((path.call, path.reading) for path, _ in row.ways), row.about)
        earlier = found.get(alike)
        found[alike] = row if earlier is None else earlier._replace(doors=(*earlier.doors, *row.doors))
    return list(found.values())


def document(walks: list[Walk]) -> str:
    """All of it."""
    parts = [_INTRO + _columns()]
    for title, table in rows(walks).items():
        parts.append(f"## {title}\n\n{_named([walk for walk in walks if walk.kit.title == title])}\n\n{_table(table)}")
    return "\n".join([*parts, elsewhere(), unseen(), compatible_hosts()])


# -- the tables


def _named(walks: list[Walk]) -> str:
    """Which provider the spans name; by client, where it depends on that."""
    clients = {walk.kit.client: provider(walk) for walk in walks}
    if len(clients) == 1:
        return f"Named `{provider(walks[0])}`."
    by_name = {name: [f"`{c}`" for c, named in clients.items() if named == name] for name in clients.values()}
    return "\n".join(f"- {', '.join(found)}: named `{name}`" for name, found in by_name.items())


def _table(table: list[Row]) -> str:
    lines = heading("Door", "Ways", "Client", *_HEADS)
    lines += [line([_doors(row), _ways(row, table), row.modes, *row.cells]) for row in table]
    return "\n".join(lines) + "\n"


def _ways(row: Row, table: list[Row]) -> str:
    """Each call once, with its readings."""
    others = [way for other in table if set(other.doors) & set(row.doors) and other is not row for way, _ in other.ways]
    readings: dict[str, list[str]] = {}
    for path, name in row.ways:
        readings.setdefault(_told(path, name, others), []).append(path.reading)
    return "<br>".join(_call(call, found) for call, found in readings.items())


def _told(path: Label, name: str, others: list[Label]) -> str:
    """A call that another row has too is told by what it asks for, or else by its test's name."""
    if path.call not in [other.call for other in others if other.reading == path.reading]:
        return f"{path.call}`"
    clash = path in others
    return f"{path.detailed}` ({name})" if clash else f"{path.detailed}`"


def _doors(row: Row) -> str:
    return f"{', '.join(f'`{door}`' for door in row.doors)} {row.about}".rstrip()


def _call(call: str, readings: list[str]) -> str:
    told = [f"`{reading}`" for reading in dict.fromkeys(readings) if reading]
    return f"`{call} → {' or '.join(told)}" if told else f"`{call}"


def _columns() -> str:
    said = {
        "seen as": ("the operation", [names.OPERATION]),
        "answer": ("whose answer, and why it ended", [name for _, name in ANSWER]),
        "tokens": ("in: with what a cache held; out: with reasoning", _names(TOKENS)),
        "cache": ("read; written, in all and by how long it is kept", _names(CACHE)),
        "reasoning": ("tokens of thought", _names(REASONING)),
        "modality": ("tokens by what they are of", _names(KINDS)),
        "tools": ("what the provider's own tools did; their input", _names(TOOLS)),
        "tier": ("the tier that served", [TIER]),
        "first chunk": ("seconds to the first chunk of a stream", [names.TIME_TO_FIRST_CHUNK]),
        "error": ("of a refused call: kind, class, status", [names.ERROR_TYPE, names.ERROR_CLASS, names.STATUS_CODE]),
        "retries": ("tries made, and an event for each that failed", [names.RESEND_COUNT, names.ATTEMPT_EVENT]),
        "cut stream": (
            "broken off or left early: how it ended, and the tokens that are known or estimated",
            [names.OUTCOME, USAGE_NAMES["estimated"], USAGE_NAMES["estimated_counts"]],
        ),
    }
    lines = [line([column, text, ", ".join(f"`{name}`" for name in held)]) for column, (text, held) in said.items()]
    return "\n".join(lines) + "\n"


def _names(group: Group) -> list[str]:
    return [USAGE_NAMES[field] for _, field in group]
