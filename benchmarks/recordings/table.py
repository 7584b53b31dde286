"""The printed side: one table per SDK and mode, and what lies behind its gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from benchmarks.recordings import names
from benchmarks.recordings.reasons import reason
from benchmarks.recordings.score import ALL_FIELDS, EXACT, FIVE, HARD, IN_TIME, MISSING, ONE_SPAN, WRONG, Miss, Score

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
