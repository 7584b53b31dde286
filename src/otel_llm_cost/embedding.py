"""A prompt as a point in space, with no model and nothing sent: words and runs of characters, hashed.

It finds prompts that share wording, which is what templates, retries and near-duplicates do; for likeness of meaning
name an embedder of your own in `OTEL_LLM_COST_PROMPT_EMBEDDING=module:function`.  The hashing is scikit-learn's
`HashingVectorizer` (the "hashing trick", Weinberger et al. 2009), which needs no vocabulary and so gives equal vectors
in every process.  Needs the extra `embedding`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

DIMENSIONS: Final = 256
_LONGEST: Final = 20_000


def hashing(text: str) -> list[float]:
    """A unit vector of 256 numbers; ImportError without scikit-learn."""
    words, characters = _vectorizers()
    vector = words.transform([text[:_LONGEST]]) + characters.transform([text[:_LONGEST]])
    dense = vector.toarray()[0]
    length = float((dense @ dense) ** 0.5) or 1.0
    return [float(value) / length for value in dense]


@lru_cache(maxsize=1)
def _vectorizers() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415  # an extra

    words = HashingVectorizer(n_features=DIMENSIONS, analyzer="word", ngram_range=(1, 2))
    return words, HashingVectorizer(n_features=DIMENSIONS, analyzer="char_wb", ngram_range=(3, 5))
