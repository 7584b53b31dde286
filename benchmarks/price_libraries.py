"""Three libraries that turn usage into money, each behind one function, and a worker that runs one of them.

    python benchmarks/price_libraries.py ours | genai-prices | litellm

It reads one order a line, `{"do": "price", "case": CASE}` or `{"do": "time", "case": CASE, "loops": 1000}`, and answers
each with a line.  A CASE is a call as tests/pricing/golden.json has it.  Every library is asked in its own words (its
names of vendors, its shape of usage), made before the clock runs.  Only the library in question is imported, so that
each can have an environment of its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from typing import Any, Final

Case = Mapping[str, Any]
Asking = Callable[[], Any]
"""Prices the case once; None or an exception is no answer."""


def main(library: str) -> None:
    """Answer orders until there are no more.  What a library prints itself is no answer."""
    answers, sys.stdout = sys.stdout, sys.stderr
    ask = ASKS[library]()
    for line in sys.stdin:
        order = json.loads(line)
        case = order["case"]
        answer = _priced(ask, case) if order["do"] == "price" else _timed(ask(case), order["loops"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _priced(ask: Callable[[Case], Asking], case: Case) -> dict[str, Any]:
    try:
        answer = ask(case)()
    except Exception as error:  # noqa: BLE001  # whatever a library raises is that it has no answer
        return {"usd": None, "doubt": "", "why": f"{type(error).__name__}: {error}"[:100]}
    usd, doubt = answer if isinstance(answer, tuple) else (answer, "")
    return {"usd": None if usd is None else str(usd), "doubt": doubt, "why": doubt}


def _timed(asking: Asking, loops: int) -> float:
    """Nanoseconds a call."""
    asking()
    start = time.perf_counter_ns()
    for _ in range(loops):
        asking()
    return (time.perf_counter_ns() - start) / loops


def ours() -> Callable[[Case], Asking]:
    """otel-llm-cost: what it says of its own doubt counts as said."""
    from otel_llm_cost.pricing import Context, PriceBook
    from otel_llm_cost.record import Usage

    book = PriceBook.vendored()

    def ask(case: Case) -> Asking:
        provider, model, usage = case["provider"], case["model"], Usage(**case["usage"])
        at, context = date.fromisoformat(case["date"]), Context(**case["context"])
        if case.get("timed"):
            return lambda: book.price(provider, model, usage, at, context)

        def said() -> tuple[Decimal | None, str]:
            cost = book.price(provider, model, usage, at, context)
            doubt = cost.reason if cost.status in ("fallback", "partial", "unknown") else ""
            return (None if cost.total is None else Decimal(cost.total).scaleb(-12), doubt)

        return said

    return ask


_THEIR_PROVIDERS: Final = {
    "azure.ai.openai": ("azure", "azure"),
    "aws.bedrock": ("aws", "bedrock"),
    "gcp.gemini": ("google", "gemini"),
    "gcp.gen_ai": ("google", "gemini"),
    "gcp.vertex_ai": ("google", "vertex_ai"),
    "x_ai": ("x-ai", "xai"),
    "mistral_ai": ("mistral", "mistral"),
    "together": ("together", "together_ai"),
    "fireworks": ("fireworks", "fireworks_ai"),
}
"""OpenTelemetry's name of a vendor → (genai-prices', litellm's); the same word where it is not listed."""

_GENAI: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_write_input_tokens": "cache_write_tokens",
    "cache_write_1h_input_tokens": "cache_write_1h_tokens",
    "cache_write_5m_input_tokens": "cache_write_5m_tokens",
    "reasoning_output_tokens": "output_reasoning_tokens",
    "audio_input_tokens": "input_audio_tokens",
    "audio_output_tokens": "output_audio_tokens",
    "audio_cache_read_input_tokens": "cache_audio_read_tokens",
    "image_input_tokens": "input_image_tokens",
    "image_output_tokens": "output_image_tokens",
    "web_search_requests": "web_searches",
    "grounding_requests": "web_searches",
    "file_search_requests": "storage_searches",
    "code_execution_requests": "code_executions",
}


def _word(case: Case, name: str) -> str | None:
    """A context's word as both write it; None for the standard."""
    word = str(case["context"].get(name, "default")).lower().removeprefix("on_demand_")
    return None if word == "default" else word


