"""The PyPI package genai-prices → our data file's shape, which `otel_llm_cost.pricing.catalogue` describes.

    python -m otel_llm_cost_exporter.prices.convert    the file's bytes on stdout, from the genai-prices of this process

The bytes depend on nothing but the package, so that a build can make them again and compare.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, Final

from otel_llm_cost.pricing.buckets import FEES
from otel_llm_cost.pricing.catalogue import SCHEMA
from otel_llm_cost.pricing.money import PER_MILLION, PER_THOUSAND

PACKAGE: Final = "genai-prices"

_BUCKETS: Final = {
    "input_mtok": "input",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "cache_read_mtok": "cache_read",
    "cache_audio_read_mtok": "cache_read_audio",
    "cache_image_read_mtok": "cache_read_image",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "requests_kcount": "request",
    "web_searches_kcount": "web_search",
    "storage_searches_kcount": "file_search",
    "code_executions_kcount": "code_execution",
}
"""Prices of the package that a `Usage` has quantities for, by bucket; hours, pages and characters are left out."""

_NOT_SOLD: Final = {"openai": "gpt-oss"}
"""Vendor → how models begin that the package lists for it and that it does not sell: open weights, run by others."""
_PRICES_OF_ITS_OWN: Final = {"azure": frozenset({"deepseek"})}
"""Host → vendors on whose prices the package falls back for it, though the host sells their models at its own."""

_OPERATORS: Final = {"equals": "=", "starts_with": "^", "ends_with": "$", "contains": "*", "regex": "~"}
_CHECKED: Final = re.compile(r"(?:verified|checked|listed)[^.;]{0,40}? on (20\d\d-\d\d-\d\d)")


def convert() -> dict[str, Any]:
    """The installed package's data in the shape that `catalogue` describes.

    Raises PackageNotFoundError (an ImportError) if it is not installed.
    """
    version = installed_version(PACKAGE)
    from genai_prices.data import providers  # noqa: PLC0415  # 0.7 s, and an optional dependency

    return {
        "schema": SCHEMA,
        "source": f"{PACKAGE} {version}",
        "date": max(_days_checked(providers)),
        "providers": {provider.id: _provider(provider) for provider in providers},
    }


def installed() -> str | None:
    """The version of the installed package."""
    try:
        return installed_version(PACKAGE)
    except PackageNotFoundError:
        return None


def encode(raw: Mapping[str, Any]) -> bytes:
    """The same bytes for the same data, on any machine."""
    text = json.dumps(raw, sort_keys=False, separators=(",", ":"), ensure_ascii=False)
    return lzma.compress(text.encode(), format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=9 | lzma.PRESET_EXTREME)


def _days_checked(providers: Any) -> Iterator[str]:
    """The days on which the package's authors say that they looked a price up."""
    yield "2020-01-01"
    for provider in providers:
        for thing in (provider, *provider.models):
            yield from _CHECKED.findall(thing.price_comments or "")


def _provider(provider: Any) -> dict[str, Any]:
    others = _PRICES_OF_ITS_OWN.get(provider.id, frozenset())
    fallback = [name for name in provider.fallback_model_providers or () if name not in others]
    not_sold = _NOT_SOLD.get(provider.id)
    models = [m for m in provider.models if not (not_sold and m.id.startswith(not_sold))]
    return {"fallback": fallback, "models": [_model(m) for m in models]}


def _model(model: Any) -> list[Any]:
    prices = model.prices if isinstance(model.prices, list) else [None]
    clause = _clause(model.match)
    return [
        model.id,
        None if clause == ["=", model.id] else clause,
        [[None, _rates(model.prices)] if p is None else [_when(p.constraint), _rates(p.prices)] for p in prices],
        [_variant(v) for v in model.price_variants or () if _rates(v.prices)],
    ]


def _variant(variant: Any) -> list[Any]:
    context = {"batch" if key == "processing" else key: value for key, value in variant.when.items()}
    if context.get("batch") == "batch":
        context["batch"] = "true"
    return [context, _when(variant.constraint), _rates(variant.prices)]


def _clause(clause: Any) -> list[Any]:
    for joiner, operator in (("or_", "|"), ("and_", "&")):
        if hasattr(clause, joiner):
            return [operator, *(_clause(part) for part in getattr(clause, joiner))]
    (name, operand), *rest = vars(clause).items()
    if rest or name not in _OPERATORS:
        raise ValueError(f"{PACKAGE} has a clause that is not understood: {clause!r}; extend prices.convert._OPERATORS")
    return [_OPERATORS[name], operand]


def _when(constraint: Any) -> str | None:
    if constraint is None:
        return None
    if hasattr(constraint, "start_date"):
        return str(constraint.start_date.isoformat())
    if constraint.start_time.utcoffset() or constraint.end_time.utcoffset():
        raise ValueError(f"{PACKAGE} has a daily interval that is not in UTC: {constraint!r}; convert it in _when")
    return f"{constraint.start_time:%H:%M}-{constraint.end_time:%H:%M}"


def _rates(prices: Any) -> dict[str, Any]:
    known = {_BUCKETS[key]: price for key, price in vars(prices).items() if key in _BUCKETS and price is not None}
    return {b: _rate(price, PER_THOUSAND if b in FEES else PER_MILLION) for b, price in sorted(known.items())}


def _rate(price: Any, shift: int) -> int | list[int]:
    if not hasattr(price, "tiers"):
        return _pico(price, shift)
    return [_pico(price.base, shift), *(n for tier in price.tiers for n in (tier.start, _pico(tier.price, shift)))]


def _pico(price: Any, shift: int) -> int:
    """Decimal USD → whole pico-dollars a unit; some prices of the package are shadows of floats, hence rounded."""
    return int(price.scaleb(shift).to_integral_value(ROUND_HALF_EVEN))


if __name__ == "__main__":
    sys.stdout.buffer.write(encode(convert()))
