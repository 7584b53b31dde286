"""How our rates compare with a second public source, LiteLLM's `model_prices_and_context_window` JSON.

Its keys name a model as LiteLLM routes to it, its fields a price in USD per token as a JSON number:
(input|output)_cost_per_token, cache_(read|creation)_input_token_cost and a few more, each with any of the suffixes
`_above_1hr` (a cache write's lifetime), `_above_200k_tokens` (the size of the prompt) and `_batches`, `_flex`,
`_priority` (how it is served).  The numbers are read as decimal text.  Some are shadows of floats, such as
7.000000000000001e-06; to a whole pico-dollar a token they are what was meant.

Compared is what the file says: a rate that only we have is no difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final, NamedTuple

from otel_llm_cost.pricing import Context, PriceBook, Priced
from otel_llm_cost.pricing.buckets import INDEX
from otel_llm_cost.pricing.names import PROVIDERS, vendor_of

from .files import PriceFileError

PACKAGE: Final = "litellm"
_FILE: Final = re.compile(r"model_prices_and_context_window\w*\.json\Z")

_VENDORS: Final = {
    "bedrock_converse": "aws",
    "cohere_chat": "cohere",
    "moonshot": "moonshotai",
    "text-completion-openai": "openai",
    "vertex_ai-anthropic_models": "google",
    "vertex_ai-language-models": "google",
    "voyage": "voyageai",
    "fireworks_ai-embedding-models": "fireworks",
}
"""LiteLLM's word for a vendor → its id in our data, where `names.PROVIDERS` does not have it."""

_BUCKETS: Final = {
    "input_cost_per_token": "input",
    "input_cost_per_audio_token": "input_audio",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write_5m",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "output_audio",
}
_FIELD: Final = re.compile(
    rf"({'|'.join(_BUCKETS)})(_above_1hr)?(?:_above_(\d+)k_tokens)?(?:_(batches|flex|priority))?\Z"
)
_CONTEXTS: Final = {
    "": Context(),
    "batches": Context(batch=True),
    "flex": Context(service_tier="flex"),
    "priority": Context(service_tier="priority"),
}
_SURE: Final = frozenset(("", "matched_by_pattern", "prefix_removed", "vendor_prefix_removed", "date_respelled"))
"""Why a name of theirs leads to a model of ours, where the two are the same model."""


