"""Usage → exclusive buckets: every token of a call stands in exactly one.

A `Usage` is inclusive: its input holds what was read from and written to a cache and what was audio or image; its
output holds reasoning, audio and image; compaction is part of both.  Money needs the opposite, a partition.  Where
the details of a usage contradict its totals (some hosts report more cached tokens than prompt tokens) the total is
believed, the details are cut to fit in a fixed order, and the contradiction is named; no bucket is ever negative.
Where audio or image tokens and cached tokens are both known but not their overlap, the least overlap is assumed; that
nobody said it is noted, as it is noted where nobody said whether the output is text, audio or pictures.
A cache write with no time to live given counts as one of the vendor's default.

No model call reads and writes nothing; some instrumentations write 0 for what they do not know.  A usage without one
positive quantity is therefore no usage, not a call for free.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final, NamedTuple

from otel_llm_cost.record import Usage

BUCKETS: Final = (
    "input",
    "input_audio",
    "input_image",
    "cache_read",
    "cache_read_audio",
    "cache_read_image",
    "cache_write",
    "cache_write_5m",
    "cache_write_30m",
    "cache_write_1h",
    "cache_write_12h",
    "output",
    "reasoning",
    "output_audio",
    "output_image",
    "request",
    "web_search",
    "grounding",
    "file_search",
    "code_execution",
)
INDEX: Final = {name: i for i, name in enumerate(BUCKETS)}
FEES: Final = frozenset(BUCKETS[INDEX["request"] :])
"""Buckets that count requests, not tokens."""

PARTS: Final = ("input", "cache_read", "cache_write", "output", "tools")
PART: Final = (0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4)
"""Index of a bucket → index of the part of the bill that it belongs to."""

_INPUT, _READ, _WRITE = INDEX["input"], INDEX["cache_read"], INDEX["cache_write"]
_OUTPUT, _REASONING = INDEX["output"], INDEX["reasoning"]


Counts = tuple[tuple[int, int], ...]
"""(bucket index, quantity > 0) pairs."""


class Quantities(NamedTuple):
    """What a bill is made of: what was used, and the prompt's size that chooses the tier."""

    counts: Counts
    prompt_tokens: int
    problems: tuple[str, ...] = ()
    output_missing: bool = False
    unsaid: tuple[int, ...] = ()
    """Buckets (`output`, `input_audio`, `input_image`) part of which may belong to one of the same kind or cached."""


_USUAL = ("input_tokens", "output_tokens", "cache_read_input_tokens", "reasoning_output_tokens")
_NOT_COUNTS = ("estimated", "estimated_counts")
_NEVER_BILLED = (*_NOT_COUNTS, "compaction_input_tokens", "compaction_output_tokens", "tool_use_input_tokens")
_TEXT = ("text_input_tokens", "text_output_tokens", "text_cache_read_input_tokens")
_COUNTS = tuple(name for name in Usage._fields if name not in _NOT_COUNTS)
_WRITES = tuple((f"cache_write_{ttl}", f"cache_write_{ttl}_input_tokens") for ttl in ("5m", "30m", "1h", "12h"))
_WRITTEN = ("cache_write_input_tokens", *(field for _, field in _WRITES))
_RARE = tuple(name for name in Usage._fields if name not in _USUAL + _WRITTEN + _NEVER_BILLED + _TEXT)
_LIFETIMES = tuple(INDEX[name] for name, _ in _WRITES)
_KINDS = ("audio", "image")
_PROMPT_KINDS = tuple((kind, f"{kind}_input_tokens", f"{kind}_cache_read_input_tokens") for kind in _KINDS)
_ANSWER_KINDS = tuple((f"output_{kind}", f"{kind}_output_tokens") for kind in _KINDS)
_REQUESTS = tuple((name, f"{name}_requests") for name in ("web_search", "grounding", "file_search", "code_execution"))
_MODALITIES = {
    total: tuple(f"{kind}_{total}" for kind in ("text", *_KINDS)) for total in ("input_tokens", "output_tokens")
}
_usual, _writes, _rare, _all = attrgetter(*_USUAL), attrgetter(*_WRITTEN), attrgetter(*_RARE), attrgetter(*_COUNTS)
_output_kinds = attrgetter(*_MODALITIES["output_tokens"])
_NONE_SAID = (None,) * len(_MODALITIES["output_tokens"])
_OUTPUT_UNSAID = (_OUTPUT,)
_ALL_BUT_ONE = len(Usage._fields) - 1


