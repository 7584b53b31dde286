"""Exact money: integers from the rate to the cost, never a float.

The unit is the pico-dollar, 1e-12 USD.  A published price of one dollar per million tokens is 1,000,000
pico-dollars a token and one dollar per thousand requests is 1,000,000,000 a request, so every price in use is a
whole number of them.  A `Rate` is what one unit costs by size of the prompt: steps (start, rate) in rising order,
the first at 0; a step is reached by a prompt of more than `start` tokens and then holds for all of its tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

Rate = tuple[tuple[int, int], ...]
Rates = Mapping[str, Rate]

PER_MILLION: Final = 6
PER_THOUSAND: Final = 9

_PLAIN = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?\Z")


def flat(rate: int) -> Rate:
    """A rate that does not depend on the size of the prompt."""
    return ((0, rate),)


def step_of(rate: Rate, prompt_tokens: int) -> int:
    """Pico-dollars a unit for a prompt of this size."""
    found = rate[0][1]
    for start, price in rate:
        if prompt_tokens > start:
            found = price
    return found


def decimal(value: object) -> Decimal:
    """Decimal text without sign or exponent → its number, exactly.  Raises ValueError."""
    if isinstance(value, str) and _PLAIN.match(value):
        return Decimal(value)
    raise ValueError('expected a decimal number as text, such as "2.50"')


def parse(text: object, shift: int) -> int:
    """A price in USD per million (`shift` 6) or per thousand (9) units, as text → pico-dollars a unit.

    Raises ValueError unless it is the text of a decimal number, not negative, of at most `shift` decimals.
    """
    scaled = decimal(text).scaleb(shift)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"expected at most {shift} decimals")
    return int(scaled)


def scale(rate: int, numerator: int, denominator: int) -> int:
    """rate × numerator / denominator, rounded half to even."""
    whole, rest = divmod(rate * numerator, denominator)
    twice = 2 * rest
    return whole + (twice > denominator or (twice == denominator and whole % 2 == 1))


def times(rate: Rate, numerator: int, denominator: int) -> Rate:
    """Every step of a rate scaled."""
    return tuple((start, scale(price, numerator, denominator)) for start, price in rate)


def usd(pico: int | None) -> str:
    """Pico-dollars as exact decimal text in dollars, `?` where unknown; never in exponent form."""
    if pico is None:
        return "?"
    whole, rest = divmod(abs(pico), 10**12)
    text = f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if pico < 0 else text
