"""Which of the vendor's names for a model each of ours is.

The same name goes first, then another spelling of it, then a near relative (the name without its date); so `gpt-4o`
and `gpt-4o-2024-08-06` are one only where nothing nearer is on the other side.
"""

from __future__ import annotations

from collections.abc import Iterable

from otel_llm_cost.pricing.names import relatives, spellings


def meet(ours: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """Our name → theirs, or itself where they have none for it."""
    open_theirs = sorted(theirs, reverse=True)
    found: dict[str, str] = {}
    left = sorted(ours)
    for near in (_same, _spelled, _related):
        taken = set(found.values())
        for name in left:
            # a name that another of ours has already is the better match for that one
            free = [other for other in open_theirs if other not in taken or near is not _related]
            match = next((other for other in free if near(name, other)), None)
            if match is not None:
                found[name] = match
        left = [name for name in left if name not in found]
    return {**{name: name for name in left}, **found}


def _same(left: str, right: str) -> bool:
    return left.lower() == right.lower()


def _spelled(left: str, right: str) -> bool:
    """Another spelling; or a fine-tuned model, which bills name without whose it is."""
    if _spellings(left) & _spellings(right):
        return True
    return right.startswith("ft:") and left.startswith(f"{right}:")


def _related(left: str, right: str) -> bool:
    """One is the other without its date.  A fine-tuned model is no relative of its base here: it has its own line."""
    if left.startswith("ft:") != right.startswith("ft:"):
        return False
    return bool(_relatives(left) & _spellings(right) or _relatives(right) & _spellings(left))


def _spellings(name: str) -> set[str]:
    return {spelling for spelling, _ in spellings(name)}


def _relatives(name: str) -> set[str]:
    return {relative for relative, _ in relatives(name)}
