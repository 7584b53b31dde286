"""OpenAI and every host that speaks its protocol.

What is asked is read in `endpoints`, what comes back in `answers` and `usage`, the words of both in `content`, and the
results of batches in `batch`.
"""

from .answers import billed, chunk, dull, error, is_usage_only, rejects_stream_usage, response
from .batch import download, results
from .content import answer, prompt, said
from .endpoints import request, stream_usage_option

__all__ = [
    "answer",
    "billed",
    "chunk",
    "download",
    "dull",
    "error",
    "is_usage_only",
    "prompt",
    "rejects_stream_usage",
    "request",
    "response",
    "results",
    "said",
    "stream_usage_option",
]
