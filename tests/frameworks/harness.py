"""Runs one scenario in this environment and prints what came of it, a line of JSON for each judgement.

    python -m tests.frameworks.harness PROGRAM [--with NAME] [--first ours|theirs]

Every program runs twice: with providers that our instrumentation knows by their host, and with hosts that it does not
know (a gateway), where ours and a framework may name the provider differently.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import logging
import os
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from otel_llm_cost.hosts import NAMED
from otel_llm_cost.instrumentor import AnthropicInstrumentor, OpenAIInstrumentor

from .provider import Provider
from .roads import judge
from .scenario import Door


class _Keep(SpanProcessor):
    """Every span, in the order in which they end."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def _ours(openai: Provider, anthropic: Provider) -> None:
    os.environ[NAMED] = f"127.0.0.1:{openai.port}=openai,127.0.0.1:{anthropic.port}=anthropic"
    OpenAIInstrumentor().instrument()
    AnthropicInstrumentor().instrument()


async def _all(calls: Any) -> None:
    for call in calls:
        result = call()
        if inspect.isawaitable(result):
            await result


def main() -> int:
    """Exit code 0 where the program ran, whatever was billed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--with", dest="with_", default="")
    parser.add_argument("--first", choices=("ours", "theirs"), default="ours")
    parser.add_argument("--show", action="store_true", help="the spans, for a person")
    given = parser.parse_args()
    logging.getLogger("otel_llm_cost_exporter").setLevel(logging.ERROR)
    os.environ |= {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "OTEL_METRICS_EXPORTER": "none", "NO_PROXY": "*"}
    program = import_module(f"tests.frameworks.programs.{given.program}")
    tracers, kept = TracerProvider(), _Keep()
    tracers.add_span_processor(kept)
    trace.set_tracer_provider(tracers)
    with Provider() as openai, Provider(501) as anthropic:
        if given.first == "ours":
            _ours(openai, anthropic)
        program.instrument(tracers, given.with_)
        if given.first == "theirs":
            _ours(openai, anthropic)
        for host in ("127.0.0.1", "localhost"):
            _run(program, host, (openai, anthropic), kept, show=given.show)
    return 0


def _run(program: Any, host: str, providers: tuple[Provider, Provider], kept: _Keep, *, show: bool) -> None:
    openai, anthropic = providers
    door = Door(f"http://{host}:{openai.port}/v1", f"http://{host}:{anthropic.port}")
    kept.spans.clear()
    asyncio.run(_all(program.calls(door)))
    settle = getattr(program, "settle", None)
    if settle is not None:
        settle()
    spans = list(kept.spans)
    served = [s for provider in providers for s in provider.served if s.host == host]
    if show:
        _show(spans)
    summary = {"host": host, "calls": len(served), "spans": len(spans)}
    sys.stdout.write(json.dumps(summary) + "\n")
    for judgement in judge(spans, served):
        sys.stdout.write(json.dumps({"host": host, **asdict(judgement)}) + "\n")


def _show(spans: list[ReadableSpan]) -> None:
    for span in sorted(spans, key=lambda each: each.start_time or 0):
        scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
        identity = span.context.span_id if span.context else 0
        above = span.parent.span_id if span.parent else 0
        said = {k: v for k, v in (span.attributes or {}).items() if _tells(k)}
        sys.stdout.write(f"{identity:016x} < {above:016x} {scope} | {span.name} | {said}\n")


def _tells(name: str) -> bool:
    words = ("usage", "token", "model", "provider", "system", "response.id", "kind", "operation", "responseid", "cost")
    return any(word in name.lower() for word in words) and "instructions" not in name


if __name__ == "__main__":
    sys.exit(main())
