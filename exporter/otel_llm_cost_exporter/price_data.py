"""The price data: made from the PyPI package genai-prices, kept in the repository, laid over by the user.

    python -m otel_llm_cost_exporter.price_data            write the packaged file from the installed genai-prices
    python -m otel_llm_cost_exporter.price_data --check    exit 1, with a summary, if that would change it

The file's bytes depend on nothing but the installed package, so that a build can make it again and compare.
`load_book` is what the exporter prices with: the packaged data or a newer installed genai-prices, under the overlay
that the environment variable OTEL_LLM_COST_PRICES names.
"""

from __future__ import annotations

import argparse
import json
import logging
import lzma
import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

import otel_llm_cost.pricing
from otel_llm_cost.pricing import Overlay, PriceBook
from otel_llm_cost.pricing.buckets import FEES
from otel_llm_cost.pricing.catalogue import DATA_FILE, SCHEMA, Catalogue
from otel_llm_cost.pricing.money import PER_MILLION, PER_THOUSAND

PACKAGE: Final = "genai-prices"
ENVIRONMENT: Final = "OTEL_LLM_COST_PRICES"

_log = logging.getLogger(__name__)

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


def encode(raw: Mapping[str, Any]) -> bytes:
    """The same bytes for the same data, on any machine."""
    text = json.dumps(raw, sort_keys=False, separators=(",", ":"), ensure_ascii=False)
    return lzma.compress(text.encode(), format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=9 | lzma.PRESET_EXTREME)


def packaged_file() -> Path:
    """Where the packaged data is, in a source tree or an installation."""
    return Path(otel_llm_cost.pricing.__file__).parent / "data" / DATA_FILE


def load_book(overlay: Path | None = None, environ: Mapping[str, str] = os.environ) -> PriceBook:
    """The prices to use now: the newer of packaged and installed, under the user's overlay if there is one.

    Raises OSError if the overlay cannot be read, ValueError naming entry and field if it is malformed.
    """
    book = PriceBook.vendored()
    newer = installed_if_newer(book.source)
    if newer is not None:
        _log.info("prices: %s %s is newer than the packaged %s and is used", PACKAGE, newer, book.source)
        book = PriceBook(Catalogue.decode(convert()), (Overlay.vendored(),))
    path = overlay or (Path(environ[ENVIRONMENT]) if environ.get(ENVIRONMENT) else None)
    return book if path is None else book.with_overlay(read_overlay(path))


def read_overlay(path: Path, origin: str = "user") -> Overlay:
    """An overlay from its file.  Raises OSError, or ValueError naming the file, the entry and the field."""
    try:
        return Overlay.decode(json.loads(path.read_bytes()), origin)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def installed() -> str | None:
    """The version of the installed genai-prices."""
    try:
        return installed_version(PACKAGE)
    except PackageNotFoundError:
        return None


def installed_if_newer(packaged_source: str) -> str | None:
    """The installed version, if it is above the one that the packaged data was made from."""
    here = installed()
    return here if here is not None and _order(here) > _order(packaged_source.rpartition(" ")[2]) else None


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:4])


def _days_checked(providers: Any) -> Iterator[str]:
    """The days on which the package's authors say that they looked a price up."""
    yield "2020-01-01"
    for provider in providers:
        for thing in (provider, *provider.models):
            yield from _CHECKED.findall(thing.price_comments or "")


def _provider(provider: Any) -> dict[str, Any]:
    return {"fallback": list(provider.fallback_model_providers or ()), "models": [_model(m) for m in provider.models]}


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
        raise ValueError(f"{PACKAGE} has a clause that is not understood: {clause!r}; extend price_data._OPERATORS")
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


def summary(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What is different between two data files, in lines for people."""
    lines = [f"{key}: {old.get(key)} → {new[key]}" for key in ("source", "date", "schema") if old.get(key) != new[key]]
    before, after = (
        {
            (name, model[0]): model
            for name, provider in data.get("providers", {}).items()
            for model in provider["models"]
        }
        for data in (old, new)
    )
    lines += [f"new: {name} {model}" for name, model in sorted(after.keys() - before.keys())]
    lines += [f"gone: {name} {model}" for name, model in sorted(before.keys() - after.keys())]
    return lines + [f"changed: {n} {m}" for n, m in sorted(before.keys() & after.keys()) if before[n, m] != after[n, m]]


def main(arguments: list[str] | None = None) -> int:
    """Write the packaged file, or compare it.  Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m otel_llm_cost_exporter.price_data", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the file would change")
    check: bool = parser.parse_args(arguments).check
    path, new = packaged_file(), convert()
    old = json.loads(lzma.decompress(path.read_bytes())) if path.exists() else {}
    # compared by content: another release of liblzma may compress the same data to other bytes
    if json.dumps(old) == json.dumps(new):
        _log.info("%s is up to date with %s", path, new["source"])
        return 0
    for line in summary(old, new)[:50]:
        _log.warning("%s", line)
    if check:
        _log.error("%s is not what %s gives: run without --check and commit it", path, new["source"])
        return 1
    path.write_bytes(encode(new))
    _log.info("wrote %s (%d bytes, %s, %s)", path, path.stat().st_size, new["source"], date.fromisoformat(new["date"]))
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