def quantities(usage: Usage) -> Quantities | str:
    """The buckets of a usage, at least one, or the reason why it has none.

    `no_usage`: nothing was said, or nothing but zeros.  `bad_usage`: a number that is no count, or only details that
    contradict a total of zero.
    """
    total_in, total_out, read, reasoning = _usual(usage)
    if (
        type(total_in) is int
        and type(total_out) is int
        and not any(_rare(usage))
        and (read is None or (type(read) is int and 0 <= read <= total_in))
        and (reasoning is None or (type(reasoning) is int and 0 <= reasoning <= total_out))
        and total_in >= 0
        and total_out >= 0
        and total_in + total_out
    ):
        written = _writes(usage)
        if not any(written):
            pairs = _pairs(total_in, total_out, read or 0, reasoning or 0)
            return Quantities(pairs, _largest_prompt(usage, total_in), unsaid=_unsaid(usage))
        known = _with_writes(written, total_in, total_out, read or 0, reasoning or 0)
        if known:
            return Quantities(known, _largest_prompt(usage, total_in), unsaid=_unsaid(usage))
    if total_out is None and type(total_in) is int and total_in > 0 and usage.count(None) == _ALL_BUT_ONE:
        return Quantities(((_INPUT, total_in),), total_in, (), True, _OUTPUT_UNSAID)  # an embedding
    return _in_full(usage)


def _unsaid(usage: Usage) -> tuple[int, ...]:
    return _OUTPUT_UNSAID if _output_kinds(usage) == _NONE_SAID else ()


def _pairs(total_in: int, total_out: int, read: int, reasoning: int) -> Counts:
    """The usual case, by hand: it is nearly every call."""
    fresh, text = total_in - read, total_out - reasoning
    if read or reasoning or not fresh or not text:
        all_four = ((_INPUT, fresh), (_READ, read), (_OUTPUT, text), (_REASONING, reasoning))
        return tuple([pair for pair in all_four if pair[1]])
    return ((_INPUT, fresh), (_OUTPUT, text))


def _with_writes(
    written: tuple[int | None, ...], total_in: int, total_out: int, read: int, reasoning: int
) -> Counts | None:
    """The next most usual, a cache that was written to; None where its counts contradict each other."""
    total, *lifetimes = written
    known, pairs = 0, []
    for index, count in zip(_LIFETIMES, lifetimes, strict=True):
        if count:
            if type(count) is not int or count < 0:
                return None
            known += count
            pairs.append((index, count))
    if total is None:
        total = known
    elif type(total) is not int:
        return None
    fresh, text = total_in - read - total, total_out - reasoning
    if known > total or fresh < 0:
        return None
    rest = ((_INPUT, fresh), (_READ, read), (_WRITE, total - known), *pairs, (_OUTPUT, text), (_REASONING, reasoning))
    return tuple([pair for pair in rest if pair[1]])


