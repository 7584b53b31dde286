"""From a file's text to rows and numbers, exactly: no number passes through a float."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from typing import Any, Final, NamedTuple

from .records import HALF_A_CENT, ExportError

_DELIMITERS: Final = ",\t;"
_LONGEST_NUMBER: Final = 64
_WHOLE = re.compile(r"-?\d+(?:\.0*)?\Z")


class Place(NamedTuple):
    """A row of a table or an object of a document, with the place to name when it is wrong."""

    where: str
    fields: Mapping[str, Any]

    def need(self, *names: str) -> Any:
        """The value of the first of these names that there is."""
        for name in names:
            if name in self.fields:
                return self.fields[name]
        raise ExportError(
            f"{self.where}: {' or '.join(names)} is missing.  It has {', '.join(sorted(self.fields)) or 'nothing'}:"
            " export again with that column, and give the file as it was downloaded."
        )

    def inside(self, name: str) -> Place:
        """The object in a field; an empty one where there is none."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise ExportError(f"{self.where}: {name} is {str(value)[:40]!r}, expected an object.  Export it again.")
        return Place(self.where, value or {})

    def text(self, name: str) -> str | None:
        """A text, None where there is none."""
        value = self.fields.get(name)
        return str(value).strip() or None if value is not None else None

    def count(self, *names: str) -> int:
        """A whole number, 0 where the field is empty or not there."""
        return self.count_if(*names) or 0

    def count_if(self, *names: str) -> int | None:
        """A whole number (spreadsheets write 3 as 3.0), None where the field is empty or not there."""
        value = next((self.fields[name] for name in names if self.fields.get(name) not in (None, "")), None)
        if value is None:
            return None
        text = str(value).strip()
        if isinstance(value, bool) or len(text) > _LONGEST_NUMBER or not _WHOLE.match(text) or text[:1] == "-":
            raise ExportError(f"{self.where}: {names[0]} is {text[:40]!r}, expected a whole number.  Export it again.")
        return int(text.partition(".")[0])

    def flag(self, name: str) -> bool | None:
        """True or false, None where neither is said."""
        said = str(self.fields.get(name, "")).strip().lower()
        return {"true": True, "1": True, "false": False, "0": False}.get(said)


def rows(name: str, text: str) -> list[Place]:
    """The rows of a CSV file, by its header (trimmed, lower case); lines are counted as an editor does."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text.split("\n", 1)[0]))
    try:
        names = [column.strip().lower() for column in next(reader, [])]
        return [
            Place(f"{name}:{reader.line_num}", dict(zip(names, cells, strict=False)))
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise ExportError(f"{name}:{reader.line_num}: {error}.  Give the file as it was downloaded.") from error


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def columns(text: str) -> frozenset[str]:
    """The header of a CSV file."""
    first = text.split("\n", 1)[0]
    return frozenset(name.strip().strip('"').lower() for name in first.split(_delimiter(first))) - {""}


def parsed(name: str, text: str) -> list[tuple[str, Any]]:
    """(where, document) of a JSON file, or of one with a document on each line; numbers as Decimal or int."""
    try:
        return [(name, _json(text))]
    except ValueError as whole:
        lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
        try:
            return [(f"{name}:{i}", _json(line)) for i, line in lines]
        except ValueError:
            raise _not_json(name, whole) from whole


def _not_json(name: str, error: ValueError) -> ExportError:
    line = getattr(error, "lineno", 1)
    return ExportError(f"{name}:{line}: not JSON: {error}.  Save the answer of the API as it is.")


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_constant=_no_number)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def money(place: Place, value: Any, name: str, shift: int = 12) -> tuple[int, int]:
    """An amount → (pico-dollars, half a unit of its last written place, at most half a cent).

    `shift` is 12 for dollars and 10 for cents.  An amount with more places than a pico-dollar has is the print of a
    float and is rounded to it.
    """
    try:
        amount = Decimal(str(value).strip().replace("$", "").replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount.adjusted()) > 15 or isinstance(value, bool):
        raise ExportError(f"{place.where}: {name} is {str(value)[:40]!r}, expected an amount.  Export it again.")
    with localcontext() as context:
        context.prec = 100
        pico = int(amount.scaleb(shift).to_integral_value(ROUND_HALF_EVEN))
    places = -int(amount.as_tuple().exponent)
    return pico, min(HALF_A_CENT, 5 * 10 ** (shift - places - 1) if places < shift else 1)


def moment(place: Place, value: Any, name: str) -> datetime:
    """Unix seconds, an RFC 3339 time or a day → the moment in UTC."""
    text = str(value).strip()
    try:
        if _WHOLE.match(text):
            return datetime.fromtimestamp(int(text.partition(".")[0]), UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ExportError(
            f"{place.where}: {name} is {text[:40]!r}, expected a time such as 2026-11-01.  Export it again."
        ) from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def group(place: Place, measures: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """All that sets a row apart from others of its bucket: whatever is not a measure, known to us or not."""
    left = frozenset(measures)
    return tuple(sorted(_flat(name, value) for name, value in place.fields.items() if name not in left))


def _flat(name: str, value: Any) -> tuple[str, str]:
    return name, "" if value is None else str(value)


def counted(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Classes that have anything."""
    return tuple((name, count) for name, count in pairs if count)


def days_between(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(ordinal)
