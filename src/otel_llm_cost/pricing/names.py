"""The many spellings of a model's name, and of a vendor's.

One model is called `gpt-4o`, `models/gpt-4o`, `openai/gpt-4o`, `arn:…:foundation-model/…`, `us.anthropic.…`, with a
date behind it or without, or `ft:gpt-4o:acme::id` when fine-tuned.  `spellings` lists what a name may be looked up
as, nearest first, each with the reason that is recorded when it is the one that fits.  What follows from a guess,
a name without its date or the base of a fine-tuned model, is kept apart: such a price is marked.  `region_of` reads
from a host's name where inference ran, for the vendors that ask more for it.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

PROVIDERS: Final = {
    "az.ai.openai": "azure",
    "azure.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure.ai.inference": "azure",
    "azure_openai": "azure",
    "aws.bedrock": "aws",
    "bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gemini": "google",
    "gcp.vertex_ai": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "together-ai": "together",
    "fireworks_ai": "fireworks",
    "voyage_ai": "voyageai",
}
"""A vendor's name as OpenTelemetry (or a popular library) has it → its id in the price data.

Only these and the ids themselves are vendors.  Nothing is recognised by a part of its name: a gateway called
`my-openai` sets its own prices.
"""

SHOPS: Final = {"gcp.vertex_ai": "google"}
"""A place where a vendor sells at some prices of its own → the vendor, whose prices hold there for the rest."""

_ARN = re.compile(r"(?:^|/)arn:")
_MODEL_ARN = re.compile(r"^(?:.*/)?arn:[^/]*:(?:foundation-model|inference-profile)/([^/]+)$")
"""The ARNs that end in a model's name.  Others end in that of a thing of the account's own, whatever it looks like."""
_PATH = re.compile(r"^(?:.*/)?(?:publishers/[^/]+/)?models/(.+)$")
_REGION = re.compile(r"^(?:us-gov|us|eu|apac|global|jp|au|ca)\.(?=[a-z])")
_COMPACT_DATE = re.compile(r"-(20\d\d)(\d\d)(\d\d)(?=-|:|$)")
_DATE = r"(?:20\d\d-\d\d-\d\d|20\d{6}|20\d\d-\d\d|\d\d-20\d\d|(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01]))"
_DATED = re.compile(rf"^(.+?)[-@]{_DATE}(?:-v\d+(?::\d+)?)?$")
_FINE_TUNED = re.compile(r"^(?:ft:([^:]+)(?::.*)?|(.+)\.ft-.*)$")
_MOVING = re.compile(r"[-:~/]latest$")
_ROUTED = re.compile(r":(?:nitro|floor|exacto|online)$")
"""How OpenRouter is to choose a host for a model, not another model (`:free`, `:extended` and `:thinking` are)."""
_BY_CHARACTER = re.compile(r"^(?:text-(?:multilingual-)?embedding-\d|textembedding-gecko)")
"""Vertex AI's old embeddings are sold by the character; what a token of them is worth stands under `:tokens`."""
REGIONAL_HOST = re.compile(
    r"^(?:[a-z]{2}\.api\.openai\.com|[a-z0-9-]+\.api\.x\.ai|[a-z0-9-]+-aiplatform\.googleapis\.com|aiplatform\.[a-z]{2}\.rep\.googleapis\.com)$"
)


def region_of(server_address: str | None) -> str | None:
    """`regional` where a host promises to keep inference in one region, which some vendors charge for; else None."""
    return "regional" if server_address and REGIONAL_HOST.match(server_address.lower()) else None


def vendor_of(provider: str) -> str:
    """Whose prices hold at a provider: its own, or those of the vendor whose shop it is."""
    return SHOPS.get(provider, provider)


def is_arn(name: str) -> bool:
    """Whether a name is an ARN in full.  A word in it is no sign of a model: everything of an account has one."""
    return _ARN.search(name) is not None


def moves(name: str) -> bool:
    """Whether a name stands for another model when a newer one comes."""
    return _MOVING.search(name) is not None


def spellings(model: str) -> list[tuple[str, str]]:
    """What a name may be looked up as, nearest first: (spelling in lower case, reason or "" for the name itself)."""
    found = {model.strip().lower(): ""}
    for pattern in (_MODEL_ARN, _PATH):
        for name in list(found):
            if match := pattern.match(name):
                found.setdefault(match[1], "prefix_removed")
    for name in list(found):
        found.setdefault(_ROUTED.sub("", name), "variant_removed")
    for name in list(found):
        if "/" in name and not is_arn(name):
            found.setdefault(name.rpartition("/")[2], "vendor_prefix_removed")
    for name in list(found):
        found.setdefault(_REGION.sub("", name), "region_prefix_removed")
    for name in list(found):
        found.setdefault(_COMPACT_DATE.sub(_dashed, name), "date_respelled")
    return [(name, reason) for name, reason in found.items() if name]


def relatives(model: str) -> list[tuple[str, str]]:
    """Names whose price is a guess at this one's: (name, reason), nearest first."""
    out: list[tuple[str, str]] = []
    for name, _ in spellings(model):
        if match := _FINE_TUNED.match(name):
            base = match[1] or match[2]
            out.append((base, "fine_tuned_at_base_rate"))
            out.extend((dated[1], "fine_tuned_at_base_rate") for dated in [_DATED.match(base)] if dated)
        elif match := _DATED.match(name):
            out.append((match[1], "dated_suffix_removed"))
        if _BY_CHARACTER.match(name):
            out.append((f"{name}:tokens", "sold_by_the_character"))
    return out


def _dashed(match: re.Match[str]) -> str:
    """`-20251211` → `-2025-12-11`, if it is a day at all."""
    year, month, day = match.groups()
    try:
        return f"-{date(int(year), int(month), int(day)).isoformat()}"
    except ValueError:
        return match[0]
