"""One variant's calls against the recorded bytes and against the bare SDK.

A field is exact when a span of the call carries the recorded number, wrong when it carries another (or one that was
never sent), missing when it carries none.  A peer's input and output may follow either habit, the provider's headline
figure or the inclusive total; ours must be the total.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from benchmarks.recordings import names
from benchmarks.recordings.exchange import Job
from benchmarks.recordings.index import UNBILLED
from otel_llm_cost.attributes import ASIDES

EXACT, WRONG, MISSING = range(3)
ALL_FIELDS: Final = "ALL FIELDS"
FIVE: Final = "five counts"
ONE_SPAN: Final = "one billable span"
ADVISED: Final = "tokens of every model"
IN_TIME: Final = "span ends with its call"
HARD: Final = (
    ONE_SPAN,
    ADVISED,
    "error class",
    "error status",
    "nothing invented",
    "no usage where unbilled",
    "no placeholder as truth",
    "a cut stream's outcome",
    "outcome and result as bare",
    "request as bare",
    "arguments untouched",
)
"""Checks that each must hold everywhere, save where a reviewed reason stands."""


class Miss(NamedTuple):
    """One comparison that failed."""

    check: str
    id: str
    detail: str


@dataclass
class Score:
    """Counts per check: exact, wrong, missing."""

    strict: bool
    """Ours: totals must be inclusive."""
    sdk_spans: bool = False
    """The SDK's own spans are what is scored; otherwise they count only as a second bill beside a variant's."""
    counts: dict[str, list[int]] = field(default_factory=dict)
    misses: list[Miss] = field(default_factory=list)

    def note(self, check: str, verdict: int | bool, job: Job, detail: str = "") -> None:
        """One comparison; True is exact, False is wrong."""
        kind = (EXACT if verdict else WRONG) if isinstance(verdict, bool) else verdict
        self.counts.setdefault(check, [0, 0, 0])[kind] += 1
        if kind != EXACT:
            self.misses.append(Miss(check, job.id, detail))

    def share(self, check: str) -> float | None:
        """The exact ones among all; None when nothing was compared."""
        counts = self.counts.get(check)
        return counts[EXACT] / sum(counts) if counts else None


def compare(score: Score, job: Job, call: Mapping[str, Any], bare: Mapping[str, Any] | None) -> None:
    """Score one call; one that the SDK refused to send, or that cannot be driven, is not a call."""
    if bare is None or not bare["sent"]:
        return
    told, asked = call["outcome"] == bare["outcome"], call["sent"] == bare["sent"]
    score.note("outcome and result as bare", told, job, f"{call['outcome'][:90]} instead of {bare['outcome'][:60]}")
    score.note("request as bare", asked, job, f"{len(call['sent'])} requests")
    score.note("arguments untouched", bool(call["arguments kept"]), job)
    everyone = [span["attributes"] for span in call["spans"]]
    spans = [span["attributes"] for span in call["spans"] if score.sdk_spans or span["scope"] != names.SDK_SCOPE]
    if job.endpoint in UNBILLED:
        score.note("no usage where unbilled", not _any_tokens(everyone), job)
        return
    billable = [span for span in everyone if any(name in span for name in names.TOKENS)]
    if spans:
        score.note(IN_TIME, not call["late"], job)
    cut = call["mode"].startswith("early") or (bare["failed"] and not job.row["error"])
    counted = billable if job.row["has_usage"] and not cut and not job.row["error"] else everyone
    detail = f"{len(counted)} of {len(everyone)} spans"
    advisors = (job.row["truth"] or {}).get("billed", {}).get("models", []) if counted is billable else []
    score.note(ONE_SPAN, MISSING if not counted else len(counted) == 1, job, detail)
    if advisors:
        _advised(score, job, billable)
    if cut:
        _cut(score, job, spans)
    elif job.row["error"]:
        _error(score, job, spans)
    elif not job.row["has_usage"]:
        score.note("nothing invented", not _any_tokens(spans) or _estimated(spans), job)
    else:
        _fields(score, job, spans)


def _advised(score: Score, job: Job, spans: list[dict[str, Any]]) -> None:
    """Another model advised the one that was asked: its tokens are billed at its own price, beside the answer's.

    Ours says them aside on the call's own span.
    """
    billed = job.row["truth"]["billed"]
    inputs = sum(v for k, v in billed.items() if k.endswith("input_tokens"))
    everyone = [*spans, *(json.loads(aside) for span in spans for aside in span.get(ASIDES, ()))]
    seen = tuple(sum(_seen(everyone, each)) for each in names.FIVE[:2])
    score.note(ADVISED, seen == (inputs, billed["output_tokens"]), job, f"{seen} of {inputs, billed['output_tokens']}")


def _fields(score: Score, job: Job, spans: list[dict[str, Any]]) -> None:
    wrong = []
    for each in names.FIELDS.keys() - names.UNTOLD[job.row["provider"]]:
        recorded = names.said(job.row["truth"], each, job.endpoint)
        seen = list(_seen(spans, each))
        verdict = _verdict(score, job, each, seen, recorded)
        if verdict is None:
            continue
        score.note(each, verdict, job, f"{seen!r} instead of {recorded!r}")
        if verdict != EXACT:
            wrong.append(each)
    score.note(FIVE, not set(wrong) & set(names.FIVE), job, ", ".join(wrong))
    score.note(ALL_FIELDS, not wrong, job, ", ".join(wrong))


def _verdict(score: Score, job: Job, each: str, seen: list[Any], recorded: Any) -> int | None:
    """None where nothing was recorded and nothing is said, or both say zero of a detail."""
    if recorded is None or (recorded == 0 and each not in names.FIVE[:2]):
        return WRONG if any(isinstance(v, (int, float)) and v for v in seen) else None
    accepted = [recorded] if score.strict else [recorded, names.headline(job.row["truth"], each)]
    if any(names.same(each, value, one) for value in seen for one in accepted if one is not None):
        return EXACT
    if recorded == 0 and not seen:
        return None  # an embedding has no output
    return WRONG if seen else MISSING


def _error(score: Score, job: Job, spans: list[dict[str, Any]]) -> None:
    said = [str(span[name]) for span in spans for name in names.ERROR_CLASS if name in span]
    score.note("error class", (said[0] != "unknown") if said else MISSING, job)
    if job.row["status"] >= 400:
        seen = [str(span[name]) for span in spans for name in names.STATUS if name in span]
        other = any(name in span for span in spans for name in names.STATUS[:2])
        score.note("error status", str(job.row["status"]) in seen or (False if other else MISSING), job, f"{seen}")


def _cut(score: Score, job: Job, spans: list[dict[str, Any]]) -> None:
    """The caller, or the SDK, stopped in the middle of the answer.

    Where nothing is marked as an estimate, the output must be what the end would have told; an input is what was
    announced until then, which tools that the server runs later may add to.
    """
    truth = job.row["truth"] or {}
    final = {each: names.said(truth, each, job.endpoint) or 0 for each in names.FIVE[:2]}
    false = []
    if not _estimated(spans):
        false += [f"input {v!r} of {final['input']!r}" for v in _seen(spans, "input") if v > final["input"]]
        told = (0, final["output"], names.headline(truth, "output"))
        false += [f"output {v!r} of {final['output']!r}" for v in _seen(spans, "output") if v not in told]
    score.note("no placeholder as truth", not false, job, ", ".join(false))
    if score.strict and job.exchange.is_events:
        score.note("a cut stream's outcome", any(names.OUTCOME in span for span in spans) or MISSING, job)


def _seen(spans: Iterable[Mapping[str, Any]], each: str) -> Iterable[Any]:
    return (span[name] for span in spans for name in names.FIELDS[each] if name in span)


def _any_tokens(spans: list[dict[str, Any]]) -> bool:
    return any(span.get(name) for span in spans for name in names.TOKENS)


def _estimated(spans: list[dict[str, Any]]) -> bool:
    return any(span.get(names.ESTIMATED) for span in spans)
