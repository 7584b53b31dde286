"""How the running collector is: its parts for the health endpoints, its figures for the metrics."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from otel_llm_cost_exporter import observe
from otel_llm_cost_exporter.journal import JournalState
from otel_llm_cost_exporter.pipeline import Counters
from otel_llm_cost_exporter.rollups import State
from otel_llm_cost_exporter.store import StoreError

from .health import Check, Part, keys_part

if TYPE_CHECKING:
    from .collector import Collector


def parts(collector: Collector) -> list[Part]:
    """What a probe asks.  A request is accepted once it is in the journal, so journal and flusher are vital."""
    return [
        Part("journal", lambda: _journal(collector.journal.state())),
        Part("journal's disk", lambda: _disk(collector.journal.state()), vital=False),
        Part("flusher", lambda: _flusher(collector)),
        Part("store", lambda: _store(collector), vital=False),
        Part("dead letters", lambda: _dead_letters(collector), vital=False),
        keys_part(lambda: collector.gate.ring.fault),
    ]


def counters(collector: Collector) -> dict[str, int]:
    """What became of calls since the start."""
    counted = collector.pipeline.counters if collector.pipeline else Counters()
    return {
        "stored": counted.stored,
        "dropped_as_seen": counted.dropped_as_seen,
        "set_aside": sum(counted.set_aside.values()),
        "refused": counted.refused,
        "unknown_price": counted.unknown_price,
    }


def readings(collector: Collector) -> observe.Readings:
    """Everything, for the collector's own metrics."""
    journal, pipeline, watch = collector.journal.state(), collector.pipeline, collector.watch
    return observe.Readings(
        received=_received(collector, journal),
        journal=_journaled(journal),
        stored=_stored(collector),
        calls=_calls(pipeline.counters) if pipeline else observe.Calls(),
        forward=collector.forwarder.counts() if collector.forwarder else None,
        rollups=_rollups(watch.state()) if watch else observe.Rollups(),
        queries=_queries(collector),
        machine=observe.Machine(memory_bytes=observe.resident_bytes(), disk_free_bytes=journal.free_bytes),
    )


def _received(collector: Collector, journal: JournalState) -> observe.Received:
    counted = collector.ingested.snapshot()
    return observe.Received(
        requests=counted.requests,
        spans=counted.spans,
        rejected=counted.rejected,
        refused=counted.refused,
        duplicates=journal.duplicates,
    )


def _queries(collector: Collector) -> observe.Queries:
    endpoint = collector.queries
    if endpoint is None:
        return observe.Queries()
    return observe.Queries(answered=endpoint.answered, refused=dict(endpoint.refused))


def _journaled(state: JournalState) -> observe.Journal:
    return observe.Journal(
        spans=state.appended.spans,
        written_bytes=state.appended.bytes,
        syncs=state.syncs,
        waiting_spans=state.waiting.spans,
        waiting_bytes=state.waiting.bytes,
        capacity_bytes=state.most_bytes,
        damaged_bytes=state.damaged_bytes,
        lag=0.0 if state.oldest_ns is None else max(0.0, (time.time_ns() - state.oldest_ns) / 1e9),
    )


def _stored(collector: Collector) -> observe.Stored:
    state, letters = collector.flusher.state, collector.flusher.dead_letters
    return observe.Stored(
        spans=collector.pipeline.counters.stored if collector.pipeline else 0,
        batches=state.batches,
        retries=state.retries,
        last_flush=state.last_seconds,
        away=state.away,
        dead_letters=letters.added,
        dead_letters_waiting=len(letters),
    )


def _calls(counted: Counters) -> observe.Calls:
    return observe.Calls(
        seen=counted.dropped_as_seen, set_aside=dict(counted.set_aside), unpriced=counted.unknown_price
    )


def _rollups(state: State) -> observe.Rollups:
    checked = state.checked_at
    return observe.Rollups(
        drift=state.drift,
        checked=(datetime.now(UTC) - checked).total_seconds() if checked else None,
        mended=state.mended,
        copies=state.copies,
    )


def _journal(state: JournalState) -> Check:
    told = f"{state.waiting.spans:,} spans wait to be stored, {state.free_bytes / 2**20:,.0f} MiB of disk are free"
    return Check(not state.full, f"{state.full}; {told}" if state.full else told)


def _disk(state: JournalState) -> Check:
    """Not vital even where nothing is taken: it is by the next request that a disk shows whether it is well again."""
    return Check(not state.error, f"{state.error} ({state.error_age or 0:.0f} s ago)" if state.error else "")


def _flusher(collector: Collector) -> Check:
    return Check(True) if collector.flusher.alive else Check(False, "it has ended: restart the collector")


def _store(collector: Collector) -> Check:
    state = collector.flusher.state
    if state.away_since is not None:
        return Check(False, f"nothing could be stored for {state.away:.0f} s: {state.trouble}")
    if collector.store is None:
        return Check(False, "it is not open yet")
    try:
        collector.store.ping()
    except StoreError as error:
        return Check(False, str(error))
    return Check(True)


def _dead_letters(collector: Collector) -> Check:
    kept = len(collector.flusher.dead_letters)
    return Check(not kept, f"{kept:,} calls could not be stored: otel-llm-cost dead-letters list" if kept else "")
