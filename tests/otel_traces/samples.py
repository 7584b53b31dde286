"""Calls as spans: the golden cases, and many more drawn at random from the catalogue."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost import attributes
from otel_llm_cost.pricing import PriceBook
from otel_llm_cost.record import Call, Error, Request, Response, Usage
from tests.exporter import otlp

GOLDEN: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "pricing" / "golden.json").read_text())
_COUNTS = [name for name in Usage._fields if name not in ("estimated", "estimated_counts")]
_TIERS = (
    None,
    None,
    None,
    "default",
    "flex",
    "priority",
    "batch",
    "scale",
    "ON_DEMAND",
    "ON_DEMAND_FLEX",
    "fast",
    "odd",
)


def golden() -> list[Span]:
    """Every golden case as the span of a call on its day."""
    return [_golden(case) for case in GOLDEN]


def _golden(case: dict[str, Any]) -> Span:
    said = case["context"]
    call = Call(
        request=Request(operation="chat", provider=case["provider"], model=case["model"], batch=said.get("batch")),
        response=Response(
            usage=Usage(**case["usage"]),
            service_tier=said.get("service_tier"),
            speed=said.get("speed"),
            inference_geo=said.get("region"),
        ),
    )
    return span(call, datetime.fromisoformat(case["date"]).replace(tzinfo=UTC))


def span(call: Call, at: datetime, **fields: Any) -> Span:
    """A call as a span that began then."""
    start = int(at.timestamp()) * 10**9
    return otlp.span(
        {name: list(v) if isinstance(v, tuple) else v for name, v in attributes.encode(call).items()},
        start_time_unix_nano=start,
        end_time_unix_nano=start + 10**9,
        **fields,
    )


def drawn(book: PriceBook, number: int, seed: int) -> list[Span]:
    """Models × usage (contradictions too) × tiers × days."""
    rng = random.Random(seed)  # noqa: S311  # a sample, not a secret
    models = [(provider, model) for provider in book.providers() for model in book.models(provider)]
    likely = [pair for pair in models if pair[0] in ("openai", "anthropic", "google", "azure", "aws", "deepseek")]
    return [_drawn(rng, rng.choice(rng.choice((models, likely)))) for _ in range(number)]


def _drawn(rng: random.Random, known: tuple[str, str]) -> Span:
    provider, model = known
    asked = rng.choice((model, model, model.upper(), f"models/{model}", f"{model}-2025-01-31", "nothing-known"))
    call = Call(
        request=Request(
            operation=rng.choice(("chat", "embeddings", "responses", "decision")),
            provider=rng.choice((provider, *_SPELLED.get(provider, ()))),
            model=asked,
            batch=rng.choice((None, None, True, False)),
            service_tier=rng.choice((None, None, "flex", "default")),
            server_address=rng.choice((None, None, "eu.api.openai.com", "us-east5-aiplatform.googleapis.com")),
        ),
        response=Response(
            model=rng.choice((None, model, f"{model}-2025-02-28")),
            usage=_usage(rng),
            service_tier=rng.choice(_TIERS),
            speed=rng.choice((None, None, None, "fast", "standard")),
            inference_geo=rng.choice((None, None, None, "us", "global", "eu", "regional")),
        ),
        error=Error("server_error") if rng.random() < 0.05 else None,
    )
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(1060 * 24 * 60))
    return span(call, at)


_SPELLED = {
    "azure": ("azure.ai.openai", "azure.ai.inference"),
    "aws": ("aws.bedrock",),
    "google": ("gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai"),
    "mistral": ("mistral_ai",),
    "x-ai": ("x_ai",),
}


def _usage(rng: random.Random) -> Usage | None:
    """Mostly what calls have, sometimes anything at all."""
    if rng.random() < 0.05:
        return None
    size = rng.choice((0, 10, 1000, 150_000, 300_000, 1_200_000))
    total, out = rng.randint(0, size), rng.randint(0, 5000)
    usual: dict[str, Any] = {
        "input_tokens": total,
        "output_tokens": out,
        "cache_read_input_tokens": rng.choice((None, 0, rng.randint(0, total), total)),
        "reasoning_output_tokens": rng.choice((None, None, rng.randint(0, out))),
    }
    if rng.random() < 0.4:
        usual["cache_write_input_tokens"] = rng.choice((None, rng.randint(0, total // 2)))
        usual["cache_write_1h_input_tokens"] = rng.choice((None, rng.randint(0, total // 4)))
    if rng.random() < 0.3:
        usual |= {name: rng.randint(0, 2 * (total + 10)) for name in rng.sample(_COUNTS, rng.randint(1, 6))}
    if rng.random() < 0.15:
        usual |= dict.fromkeys(rng.sample(("input_tokens", "output_tokens"), rng.randint(1, 2)))
    estimated = True if rng.random() < 0.1 else None
    return Usage(**usual, estimated=estimated)
