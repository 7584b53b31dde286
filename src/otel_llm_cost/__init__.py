"""Zero-code GenAI spans with tokens, cache, errors and retries.

Most programs need no import: `opentelemetry-instrument python app.py` finds the instrumentation by itself.
"""

from .context import tags

__all__ = ["tags"]
