"""The printed side: one table per SDK and mode, and what lies behind its gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from benchmarks.recordings import names
from benchmarks.recordings.prices import NOTHING_USED, Bill, Bills
from benchmarks.recordings.reasons import reason
from benchmarks.recordings.score import ALL_FIELDS, EXACT, FIVE, HARD, IN_TIME, MISSING, ONE_SPAN, WRONG, Miss, Score
from otel_llm_cost.pricing.money import usd

_ORDER = (ONE_SPAN, ALL_FIELDS, FIVE, *names.FIELDS, *HARD[1:], IN_TIME)
_WIDE, _CELL = 27, 15


def table(title: str, scores: Mapping[str, Score]) -> str:
    """Checks as lines, variants as columns; a cell is exact/wrong/missing, or one number where all are exact."""
    lines = [title, " " * _WIDE + "".join(f"{name[: _CELL - 1]:>{_CELL}}" for name in scores)]
    for check in _ORDER:
        if any(check in score.counts for score in scores.values()):
            cells = (_cell(score.counts.get(check)) for score in scores.values())
            lines.append(f"{check:{_WIDE}}" + "".join(f"{cell:>{_CELL}}" for cell in cells))
    return "\n".join(lines)


def _cell(counts: list[int] | None) -> str:
    if counts is None:
        return "·"
    if not counts[WRONG] and not counts[MISSING]:
        return str(counts[EXACT])
    return "/".join(map(str, counts))


def misses(score: Score, limit: int = 5) -> list[str]:
    """What ours missed, each with its reason; of one check without a known reason, the first few."""
    shown: Counter[str] = Counter()
    lines = []
    for each in score.misses:
        why = reason(each)
        shown[each.check] += why is None
        if each.check not in (ALL_FIELDS, FIVE) and (why or shown[each.check] <= limit):
            lines.append(f"  {each.check}: {each.id}\n      {each.detail}\n      reason: {why or 'none known'}")
    return lines + [f"  {check}: {count - limit} more" for check, count in shown.items() if count > limit]


def unexplained(score: Score) -> list[Miss]:
    """The misses of ours that no one may have."""
    return [each for each in score.misses if each.check in HARD and reason(each) is None]


def costs(title: str, bills: Bills) -> str:
    """One line a model, the dearest first: provider, model, calls, cost in USD, price statuses, what is in doubt."""
    lines = [f"{title}: cost by model, in USD at today's prices"]
    lines += [_cost(*key, bill) for key, bill in sorted(bills.items(), key=lambda item: (-item[1].pico, item[0]))]
    return "\n".join([*lines, *_summary(bills)])


def _cost(provider: str, model: str, bill: Bill) -> str:
    statuses = ", ".join(f"{name} {count}" for name, count in bill.statuses.most_common())
    told = "; ".join([statuses, *_told(bill)])
    amount = usd(bill.pico) if bill.pico or bill.statuses.keys() - {"unknown"} else "-"
    return f"  {provider[:20]:20} {model[:46]:46} {bill.calls:5} {amount:>18}  {told}"


def _told(bill: Bill) -> Iterator[str]:
    yield from (f"no cost: {why}" if why in NOTHING_USED else f"not public: {why}" for why in bill.not_public)
    yield from (f"UNPRICED: {why}" for why in bill.unpriced)
    yield from (f"{why} ({count})" for why, count in bill.doubts.most_common(3))


def _summary(bills: Bills) -> Iterator[str]:
    statuses = sum((bill.statuses for bill in bills.values()), Counter())
    told = ", ".join(f"{name} {count}" for name, count in statuses.most_common())
    total = usd(sum(bill.pico for bill in bills.values()))
    yield f"  {len(bills)} models, {statuses.total()} calls, {total} USD: {told}"
    hidden = sum(bill.not_public.total() for bill in bills.values())
    missing = sum(bill.unpriced.total() for bill in bills.values())
    yield f"  without a cost: {hidden} calls with no public price, {missing} of {len(unpriced(bills))} models with one"


def unpriced(bills: Bills) -> list[str]:
    """Models whose price is public and which have none here."""
    return [f"{provider} {model}" for (provider, model), bill in bills.items() if bill.unpriced]
