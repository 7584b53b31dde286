"""Answers without a model: texts, JSON instances and vectors that depend on the request and on nothing else.

A token is a word or a punctuation mark.  That is not any vendor's tokenizer; what matters is that the same
request always costs the same, and that the count equals what a stream sends.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*\w+|\s*[^\w\s]")
_WORDS = _TOKEN.findall(
    "the order invoice team report customer renewal meeting budget answer price delivery contract question ticket "
    "note plan service account change result detail reply summary update payment address issue review release"
)
_MAX_DEPTH = 8
_SHORTEST = 8
_SPREAD = 60


@dataclass(frozen=True, slots=True)
class Generation:
    """What the model "wrote"; `cut` where a limit ended it."""

    text: str
    cut: bool


def generate(seed: str, schema: Mapping[str, Any] | None = None, limit: int | None = None) -> Generation:
    """A text of 8 to 67 tokens, or a JSON instance of the schema, cut at the limit as a model's would be."""
    if schema is not None:
        text = json.dumps(instance(schema, seed), separators=(",", ":"))
    else:
        text = write(seed, _SHORTEST + number(seed, _SPREAD))
    if limit is None or tokens(text) <= limit:
        return Generation(text, cut=False)
    return Generation("".join(pieces(text)[:limit]), cut=True)


def tokens(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


def pieces(text: str) -> list[str]:
    """The text cut as a stream sends it, one token each; joined they are the text."""
    return _PIECE.findall(text)


def canonical(value: object) -> str:
    """The same text for equal values."""
    return json.dumps(value, sort_keys=True, default=str)


def digest(*parts: object, size: int = 12) -> str:
    """A short hexadecimal fingerprint of the parts."""
    return blake2b(canonical(parts).encode(), digest_size=size).hexdigest()


def _numbers(seed: str) -> Any:
    """An endless sequence of bytes that only the seed decides."""
    for block in count():
        yield from blake2b(f"{seed}/{block}".encode()).digest()


def number(seed: str, limit: int) -> int:
    """A number from 0 up to, not including, `limit`."""
    return int(digest(seed), 16) % limit


def write(seed: str, length: int) -> str:
    """A text of exactly `length` tokens."""
    if length <= 0:
        return ""
    words = [_WORDS[n % len(_WORDS)] for n in islice(_numbers(seed), max(length - 1, 1))]
    text = " ".join(words)
    return text.capitalize() + ("." if length > 1 else "")


def vector(seed: str, dimensions: int) -> list[float]:
    """A vector of about unit length; equal texts have equal vectors."""
    raw = [n - 127.5 for n in islice(_numbers(seed), dimensions)]
    norm = sum(x * x for x in raw) ** 0.5
    return [x / norm for x in raw]


def instance(schema: Mapping[str, Any], seed: str) -> Any:
    """A value that a JSON schema accepts; references to `$defs` are followed."""
    return _instance(schema, seed, schema.get("$defs") or {}, 0)


def _instance(schema: Mapping[str, Any], seed: str, defs: Mapping[str, Any], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return None
    if "$ref" in schema:
        return _instance(defs.get(str(schema["$ref"]).rsplit("/", 1)[-1], {}), seed, defs, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][number(seed, len(schema["enum"]))]
    if schema.get("anyOf"):
        return _instance(schema["anyOf"][0], seed, defs, depth + 1)
    return _typed(schema, seed, defs, depth)


def _typed(schema: Mapping[str, Any], seed: str, defs: Mapping[str, Any], depth: int) -> Any:
    match str(schema.get("type")).lower():  # Gemini writes OBJECT
        case "object":
            properties = schema.get("properties") or {}
            return {name: _instance(part, f"{seed}.{name}", defs, depth + 1) for name, part in properties.items()}
        case "array":
            return [_instance(schema.get("items") or {}, f"{seed}.{n}", defs, depth + 1) for n in range(2)]
        case "integer":
            return number(seed, 100)
        case "number":
            return number(seed, 1000) / 10
        case "boolean":
            return number(seed, 2) == 1
        case "null":
            return None
        case _:
            return write(seed, 3)
