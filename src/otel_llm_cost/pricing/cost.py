"""What a price question is asked with and answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from .buckets import BUCKETS, Counts
from .card import RateRow

Status = Literal["exact", "alias", "fallback", "override", "partial", "unknown"]


@dataclass(frozen=True, slots=True)
class Context:
    """How a call was served, where that changes its price; `None` and the vendor's word for "standard" are one.

    `service_tier` is the tier that was served, not the one asked for.
    """

    service_tier: str | None = None
    batch: bool = False
    speed: str | None = None
    region: str | None = None


STANDARD = Context()


class Line(NamedTuple):
    """One bucket of a bill: `quantity` units at `rate` pico-dollars a unit.

    `rate` and `amount` are `None` where nobody published a rate.
    """

    bucket: str
    quantity: int
    rate: int | None
    amount: int | None


class Cost(NamedTuple):
    """What a call cost, in integer pico-dollars (1e-12 USD).

    `total` is the sum of the five parts, and of quantity × rate over `lines`.  A part is `None` where a quantity of it
    has no known rate and nothing else of it is known either; all six are `None` when the status is `unknown`.
    `reason` says in short snake_case words, separated by commas, why the status is not `exact`.

    exact: the vendor's own name of the model, at its listed price.  alias: another spelling of that name.
    fallback: a guess from a near relative (dated suffix removed, base of a fine-tuned model, tier not listed).
    override: a price of the user's or the project's overlay.  partial: some of the usage has no known price; what
    is known of it costs more than zero, else the status is `unknown`.
    """

    status: Status
    reason: str
    total: int | None
    input: int | None
    cache_read: int | None
    cache_write: int | None
    output: int | None
    tools: int | None
    model: str = ""
    version: str = ""
    source: str = ""
    billed: Counts = ()
    """Units that are billed, by index of their bucket."""
    row: RateRow = ()
    """What a unit of each bucket costs, in the order of BUCKETS; empty where nobody knows."""
    other_models: int | None = None
    """What other models did for the answer, a part of `tools` with rates of its own."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The bill, bucket by bucket."""
        told = [_line(index, quantity, self.row[index] if self.row else None) for index, quantity in self.billed]
        if self.other_models is not None:
            told.append(Line(OTHER_MODELS, 1, self.other_models, self.other_models))
        return tuple(told)


OTHER_MODELS: Final = "other_models"
"""The line of `Cost.other_models`."""


def _line(index: int, quantity: int, rate: int | None) -> Line:
    return Line(BUCKETS[index], quantity, rate, None if rate is None else quantity * rate)


def unknown(
    reason: str, version: str, model: str = "", source: str = "", billed: Counts = (), row: RateRow = ()
) -> Cost:
    """A call that has no price, and why.  Unknown is not zero."""
    return Cost("unknown", reason, None, None, None, None, None, None, model, version, source, billed, row)
