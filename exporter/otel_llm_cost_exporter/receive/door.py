"""What both transports do around a request, whatever it brings: ask the gate, count, and log who was turned away.

Nothing of a request's content is logged.  Not even why a body could not be parsed: a parser's message quotes the body.
"""

from __future__ import annotations

import logging
from typing import Final

from otel_llm_cost_exporter import logs
from otel_llm_cost_exporter.access.gate import Gate, Refused, Visitor, credential

from .counters import IngestCounters
from .outcome import Outcome, Status, limited, refusal

_log = logging.getLogger(__name__)

_QUOTES_THE_REQUEST: Final = frozenset({Status.UNDECODABLE, Status.UNSUPPORTED})


class TurnedAway(Exception):
    """A request that may not come in; `outcome` is its answer."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class Door:
    """The gate, with its doorman's book."""

    def __init__(self, gate: Gate, counters: IngestCounters) -> None:
        self.gate = gate
        self._counters = counters
        self._lines = {status: logs.Sparingly(_log) for status in Status}

    def enter(
        self,
        via: str,
        authorization: str | None,
        api_key: str | None,
        *,
        from_page: bool = False,
        with_spans: bool = True,
    ) -> Visitor:
        """Who sends, by the values of its two headers, before anything of the body is read.

        Raises TurnedAway, also for a sender of spans who has used up its limit: its body is not worth reading.
        """
        try:
            visitor = self.gate.writer(credential(authorization, api_key), from_page=from_page)
        except Refused as refused:
            outcome = refusal(refused)
            self._counters.note(outcome)
            whose = f"key {refused.key}" if refused.key else "no key"
            self._note(outcome.status, via, "; ".join(filter(None, (whose, refused.detail))))
            raise TurnedAway(outcome) from None
        logs.sent_by(visitor.sender)
        if with_spans and visitor.bucket is not None and not (standing := visitor.bucket.look()).admitted:
            raise TurnedAway(self.turned_away(via, limited(standing)))
        return visitor

    def turned_away(self, via: str, outcome: Outcome) -> Outcome:
        """Count and log the answer to a request that the transport did not let through to `Ingest`."""
        self._counters.note(outcome)
        return self.told(via, outcome)

    def told(self, via: str, outcome: Outcome) -> Outcome:
        """Log an answer, if it is a refusal; whoever gave it has counted it."""
        if outcome.status is not Status.STORED:
            self._note(
                outcome.status, via, "" if outcome.status in _QUOTES_THE_REQUEST else logs.redact(outcome.message)
            )
        return outcome

    def _note(self, status: Status, via: str, detail: str) -> None:
        reason = status.name.lower().replace("_", " ")
        self._lines[status].warn("a request over %s was refused: %s%s", via, reason, f" ({detail})" if detail else "")
