"""What two prompts have in common, without keeping the prompt.

A fingerprint is the BLAKE2b hash (RFC 7693, 128 bits) of a prompt's texts, case and white space evened out, so equal
prompts have equal fingerprints across processes and days.  A short prompt can be found by trying: who must not allow
that gives a key, and then only prompts hashed under the same key compare.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

_END: Final = 1 << 15
"""Characters at either end of a text that are hashed; of a longer one the middle counts by its length only."""


def fingerprint(texts: Iterable[str], key: bytes = b"") -> str | None:
    """128 bits in hex; None for a prompt without text.

    >>> fingerprint(["Where  is my ORDER?"]) == fingerprint(["where is my order?"])
    True
    """
    hashed = blake2b(digest_size=16, key=key[:64])
    found = False
    for text in texts:
        found = found or bool(text)
        hashed.update(_even(text).encode("utf-8", "surrogatepass"))
        hashed.update(b"\0")
    return hashed.hexdigest() if found else None


def _even(text: str) -> str:
    if len(text) > 2 * _END:
        text = f"{text[:_END]}\0{len(text)}\0{text[-_END:]}"
    return " ".join(text.casefold().split())
