"""The same spans by several roads, and what each makes of them.

- `batch`          a BatchSpanProcessor that is flushed at the end: one request
- `simple`         a SimpleSpanProcessor: every span in a request of its own as it ends, so children before parents
- `parents first`  every span in a request of its own as it started: what happens when parent and child are exported by
                   different processors or processes
- `cut at n`       a BatchSpanProcessor whose timer struck after n spans, for many n
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from otel_llm_cost_exporter.config import provider_hosts
from otel_llm_cost_exporter.decode import Arrived, decode
from otel_llm_cost_exporter.dedupe import Window
from otel_llm_cost_exporter.span_exporter import LLMCostSpanExporter
from otel_llm_cost_exporter.store import Store

from .provider import Served

_MOST_CUTS = 24
_ROWS = """
SELECT counted, counted_reason, scope_name, operation, provider, response_id, problems,
    coalesce(input_tokens, 0) AS input, coalesce(output_tokens, 0) AS output, price_reason, cost
FROM llm_calls
"""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one road made of the calls, and what is wrong with it: nothing, if all is well."""

    road: str
    wrong: tuple[str, ...]
    sums_right: bool
    """Whether the tokens of all counted rows together are those that were served."""
    billed: dict[str, int]
    """Scope → rows that are counted."""
    set_aside: dict[str, int]
    """Scope and reason → rows."""


def judge(spans: Sequence[ReadableSpan], served: Sequence[Served]) -> list[Judgement]:
    """Every road's judgement of the spans of these calls, in the order in which they ended."""
    started = sorted(spans, key=lambda span: (span.start_time or 0, span.parent is not None))
    return [
        _judgement("batch", _rows(spans, batch=True), served),
        _judgement("simple", _rows(spans, batch=False), served),
        _judgement("parents first", _rows(started, batch=False), served),
        *(_judgement(f"cut at {n}", _cut(spans, n), served) for n in _cuts(len(spans))),
    ]


def _cuts(spans: int) -> Iterable[int]:
    return range(1, spans, 1 + spans // _MOST_CUTS)


@contextmanager
def _store() -> Iterator[tuple[Store, LLMCostSpanExporter]]:
    with tempfile.TemporaryDirectory() as folder:
        dsn = f"chdb://{folder}/db"
        with Store.open(dsn, create=True) as store:
            yield store, LLMCostSpanExporter(dsn)


def _rows(spans: Sequence[ReadableSpan], *, batch: bool) -> list[dict[str, Any]]:
    with _store() as (store, exporter):
        processor = BatchSpanProcessor(exporter) if batch else SimpleSpanProcessor(exporter)
        for span in spans:
            processor.on_end(span)
        processor.force_flush()
        rows = store.query(_ROWS)
        processor.shutdown()
    return rows


def _cut(spans: Sequence[ReadableSpan], at: int) -> list[dict[str, Any]]:
    """As `_rows`, with the judge alone, for it is asked often."""
    window, rows = Window(), []
    for part in (spans[:at], spans[at:]):
        judged = window.judge(decode(encode_spans(part), 2_000_000_000 * 10**9, provider_hosts()).calls)
        window.remember(judged.kept)
        rows += [_row(call, reason) for call, reason in judged.kept]
    return rows


def _row(call: Arrived, reason: str) -> dict[str, Any]:
    usage = call.call.response.usage
    return {
        "counted": not reason,
        "counted_reason": reason,
        "scope_name": call.scope_name,
        "operation": call.call.request.operation,
        "response_id": call.call.response.id or "",
        "problems": call.problems,
        "input": (usage and usage.input_tokens) or 0,
        "output": (usage and usage.output_tokens) or 0,
    }


def _judgement(road: str, rows: Sequence[dict[str, Any]], served: Sequence[Served]) -> Judgement:
    counted = [row for row in rows if row["counted"]]
    aside = [row for row in rows if not row["counted"]]
    return Judgement(
        road,
        tuple(_wrong(counted, aside, served)),
        _sum(map(_paid, counted)) == _sum((each.input_tokens, each.output_tokens) for each in served),
        dict(Counter(row["scope_name"] for row in counted)),
        dict(Counter(f"{row['scope_name']} {row['operation']}: {row['counted_reason']}" for row in aside)),
    )


def _wrong(counted: list[dict[str, Any]], aside: list[dict[str, Any]], served: Sequence[Served]) -> Iterator[str]:
    if len(counted) != len(served):
        yield f"{len(counted)} rows are counted and {len(served)} calls were served"
    billed, due = Counter(_paid(row) for row in counted), Counter((s.input_tokens, s.output_tokens) for s in served)
    for what, pairs in (("billed too much", billed - due), ("not billed", due - billed)):
        if pairs:
            yield f"{what}: {_shown(pairs, counted)}"
    if any(not row["counted_reason"] for row in aside):
        yield "a row is set aside without a reason"


def _sum(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    inputs, outputs = zip((0, 0), *pairs, strict=True)
    return sum(inputs), sum(outputs)


def _paid(row: dict[str, Any]) -> tuple[int, int]:
    return row["input"], row["output"]


def _shown(pairs: Counter[tuple[int, int]], rows: list[dict[str, Any]]) -> str:
    whose = {_paid(row): f" ({row['scope_name']} {row['operation']})" for row in rows}
    return ", ".join(f"{i}+{o}{whose.get((i, o), '')}" + (f" x{n}" if n > 1 else "") for (i, o), n in pairs.items())
