"""Which of the hours of a day cost more: what the data cannot say of DeepSeek's prices.

The data gives an interval of the day for all days.  DeepSeek's have a beginning, and an end each week: from 2026-08-17
on its peak hours cost twice the rest of the day, and from 2026-08-23 on Saturdays, Sundays and China's public holidays
have none (https://api-docs.deepseek.com/quick_start/pricing, https://api-docs.deepseek.com/updates).  From 2025-02-26
until 2025-09-05 there was a discount at night instead (https://api-docs.deepseek.com/news/news250226); before it, and
between the two, every hour cost the same.  Peak hours lie in one day both in UTC and in Beijing, so a UTC day decides.
Another host of its models has no such hours and no such discount.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from .catalogue import Model, Price
from .money import Rates, times

_DEEPSEEK: Final = "deepseek"
_NIGHT_DISCOUNT_FROM: Final = date(2025, 2, 26)
_NIGHT_DISCOUNT_UNTIL: Final = date(2025, 9, 5)
_PEAKS_FROM: Final = date(2026, 8, 17)
_FREE_DAYS_FROM: Final = date(2026, 8, 23)
_PEAK: Final = 2
_SATURDAY: Final = 5
_HOLIDAYS: Final = frozenset((date(2026, 9, 25), *(date(2026, 10, day) for day in range(1, 8))))
"""Mid-Autumn and National Day 2026; those of 2027 are not yet announced."""


def rates_in(model: Model, window: Price | None, day: date, *, own: bool) -> Rates:
    """The data's rates within an interval of the day, or in the rest of it; `own`: the vendor itself serves."""
    standard = model.standard(day)
    by_day = next(iter(model.windows()), None) if model.provider == _DEEPSEEK else None
    if by_day and (day < _NIGHT_DISCOUNT_FROM or (day < _NIGHT_DISCOUNT_UNTIL and not own)):
        return by_day.rates
    if window is None or not own:
        return standard
    if model.provider != _DEEPSEEK or day < _NIGHT_DISCOUNT_UNTIL:
        return window.rates
    if day < _PEAKS_FROM or _is_free(day):
        return standard
    return {name: times(rate, _PEAK, 1) for name, rate in standard.items()}


def turning_days(model: Model, last: date) -> list[date]:
    """The days, until `last`, from which on the hours of a model cost otherwise than on the day before; rising."""
    if model.provider != _DEEPSEEK or not model.windows():
        return []
    week = [_FREE_DAYS_FROM + timedelta(days) for days in range(1, (last - _FREE_DAYS_FROM).days + 1)]
    turns = [day for day in week if _is_free(day) != _is_free(day - timedelta(1))]
    firsts = (_NIGHT_DISCOUNT_FROM, _NIGHT_DISCOUNT_UNTIL, _PEAKS_FROM, _FREE_DAYS_FROM, *turns)
    return [day for day in firsts if day <= last]


def _is_free(day: date) -> bool:
    return day >= _FREE_DAYS_FROM and (day.weekday() >= _SATURDAY or day in _HOLIDAYS)
