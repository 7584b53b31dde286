"""The fields of an overlay's entry, read and checked.

A reader takes a value and its `Place`, and tells the place of every fault that it meets instead of stopping at the
first: whoever mends a file wants to know all of them.  A place is a path into the plain objects that the overlay was
given as; whoever read those from a file knows which line that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from .buckets import FEES, INDEX
from .money import PER_MILLION, PER_THOUSAND, decimal, parse
from .names import PROVIDERS

Path = tuple[str | int, ...]
"""Keys and indices from the top of an overlay, such as ("entries", 3, "rates", "input")."""

CONTEXT: Final = ("service_tier", "batch", "speed", "region")
TOKENS: Final = tuple(name for name in INDEX if name not in FEES)


class Problem(NamedTuple):
    """What is wrong with an overlay, where, and what to do.  `at_key`: it is the name there, not its value."""

    path: Path
    message: str
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an overlay one is, and the list of all that was found wrong with it."""

    path: Path
    problems: list[Problem]

    def into(self, key: str | int) -> Place:
        return Place((*self.path, key), self.problems)

    def wrong(self, message: str) -> None:
        self.problems.append(Problem(self.path, message))

    def unknown(self, what: str, name: object, known: Iterable[str]) -> None:
        """A name that is none of those known, with the one that may be meant."""
        message = f"unknown {what} {str(name)!r}; {meant(name, known)}"
        self.problems.append(Problem((*self.path, str(name)), message, at_key=True))


def meant(name: object, known: Iterable[str]) -> str:
    """What to write instead of a name that is none of those known."""
    choices = list(known)
    near = get_close_matches(str(name), choices, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(choices)}"