def _in_full(usage: Usage) -> Quantities | str:
    said = {name: value for name, value in zip(_COUNTS, _all(usage), strict=True) if value is not None}
    for value in said.values():
        if type(value) is not int or value < 0:
            return "bad_usage"
    problems: list[str] = []
    total_in, total_out = _total(said, "input_tokens"), _total(said, "output_tokens")
    if total_in is None and total_out is None:
        return "no_usage"
    if total_in is None:
        problems.append("input_missing")
        total_in = said.get("cache_read_input_tokens", 0) + _written(said)
    unsaid = list(_unsaid(usage))
    counts = _prompt(said, total_in, problems, unsaid)
    _answer(said, total_out or 0, problems, counts)
    counts.update({name: said[field] for name, field in _REQUESTS if field in said})
    pairs = tuple(sorted([(INDEX[name], count) for name, count in counts.items() if count]))
    if not pairs:
        return "bad_usage" if any(problem != "input_missing" for problem in problems) else "no_usage"
    return Quantities(pairs, _largest_prompt(usage, total_in), tuple(problems), total_out is None, tuple(unsaid))


def _largest_prompt(usage: Usage, total_in: int) -> int:
    """A compaction is a request of its own, billed with the call, and neither is as large as both."""
    compacted = usage.compaction_input_tokens
    return max(total_in - compacted, compacted) if compacted and compacted <= total_in else total_in


def _total(said: dict[str, int], name: str) -> int | None:
    """The total, or the sum of its modalities where a host gives only those."""
    if name in said:
        return said[name]
    parts = [said[kind] for kind in _MODALITIES[name] if kind in said]
    return sum(parts) if parts else None


def _written(said: dict[str, int]) -> int:
    """All cache writes: the total, or the sum of its lifetimes where only those are given."""
    total = said.get("cache_write_input_tokens")
    return sum([said.get(field, 0) for _, field in _WRITES]) if total is None else total


class _Purse:
    """A total that details are taken out of until it is empty."""

    __slots__ = ("_name", "_problems", "left")

    def __init__(self, total: int, name: str, problems: list[str]) -> None:
        self.left, self._name, self._problems = total, name, problems

    def take(self, wanted: int, what: str) -> int:
        """As much of `wanted` as there is."""
        if wanted > self.left:
            self._problems.append(f"{what}_exceeds_{self._name}")
            wanted = self.left
        self.left -= wanted
        return wanted


def _prompt(said: dict[str, int], total: int, problems: list[str], unsaid: list[int]) -> dict[str, int]:
    prompt = _Purse(total, "input", problems)
    read = prompt.take(said.get("cache_read_input_tokens", 0), "cache_read")
    counts: dict[str, int] = {}
    written = _Purse(prompt.take(_written(said), "cache_write"), "cache_write", problems)
    for name, field in _WRITES:
        if field in said:
            counts[name] = written.take(said[field], name)
    cached = _Purse(read, "cache_read", problems)
    for kind, field, cached_field in _PROMPT_KINDS:
        whole = said.get(field, 0)
        if cached_field not in said and min(whole, cached.left) > max(0, whole - prompt.left):
            unsaid.append(INDEX[f"input_{kind}"])
        if field in said or cached_field in said:
            _take_kind(said, kind, (field, cached_field), prompt, cached, counts)
    counts |= {"input": prompt.left, "cache_read": cached.left, "cache_write": written.left}
    return counts


def _take_kind(
    said: dict[str, int], kind: str, fields: tuple[str, str], prompt: _Purse, cached: _Purse, counts: dict[str, int]
) -> None:
    """Audio or image tokens, out of the cached and the uncached."""
    whole, from_cache = said.get(fields[0], 0), said.get(fields[1])
    if from_cache is None:
        from_cache = min(max(0, whole - prompt.left), cached.left)
    counts[f"cache_read_{kind}"] = cached.take(from_cache, f"cache_read_{kind}")
    counts[f"input_{kind}"] = prompt.take(max(0, whole - from_cache), f"input_{kind}")


def _answer(said: dict[str, int], total: int, problems: list[str], counts: dict[str, int]) -> None:
    answer = _Purse(total, "output", problems)
    counts["reasoning"] = answer.take(said.get("reasoning_output_tokens", 0), "reasoning")
    for name, field in _ANSWER_KINDS:
        if field in said:
            counts[name] = answer.take(said[field], name)
    counts["output"] = answer.left
