"""`otel-llm-cost prices explain`: a bill line by line, and with --why the layers that made each rate."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

import typer

from otel_llm_cost.pricing import Context, Cost, Line
from otel_llm_cost.pricing.money import Rate, usd
from otel_llm_cost.record import Usage
from otel_llm_cost_exporter.prices.layers import Layer, layers

from .output import JsonOption, emit
from .prices_common import OverlayOption, moment, priced, prices_in_force
from .prices_tables import bill_table

_TOKENS: Final = "Tokens"
_REQUESTS: Final = "Requests"
_SERVED: Final = "How it was served"


def _count(name: str, panel: str = _TOKENS, help: str = "") -> Any:  # noqa: A002  # typer's own word
    return typer.Option(f"--{name}", min=0, help=help, rich_help_panel=panel)


def _served(name: str, help: str) -> Any:  # noqa: A002  # as above
    return typer.Option(f"--{name}", help=help, rich_help_panel=_SERVED)


Count = int | None


def explain(
    model: Annotated[str, typer.Option("--model")],
    provider: Annotated[str, typer.Option("--provider", help="As in gen_ai.provider.name.")] = "openai",
    prompt: Annotated[Count, _count("input", help="Cached ones included.")] = None,
    output: Annotated[Count, _count("output", help="Reasoning included.")] = None,
    cached: Annotated[Count, _count("cached", help="Read from a cache.")] = None,
    written: Annotated[Count, _count("cache-write", help="Written to a cache, in all.")] = None,
    written_5m: Annotated[Count, _count("cache-write-5m", help="Of those, kept for five minutes.")] = None,
    written_30m: Annotated[Count, _count("cache-write-30m")] = None,
    written_1h: Annotated[Count, _count("cache-write-1h")] = None,
    written_12h: Annotated[Count, _count("cache-write-12h")] = None,
    reasoning: Annotated[Count, _count("reasoning")] = None,
    audio_input: Annotated[Count, _count("audio-input")] = None,
    audio_cached: Annotated[Count, _count("audio-cached")] = None,
    audio_output: Annotated[Count, _count("audio-output")] = None,
    image_input: Annotated[Count, _count("image-input")] = None,
    image_cached: Annotated[Count, _count("image-cached")] = None,
    image_output: Annotated[Count, _count("image-output")] = None,
    compacted: Annotated[Count, _count("compaction-input", help="Of the input, what a compaction read.")] = None,
    web_search: Annotated[Count, _count("web-search", _REQUESTS)] = None,
    grounding: Annotated[Count, _count("grounding", _REQUESTS)] = None,
    file_search: Annotated[Count, _count("file-search", _REQUESTS)] = None,
    code_execution: Annotated[Count, _count("code-execution", _REQUESTS)] = None,
    tier: Annotated[str | None, _served("tier", "The service tier that was served.")] = None,
    batch: Annotated[bool, typer.Option("--batch", rich_help_panel=_SERVED)] = False,
    speed: Annotated[str | None, _served("speed", "Such as fast.")] = None,
    region: Annotated[str | None, _served("region", "Where it was served, such as eu.")] = None,
    day: Annotated[str | None, _served("date", "A day, or a moment such as 2026-11-01T03:00Z.")] = None,
    why: Annotated[bool, typer.Option("--why", help="Also what set each rate, layer by layer.")] = False,
    overlay: OverlayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why a call cost what it did: bucket × rate = amount, line by line."""
    usage = Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_input_tokens=cached,
        cache_write_input_tokens=written,
        cache_write_5m_input_tokens=written_5m,
        cache_write_30m_input_tokens=written_30m,
        cache_write_1h_input_tokens=written_1h,
        cache_write_12h_input_tokens=written_12h,
        reasoning_output_tokens=reasoning,
        audio_input_tokens=audio_input,
        audio_cache_read_input_tokens=audio_cached,
        audio_output_tokens=audio_output,
        image_input_tokens=image_input,
        image_cache_read_input_tokens=image_cached,
        image_output_tokens=image_output,
        compaction_input_tokens=compacted,
        web_search_requests=web_search,
        grounding_requests=grounding,
        file_search_requests=file_search,
        code_execution_requests=code_execution,
    )
    prices, at, context = prices_in_force(overlay), moment(day), Context(tier, batch, speed, region)
    told = explained(prices.book().price(provider, model, usage, at, context), provider, model, at)
    if why:
        told["layers"] = [_layer(layer) for layer in layers(prices, provider, model, at, context)]
    emit(told, as_json, lambda: bill_table(told))


def explained(cost: Cost, provider: str, model: str, at: date) -> dict[str, Any]:
    """A cost with its lines, in USD as exact decimal text; `None` where unknown."""
    return {
        "provider": provider,
        "model": model,
        "date": at,
        "status": cost.status,
        "reason": cost.reason,
        "price_model": cost.model,
        "version": cost.version,
        "source": cost.source,
        "total_usd": None if cost.total is None else usd(cost.total),
        "lines": [_line(line) for line in cost.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    price, per = priced(line.bucket, line.rate)
    amount = None if line.amount is None else usd(line.amount)
    return {"bucket": line.bucket, "quantity": line.quantity, "usd": price, "per": per, "amount_usd": amount}


def _layer(layer: Layer) -> dict[str, Any]:
    changed = [
        {"bucket": name, "old": _steps(name, old), "new": _steps(name, new)}
        for name, (old, new) in layer.changed.items()
    ]
    return {"by": layer.by, "what": layer.what, "source": layer.source, "changed": changed}


def _steps(bucket: str, rate: Rate | None) -> str | None:
    """`2.5, 5 above 272000`, in dollars per million tokens or thousand requests."""
    if rate is None:
        return None
    told = [(start, priced(bucket, price)[0]) for start, price in rate]
    return ", ".join(f"{price} above {start}" if start else str(price) for start, price in told)