def entry_fields(raw: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """An entry's fields, each as `overlay.Entry` has it; those that are wrong are left out and told."""
    out: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in _READERS:
            place.unknown("field", name, _READERS)
        else:
            out[name] = _READERS[name](value, place.into(name))
    for name in ("provider", "model"):
        if name not in raw:
            place.wrong(f"the field {name!r} is missing")
    _agree(raw, out, place)
    return out


_SAYS: Final = ("rates", "tiers", "fees", "once_per_call", "multiplier", "backdate")
_ALONE: Final = {
    "same_as": ((*_SAYS, "context"), "the price is that of the other model; put {} in a second entry for this model"),
    "backdate": (("rates", "tiers", "fees", "multiplier"), "it takes the data's own rates; put {} in a second entry"),
}
_NEEDS: Final = {"applies_to": "multiplier", "fills_gap": "context", "backdate": "context"}


def _agree(raw: Mapping[str, Any], read: Mapping[str, Any], place: Place) -> None:
    """Fields that are each right and together are not."""
    if not raw.keys() & {*_SAYS, "same_as"}:
        place.wrong(f"it says nothing: one of {', '.join((*_SAYS, 'same_as'))} is needed")
    for name, (others, why) in _ALONE.items():
        for other in others if raw.get(name) else ():
            if raw.get(other):
                place.into(other).wrong(f"is not used beside {name!r}: {why.format(repr(other))}")
    for name, needed in _NEEDS.items():
        if raw.get(name) and not raw.get(needed):
            place.into(name).wrong(f"does nothing without {needed!r}")
    first, last = read.get("valid_from"), read.get("valid_to")
    if first is not None and last is not None and last <= first:
        place.into("valid_to").wrong(
            f"no day is from {first} on and before {last}: valid_to is the first day no longer"
        )


def _text(value: Any, place: Place) -> str | None:
    if isinstance(value, str) and value.strip():
        return value.strip()
    place.wrong("expected text" + ("" if isinstance(value, str | dict | list) else f": put {value!r} in quotes"))
    return None


def _lower(value: Any, place: Place) -> str | None:
    text = _text(value, place)
    return text and text.lower()


def _provider(value: Any, place: Place) -> str | None:
    name = _lower(value, place)
    return name and PROVIDERS.get(name, name)


def _flag(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        place.wrong("expected true or false")
    return value is True


def _day(value: Any, place: Place) -> date | None:
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError):
        place.wrong("expected a day that there is, such as 2026-11-20")
        return None


def _members(value: Any, place: Place, what: str) -> Iterable[tuple[Any, Any]]:
    """Names and values of an object that has some."""
    if isinstance(value, dict) and value:
        return value.items()
    place.wrong(f"expected an object of {what}")
    return ()


def _context(value: Any, place: Place) -> dict[str, str]:
    out: dict[str, str] = {}
    for name, asked in _members(value, place, ", ".join(CONTEXT)) if value != {} else ():
        if name not in CONTEXT:
            place.unknown("context", name, CONTEXT)
        elif name != "batch":
            out[name] = _lower(asked, place.into(name)) or ""
        elif _flag(asked, place.into(name)):
            out[name] = "true"
    return out


def _amount(value: Any, place: Place, shift: int) -> int | None:
    """Pico-dollars a unit.  A whole number may stand as such; a float has lost what was written."""
    if isinstance(value, float):
        place.wrong(f'a float is not exact: write it as text, "{value}"')
        return None
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and text.startswith("-"):
        place.wrong("a price is not negative")
        return None
    try:
        return parse(text, shift)
    except ValueError as error:
        place.wrong(f"{error}, not {text!r}" if isinstance(text, str) else str(error))
        return None


def _priced(buckets: Iterable[str], shift: int, unit: str) -> Callable[[Any, Place], dict[str, int]]:
    """A reader of prices by bucket; `shift` brings their unit to one."""
    allowed = tuple(buckets)

    def read(value: Any, place: Place) -> dict[str, int]:
        out: dict[str, int] = {}
        for name, price in _members(value, place, f"prices by bucket, in USD per {unit}"):
            if name in allowed:
                amount = _amount(price, place.into(name), shift)
                if amount is not None:
                    out[name] = amount
            elif name in INDEX:
                place.into(name).wrong(f"{name!r} belongs in {'fees' if name in FEES else 'rates'!r}")
            else:
                place.unknown("bucket", name, allowed)
        return out

    return read


_rates: Final = _priced(TOKENS, PER_MILLION, "million tokens")
_fees: Final = _priced((name for name in INDEX if name in FEES), PER_THOUSAND, "1,000 requests")


def _tiers(value: Any, place: Place) -> tuple[tuple[int, dict[str, int]], ...]:
    if not isinstance(value, list) or not value:
        place.wrong('expected a list of {"above": TOKENS, "rates": {…}}')
        return ()
    tiers = [_tier(tier, place.into(i)) for i, tier in enumerate(value)]
    starts = [above for above, _ in tiers]
    if 0 not in starts and starts != sorted(set(starts)):
        place.wrong("the tiers' 'above' must rise from one to the next")
    return tuple(tiers)


def _tier(value: Any, place: Place) -> tuple[int, dict[str, int]]:
    if not isinstance(value, dict):
        place.wrong('expected {"above": TOKENS, "rates": {…}}')
        return 0, {}
    for name in value.keys() - {"above", "rates"}:
        place.unknown("field", name, ("above", "rates"))
    above = value.get("above")
    if type(above) is not int or above <= 0:
        (place.into("above") if "above" in value else place).wrong("expected a whole number of tokens in 'above'")
        above = 0
    if "rates" not in value:
        place.wrong("the field 'rates' is missing")
        return above, {}
    return above, _rates(value["rates"], place.into("rates"))


def _multiplier(value: Any, place: Place) -> tuple[int, int] | None:
    if isinstance(value, float):
        place.wrong(f'a float is not exact: write it as text, "{value}"')
        return None
    try:
        return decimal(str(value) if type(value) is int else value).as_integer_ratio()
    except ValueError:
        place.wrong('expected a factor, such as "0.9" for ten per cent off')
        return None


def _same_as(value: Any, place: Place) -> tuple[str, str] | None:
    provider, slash, model = (_text(value, place) or "").partition("/")
    if provider and model.strip():
        return PROVIDERS.get(provider.lower(), provider.lower()), model.strip()
    if slash or isinstance(value, str):
        place.wrong('expected "provider/model", such as "openai/gpt-4o"')
    return None


def _buckets(known: Iterable[str]) -> Callable[[Any, Place], frozenset[str]]:
    allowed = tuple(known)

    def read(value: Any, place: Place) -> frozenset[str]:
        if not isinstance(value, list) or not value:
            place.wrong(f"expected a list of buckets, of {', '.join(allowed)}")
            return frozenset()
        for i, name in enumerate(value):
            if name not in allowed:
                place.into(i).wrong(f"unknown bucket {name!r}; {meant(name, allowed)}")
        return frozenset(name for name in value if name in allowed)

    return read


def _remark(value: Any, place: Place) -> str:
    return value.strip() if isinstance(value, str) else (_text(value, place) or "")


_READERS: Final[dict[str, Callable[[Any, Place], Any]]] = {
    "provider": _provider,
    "model": _lower,
    "valid_from": _day,
    "valid_to": _day,
    "context": _context,
    "rates": _rates,
    "tiers": _tiers,
    "fees": _fees,
    "once_per_call": _buckets(FEES),
    "multiplier": _multiplier,
    "applies_to": _buckets(INDEX),
    "fills_gap": _flag,
    "backdate": _flag,
    "same_as": _same_as,
    "source": _remark,
    "note": _remark,
}
