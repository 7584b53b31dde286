"""Anthropic's Messages API, and the clouds that serve it.

What is asked is read in `endpoints`, what comes back in `answers` and `usage`, what goes wrong in `failures`, the words
in `content`, and the results of batches in `batches`.
"""

from .answers import billed, chunk, dull, is_usage_only, response
from .batches import download, results
from .content import answer, prompt, said
from .endpoints import rejects_stream_usage, request, stream_usage_option
from .failures import error

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
