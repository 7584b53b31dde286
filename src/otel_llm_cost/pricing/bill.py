"""A card and the quantities of a call → its bill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .buckets import BUCKETS, INDEX, PART, PARTS, Quantities
from .card import RateCard
from .cost import Cost, Line, Status, unknown

_REQUEST: Final = INDEX["request"]
_INPUT_PART, _OUTPUT_PART = PARTS.index("input"), PARTS.index("output")
_TOOLS_PART: Final = PARTS.index("tools")


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
    parts = [0, 0, 0, 0, 0]
    missing: list[int] = []
    for index, quantity in counted.counts:
        rate = row[index]
        if rate is None:
            missing.append(index)
        else:
            parts[PART[index]] += rate if index in card.once else quantity * rate
    if row[_REQUEST] is not None and counted.counts:
        parts[_TOOLS_PART] += row[_REQUEST] or 0
    if missing or counted.problems or counted.output_missing or card.guessed or found.windows:
        return _doubtful(found, card, counted, parts, missing, minute, version)
    return _cost(found, found.status, found.reason, parts, sum(parts), version)


def lines(card: RateCard, counted: Quantities) -> Iterator[Line]:
    """The bill, bucket by bucket."""
    row = card.row(counted.prompt_tokens)
    for index, quantity in counted.counts:
        rate = row[index]
        billed = 1 if index in card.once else quantity
        yield Line(BUCKETS[index], billed, rate, None if rate is None else billed * rate)
    fee = row[_REQUEST]
    if fee is not None and counted.counts:
        yield Line(BUCKETS[_REQUEST], 1, fee, fee)


def _cost(
    found: Priced, status: Status, reason: str, parts: list[int | None] | list[int], total: int, ver: str
) -> Cost:
    fresh, read, write, output, tools = parts
    return Cost(
        status=status,
        reason=reason,
        total=total,
        input=fresh,
        cache_read=read,
        cache_write=write,
        output=output,
        tools=tools,
        model=found.model,
        version=ver,
        source=found.source,
    )


def _doubtful(
    found: Priced,
    card: RateCard,
    counted: Quantities,
    parts: list[int],
    missing: list[int],
    minute: int | None,
    version: str,
) -> Cost:
    """The same with what is not known of it taken out, and what is guessed said.

    Where something is not known and all that is known is free, the cost is not known: it is never a zero.
    """
    gaps = [*counted.problems, *(f"no_rate_for_{BUCKETS[index]}" for index in missing)]
    guesses = [f"{BUCKETS[i]}_at_default_rate" for i, _ in counted.counts if i in card.guessed]
    if found.windows and minute is None:
        guesses.append("time_of_day_not_known")
    known = {PART[index] for index, _ in counted.counts if index not in missing}
    if parts[_TOOLS_PART]:
        known.add(_TOOLS_PART)
    lost = {PART[index] for index in missing} - known
    if counted.output_missing and card.expects_output:
        gaps.append("output_missing")
        lost.add(_OUTPUT_PART)
    if "input_missing" in counted.problems:
        lost.add(_INPUT_PART)
    reason = ",".join(filter(None, (found.reason, *gaps, *guesses)))
    if gaps and not any(parts):
        return unknown(reason, version, found.model, found.source)
    status: Status = "partial" if gaps else "fallback" if guesses and found.status != "override" else found.status
    told = [None if i in lost else part for i, part in enumerate(parts)]
    return _cost(found, status, reason, told, sum(parts), version)
