"""Which try of a call a request is, where the SDK says it and where it does not.

OpenAI's and Anthropic's SDKs count their retries in a header.  Google's does not; there a request counts as a retry
when the very same one was refused just before in a way that one tries again after.
"""

from __future__ import annotations

import threading
from typing import Final

_TRY_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})


class Attempts:
    """Remembers refused requests; safe to use from many threads."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}
        self._lock = threading.Lock()

    def number(self, said: str | None, fingerprint: str) -> int:
        """0 for a first try; `said` is the SDK's own count."""
        if said is not None and said.isdigit():
            return int(said)
        with self._lock:
            return self._refused.get(fingerprint, 0)

    def answered(self, fingerprint: str, status: int) -> None:
        with self._lock:
            if status in _TRY_AGAIN:
                self._refused[fingerprint] = self._refused.get(fingerprint, 0) + 1
            else:
                self._refused.pop(fingerprint, None)
