"""A rate card: what each bucket costs for one model, on one day, served one way.  Integers only.

A bucket with no rate of its own is billed at that of the bucket it is a part of, as price pages mean it: reasoning
is output, a cached token with no discount is an input token, a picture is input unless listed.  Two exceptions.
Audio costs many times what text does, so with no rate for it there is no price (one vendor bills every modality
alike unless it says otherwise).  And a longer cache write costs more than the default, so billing it at the
default's rate is a guess and is marked.  So is a write of which nobody said how long it is kept, where that matters;
a cached token at the full rate, for a host that reports those and lists no discount; and a search with a model that has
two tools for it at two prices.

Some are guesses only for some usages (`CONDITIONAL`): output of unknown kind, where pictures cost more than text; audio
or pictures that may or may not have been in the cache, where that matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .buckets import BUCKETS, INDEX
from .money import Rate, Rates, step_of

RateRow = tuple[int | None, ...]

_PART_OF: Final = (
    ("input_image", ("input",)),
    ("cache_read", ("input",)),
    ("cache_write", ("input",)),
    ("cache_write_5m", ("cache_write",)),
    ("cache_write_30m", ("cache_write",)),
    ("cache_write_1h", ("cache_write",)),
    ("cache_write_12h", ("cache_write",)),
    ("reasoning", ("output",)),
    ("output_image", ("output",)),
    ("grounding", ("web_search",)),
)
_FULL_RATE: Final = (("cache_read", "input"), ("cache_read_audio", "input_audio"), ("cache_read_image", "input"))
CONDITIONAL: Final = frozenset(INDEX[name] for name in ("output", "input_audio", "input_image"))
"""Buckets that are a guess only where `Quantities.unsaid` has them, too."""
_TWO_SEARCHES: Final = re.compile(r"^(?:ft:)?gpt-4")
"""OpenAI's models that do not reason: web_search_preview costs more with them than web_search."""
_LONGER_WRITES: Final = ("cache_write_1h", "cache_write_12h")
_ONE_RATE_FOR_ALL: Final = frozenset({"google"})
"""Vendors whose price pages list audio only where it differs from text."""


@dataclass(frozen=True, slots=True)
class RateCard:
    """`rows[i]` holds for prompts of more than `starts[i]` tokens; a row is pico-dollars a unit in BUCKETS' order."""

    starts: tuple[int, ...]
    rows: tuple[RateRow, ...]
    guessed: frozenset[int] = frozenset()
    once: frozenset[int] = frozenset()
    expects_output: bool = True

    def row(self, prompt_tokens: int) -> RateRow:
        """The row that a prompt of this size pays."""
        found = self.rows[0]
        for start, row in zip(self.starts[1:], self.rows[1:], strict=True):
            if prompt_tokens > start:
                found = row
        return found

    @property
    def empty(self) -> bool:
        return not any(rate is not None for rate in self.rows[0])


def compile_card(provider: str, model: str, rates: Rates, once: frozenset[str] = frozenset()) -> RateCard:
    """Rates by bucket → a card with a row for every step of any rate."""
    complete, guessed = _completed(provider, rates)
    if provider == "openai" and "web_search" in complete and _TWO_SEARCHES.match(model):
        guessed.append("web_search")
    starts = tuple(sorted({0} | {start for rate in complete.values() for start, _ in rate}))
    rows = tuple(_row(complete, start) for start in starts)
    guessed += _conditional(rows)
    output = rows[0][INDEX["output"]]
    return RateCard(
        starts,
        rows,
        frozenset(INDEX[name] for name in guessed),
        frozenset(INDEX[name] for name in once),
        expects_output=bool(output) and "embed" not in model,
    )


def _conditional(rows: tuple[RateRow, ...]) -> Iterator[str]:
    """Buckets that are a guess where a usage does not say enough."""
    if any(row[INDEX["output"]] not in (None, row[INDEX["output_image"]]) for row in rows):
        yield "output"
    for kind in ("audio", "image"):
        if any(_saved(row, f"_{kind}") not in (None, _saved(row, "")) for row in rows):
            yield f"input_{kind}"


def _saved(row: RateRow, kind: str) -> int | None:
    """What a token costs less if it is from a cache."""
    fresh, cached = row[INDEX[f"input{kind}"]], row[INDEX[f"cache_read{kind}"]]
    return None if fresh is None or cached is None else fresh - cached


def _row(rates: Mapping[str, Rate], start: int) -> RateRow:
    return tuple(step_of(rates[name], start + 1) if name in rates else None for name in BUCKETS)


def _completed(provider: str, rates: Rates) -> tuple[dict[str, Rate], list[str]]:
    """Rates with the gaps filled that can be, and the names of those that are guesses."""
    out = {name: rate for name, rate in rates.items() if name in INDEX}
    guessed = [name for name in _LONGER_WRITES if name not in out and "cache_write" in out]
    if "cache_read" not in out:
        full = [(name, whole) for name, whole in _FULL_RATE if name not in out and whole in out]
        guessed += [name for name, whole in full if any(price for _, price in out[whole])]
    if out.get("cache_write_1h", out.get("cache_write")) != out.get("cache_write"):
        guessed.append("cache_write")
    discounted = [kind for kind in ("audio", "image") if "cache_read" in out or f"input_{kind}" in out]
    for kind in discounted:
        _fill(out, f"cache_read_{kind}", ("cache_read", f"input_{kind}"))
    if provider in _ONE_RATE_FOR_ALL:
        _fill(out, "input_audio", ("input",))
        _fill(out, "output_audio", ("output",))
    for name, wholes in _PART_OF:
        _fill(out, name, wholes)
    _fill(out, "cache_read_image", ("cache_read",))
    return out, guessed


def _fill(rates: dict[str, Rate], name: str, wholes: tuple[str, ...]) -> None:
    if name not in rates:
        found = next((rates[whole] for whole in wholes if whole in rates), None)
        if found is not None:
            rates[name] = found
