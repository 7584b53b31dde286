"""Signals that are taken and thrown away.

A program under `opentelemetry-instrument` sends metrics and logs to the same endpoint as its traces; refusing them
would fill its log with errors for nothing.
"""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)


class Discard:
    """Says once per signal that it goes nowhere."""

    def __init__(self) -> None:
        self._noted: set[str] = set()

    def note(self, kind: str) -> None:
        if kind not in self._noted:
            self._noted.add(kind)
            _log.info(
                "%s arrive and are discarded: only traces are used here. Set OTEL_%s_EXPORTER=none in the sender, or"
                " send them elsewhere with OTEL_EXPORTER_OTLP_%s_ENDPOINT.",
                kind,
                kind.upper(),
                kind.upper(),
            )