def genai_prices() -> Callable[[Case], Asking]:
    """genai-prices: `calc_price`, with the provider's id, the moment and the context."""
    from genai_prices import Usage, calc_price

    def ask(case: Case) -> Asking:
        provider = _THEIR_PROVIDERS.get(case["provider"], (case["provider"],))[0]
        said = {_GENAI[name]: count for name, count in case["usage"].items() if name in _GENAI}
        if "cache_write_tokens" not in said:
            said["cache_write_tokens"] = sum(n for k, n in said.items() if k.startswith("cache_write_"))
        context = {name: word for name in ("service_tier", "speed") if (word := _word(case, name))}
        if case["context"].get("batch"):
            context["processing"] = "batch"
        usage, model = Usage(**said), case["model"]
        at = datetime.combine(date.fromisoformat(case["date"]), datetime.min.time(), UTC)
        return lambda: (
            calc_price(
                usage, model, provider_id=provider, genai_request_timestamp=at, price_context=context
            ).total_price
        )

    return ask


def litellm() -> Callable[[Case], Asking]:
    """litellm: `completion_cost`, or `batch_cost_calculator` for a batch; `cost_per_token` against the clock."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    library = import_module("litellm")
    batch_cost_calculator = import_module("litellm.cost_calculator").batch_cost_calculator

    def ask(case: Case) -> Asking:
        provider = _THEIR_PROVIDERS.get(case["provider"], ("", case["provider"]))[1]
        model, tier, region = case["model"], _word(case, "service_tier"), _word(case, "region")
        usage = _litellm_usage(library, case["usage"])
        usage.speed, usage.inference_geo = _word(case, "speed"), region
        if case.get("timed"):
            return lambda: library.cost_per_token(
                model=model, custom_llm_provider=provider, usage_object=usage, service_tier=tier
            )
        if case["context"].get("batch"):
            return lambda: sum(batch_cost_calculator(usage, model, custom_llm_provider=provider))
        response = library.ModelResponse(model=model, usage=usage)
        where = {"vertex_location": "us-east5"} if region == "regional" and provider == "vertex_ai" else {}
        where |= {"data_residency": "eu"} if region == "regional" and provider == "openai" else {}
        return lambda: library.completion_cost(
            completion_response=response, model=model, custom_llm_provider=provider, service_tier=tier, **where
        )

    return ask


def _litellm_usage(library: Any, said: Mapping[str, int]) -> Any:
    written = {
        ttl: said[f"cache_write_{ttl}_input_tokens"]
        for ttl in ("5m", "1h")
        if f"cache_write_{ttl}_input_tokens" in said
    }
    created = said.get("cache_write_input_tokens", sum(written.values()))
    if "1h" in written:
        written["5m"] = created - written["1h"]
    prompt = {
        "cached_tokens": said.get("cache_read_input_tokens"),
        "audio_tokens": said.get("audio_input_tokens"),
        "image_tokens": said.get("image_input_tokens"),
        "web_search_requests": said.get("grounding_requests"),
        "cache_creation_tokens": created or None,
        "cache_creation_token_details": {f"ephemeral_{ttl}_input_tokens": n for ttl, n in written.items()} or None,
    }
    answer = {
        "reasoning_tokens": said.get("reasoning_output_tokens"),
        "audio_tokens": said.get("audio_output_tokens"),
        "image_tokens": said.get("image_output_tokens"),
    }
    more: dict[str, Any] = {"cache_creation_input_tokens": created} if created else {}
    if "cache_read_input_tokens" in said:
        more["cache_read_input_tokens"] = said["cache_read_input_tokens"]
    if "web_search_requests" in said:
        more["server_tool_use"] = {"web_search_requests": said["web_search_requests"]}
    return library.Usage(
        prompt_tokens=said.get("input_tokens", 0),
        completion_tokens=said.get("output_tokens", 0),
        total_tokens=said.get("input_tokens", 0) + said.get("output_tokens", 0),
        prompt_tokens_details={name: count for name, count in prompt.items() if count is not None},
        completion_tokens_details={name: count for name, count in answer.items() if count is not None},
        **more,
    )


ASKS: Final[dict[str, Callable[[], Callable[[Case], Asking]]]] = {
    "ours": ours,
    "genai-prices": genai_prices,
    "litellm": litellm,
}

if __name__ == "__main__":
    main(sys.argv[1])