class Rate(NamedTuple):
    """A price of theirs: what for, beyond which size of prompt, served how, in pico-dollars a token."""

    bucket: str
    above: int
    served: str
    price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """One of their models that has prices."""

    key: str
    provider: str
    model: str
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A rate that both have; `ours` is None where we have no such price and they do."""

    provider: str
    model: str
    key: str
    bucket: str
    above: int
    served: str
    ours: int | None
    theirs: int

    @property
    def percent(self) -> Decimal | None:
        """How much more they say than we do, to a tenth; None where there is no ratio."""
        if not self.ours:
            return None
        return (Decimal(self.theirs - self.ours) * 100 / self.ours).quantize(Decimal("0.1"))


class Drift(NamedTuple):
    """Rates that are equal, that are not, that we lack for a model we know, and models that one side alone knows."""

    agreeing: list[Compared]
    differing: list[Compared]
    missing: list[Compared]
    only_ours: list[tuple[str, str]]
    only_theirs: list[tuple[str, str]]


def installed_file() -> tuple[Path, str] | None:
    """The price file of an installed LiteLLM, and the version; nothing of it is imported."""
    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    files = [Path(str(file.locate())) for file in found.files or () if _FILE.search(file.name)]
    return next(((file, found.version) for file in files if file.is_file()), None)


def read(path: Path) -> list[Theirs]:
    """Their models that have prices per token.  Raises PriceFileError if it is no such file."""
    try:
        # a number as text: a float may not be what the file says
        raw = json.loads(path.read_bytes(), parse_float=str, parse_constant=str)
    except OSError as error:
        raise PriceFileError(f"{path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise PriceFileError(f"{path} is not JSON: {error}.") from error
    models = [_theirs(key, said) for key, said in raw.items() if isinstance(said, dict)] if _likely(raw) else []
    if not models:
        raise PriceFileError(f"{path} is not LiteLLM's model_prices_and_context_window JSON.")
    return [model for model in models if model is not None]


def _likely(raw: object) -> bool:
    return isinstance(raw, dict) and any(isinstance(v, dict) and "litellm_provider" in v for v in raw.values())


def _theirs(key: str, said: Mapping[str, Any]) -> Theirs | None:
    """A model of theirs; None if it has no price per token, or is free, which there often means that it is unknown."""
    vendor = said.get("litellm_provider")
    rates = tuple(_rates(said))
    if not isinstance(vendor, str) or not any(rate.price for rate in rates):
        return None
    provider = _VENDORS.get(vendor) or vendor_of(PROVIDERS.get(vendor, vendor))
    return Theirs(key=key, provider=provider, model=key.removeprefix(f"{vendor}/"), rates=rates)


def _rates(said: Mapping[str, Any]) -> Iterator[Rate]:
    for name, value in said.items():
        if (field := _FIELD.match(name)) and (price := _pico(value)) is not None:
            stem, hour, above, served = field.groups()
            bucket = "cache_write_1h" if hour else _BUCKETS[stem]
            yield Rate(bucket, int(above or 0) * 1000, served or "", price)


def _pico(value: object) -> int | None:
    """USD a token, as the file writes it → whole pico-dollars a token."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        return None
    if not price.is_finite() or not 0 <= price < 1:
        return None
    return int(price.scaleb(12).to_integral_value(ROUND_HALF_EVEN))


def compare(book: PriceBook, day: date, theirs: Iterable[Theirs]) -> Drift:
    """Every rate of theirs beside ours of that day, for the vendors that both know."""
    drift = Drift([], [], [], [], [])
    met: set[tuple[str, str]] = set()
    vendors: set[str] = set()
    for model in theirs:
        if _is_a_place(model) or not any(book.models(model.provider)):
            continue
        vendors.add(model.provider)
        found = book.resolve(model.provider, model.model, day)
        if not isinstance(found, Priced) or not _same(found):
            drift.only_theirs.append((model.provider, model.model))
            continue
        met.add((model.provider, found.model))
        for rate in _compared(book, day, model, found.model):
            verdict = drift.missing if rate.ours is None else drift.differing
            (drift.agreeing if rate.ours == rate.theirs else verdict).append(rate)
    listed = ((vendor, name) for vendor in sorted(vendors) for name in book.models(vendor))
    drift.only_ours.extend(name for name in listed if name not in met)
    drift.only_theirs.sort()
    return drift


def _is_a_place(model: Theirs) -> bool:
    """Azure and Bedrock are listed by region and by commitment, too: `azure/eu/gpt-4o`.  Ours are standard prices."""
    return model.provider in ("azure", "aws") and "/" in model.model


def _same(found: Priced) -> bool:
    if found.status == "override":
        return True
    return found.status in ("exact", "alias") and (found.reason in _SURE or found.reason.startswith("priced_as_"))


def _compared(book: PriceBook, day: date, model: Theirs, name: str) -> Iterator[Compared]:
    for rate in model.rates:
        found = book.resolve(model.provider, model.model, day, _CONTEXTS[rate.served])
        ours = None
        if isinstance(found, Priced) and "no_price_for" not in found.reason:
            # "200k" is 200,000 to some and 204,800 to others: a prompt above both
            ours = found.card.row(rate.above * 1024 // 1000 + 1)[INDEX[rate.bucket]]
        yield Compared(
            provider=model.provider,
            model=name,
            key=model.key,
            bucket=rate.bucket,
            above=rate.above,
            served=rate.served,
            ours=ours,
            theirs=rate.price,
        )
