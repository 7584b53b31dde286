"""A card and the quantities of a call → its bill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .buckets import BUCKETS, INDEX, PART, PARTS, Counts, Quantities
from .card import CONDITIONAL, RateCard, RateRow
from .cost import Cost, Status, unknown

_REQUEST: Final = INDEX["request"]
_INPUT_PART, _OUTPUT_PART = PARTS.index("input"), PARTS.index("output")


@dataclass(frozen=True, slots=True)
class Priced:
    """A model with a card.  `windows` are cards for hours of the day (minutes of the UTC day), which go before it."""

    status: Status
    reason: str
    provider: str
    model: str
    source: str
    card: RateCard
    windows: tuple[tuple[tuple[int, int], RateCard], ...] = ()

    def card_at(self, minute: int | None) -> RateCard:
        """The card of a minute; that of the rest of the day where the minute is not known."""
        if minute is not None:
            for (first, last), card in self.windows:
                if first <= minute < last if first <= last else (minute >= first or minute < last):
                    return card
        return self.card


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A name that leads to no card, and why."""

    reason: str
    provider: str = ""
    model: str = ""


def bill(found: Priced, counted: Quantities, minute: int | None, version: str) -> Cost:
    """The cost of a call.  Its doubts, if it has any, are named by `_doubtful`: the usual call has none."""
    card = found.card_at(minute) if found.windows else found.card
    row = card.row(counted.prompt_tokens) if len(card.rows) > 1 else card.rows[0]
    billed = counted.counts if row[_REQUEST] is None and not card.once else _billed(card, row, counted.counts)
    parts = [0, 0, 0, 0, 0]
    missing: list[int] = []
    for index, quantity in billed:
        rate = row[index]
        if rate is None:
            missing.append(index)
        else:
            parts[PART[index]] += quantity * rate
    fresh, read, write, output, tools = parts
    cost = Cost(
        found.status,
        found.reason,
        fresh + read + write + output + tools,
        fresh,
        read,
        write,
        output,
        tools,
        found.model,
        version,
        found.source,
        billed,
        row,
    )
    guessed = card.guessed and any([index in card.guessed for index, _ in billed])  # noqa: C419  # a generator takes longer
    cut_short = counted.output_missing and card.expects_output
    if missing or counted.problems or cut_short or guessed or found.windows:
        return _doubtful(cost, found, card, counted, missing, minute)
    return cost


def _billed(card: RateCard, row: RateRow, counts: Counts) -> Counts:
    """What is paid for: some requests once a call however many there were, and the call itself where it has a fee."""
    paid = tuple((index, 1 if index in card.once else quantity) for index, quantity in counts)
    return paid if row[_REQUEST] is None or not counts else (*paid, (_REQUEST, 1))


_GUESSES: Final = {
    "cache_write": "cache_ttl_not_known",
    "cache_read": "cache_read_at_input_rate",
    "cache_read_audio": "cache_read_audio_at_input_rate",
    "cache_read_image": "cache_read_image_at_input_rate",
    "input_audio": "cached_audio_not_known",
    "input_image": "cached_image_not_known",
    "output": "output_kind_not_known",
    "web_search": "web_search_tool_not_known",
}
"""Bucket whose price is a guess → why."""


def _guesses(card: RateCard, counted: Quantities) -> list[str]:
    """What is guessed of a bill, in the order of its buckets."""
    guessed = [i for i, _ in counted.counts if i in card.guessed and (i not in CONDITIONAL or i in counted.unsaid)]
    return [_GUESSES.get(BUCKETS[i], f"{BUCKETS[i]}_at_default_rate") for i in guessed]


def _doubtful(
    cost: Cost, found: Priced, card: RateCard, counted: Quantities, missing: list[int], minute: int | None
) -> Cost:
    """The same with what is not known of it taken out, and what is guessed said.

    Where something is not known and all that is known is free, the cost is not known: it is never a zero.
    """
    gaps = [*counted.problems, *(f"no_rate_for_{BUCKETS[index]}" for index in missing)]
    guesses = _guesses(card, counted)
    if found.windows and minute is None:
        guesses.append("time_of_day_not_known")
    lost = {PART[index] for index in missing} - {PART[index] for index, _ in cost.billed if index not in missing}
    if counted.output_missing and card.expects_output:
        gaps.append("output_missing")
        lost.add(_OUTPUT_PART)
    if "input_missing" in counted.problems:
        lost.add(_INPUT_PART)
    reason = ",".join(filter(None, (found.reason, *gaps, *guesses)))
    if gaps and not cost.total:
        return unknown(reason, cost.version, found.model, found.source, cost.billed, cost.row)
    status: Status = "partial" if gaps else "fallback" if guesses and found.status != "override" else found.status
    not_known: dict[str, Any] = {part: None for i, part in enumerate(PARTS) if i in lost}
    return cost._replace(status=status, reason=reason, **not_known)
