"""What a user sets: arguments of `instrument()`, else the environment, else the defaults.

A setting that makes no sense is named in the log with what would, and the default holds: a program must not fail for
the sake of its telemetry.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from . import hosts
from .capture import LONGEST, Capture
from .turn import Settings

log = logging.getLogger(__name__)

STREAM_USAGE: Final = "OTEL_LLM_COST_STREAM_USAGE"
CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
CONTENT_LENGTH: Final = "OTEL_LLM_COST_CONTENT_MAX_LENGTH"
REDACT: Final = "OTEL_LLM_COST_REDACT"
FINGERPRINT: Final = "OTEL_LLM_COST_PROMPT_FINGERPRINT"
FINGERPRINT_KEY: Final = "OTEL_LLM_COST_PROMPT_FINGERPRINT_KEY"
EMBEDDING: Final = "OTEL_LLM_COST_PROMPT_EMBEDDING"
_MODES: Final = {
    "no_content": (False, False),
    "span_only": (True, False),
    "event_only": (False, True),
    "span_and_event": (True, True),
    "false": (False, False),
    "true": (True, False),  # as earlier instrumentations spelt it
}
_NO: Final = ("false", "0", "no", "off")
_HASHING: Final = "hashing"


def settings(given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """How waists behave."""
    stream_usage = given.get("stream_usage")
    named = given.get("provider_hosts")
    return Settings(
        _flag(environ, STREAM_USAGE) if stream_usage is None else stream_usage,
        {hosts.where(host): name for host, name in named.items()}
        if named is not None
        else _hosts(environ.get(hosts.NAMED, "")),
    )


def capture(given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Capture:
    """What is reported of a conversation."""
    on_span, on_event = _mode(str(given.get("capture_content") or environ.get(CONTENT) or "no_content"))
    embed, model = _embedder(given.get("embed"), environ.get(EMBEDDING, "").strip())
    redact = given.get("redact") or _named(environ.get(REDACT, ""), REDACT)
    if environ.get(REDACT) and redact is None:
        on_span = on_event = False  # better no content than content that was to be redacted
    return Capture(
        on_span=on_span,
        on_event=on_event,
        longest=_length(given.get("content_max_length"), environ.get(CONTENT_LENGTH, "")),
        redact=redact,
        fingerprint=_flag(environ, FINGERPRINT),
        fingerprint_key=environ.get(FINGERPRINT_KEY, "").encode(),
        embed=embed,
        embedding_model=model,
    )


def _flag(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "true").strip().lower() not in _NO


def _mode(said: str) -> tuple[bool, bool]:
    mode = _MODES.get(said.strip().lower())
    if mode is None:
        log.warning("%s: %r is none of %s; no content is captured", CONTENT, said, ", ".join(_MODES))
        return False, False
    return mode


def _length(given: int | None, said: str) -> int:
    if given is not None:
        return given
    if said.strip().isdecimal():
        return int(said)
    if said.strip():
        log.warning("%s: %r is no number of characters; %d holds", CONTENT_LENGTH, said, LONGEST)
    return LONGEST


def _embedder(given: Any, said: str) -> tuple[Any, str]:
    if given is not None:
        return given, str(getattr(given, "model", None) or getattr(given, "__qualname__", type(given).__name__))
    if not said:
        return None, ""
    if said == _HASHING:
        said = "otel_llm_cost.embedding:hashing"
    return _named(said, EMBEDDING), said


def _named(said: str, setting: str) -> Any:
    """The function that `module:function` names."""
    if not said.strip():
        return None
    module, _, name = said.strip().partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as fault:
        log.warning("%s: %r cannot be loaded (%s); it must name module:function", setting, said, type(fault).__name__)
        return None
    return found


def _hosts(listed: str) -> dict[str, str]:
    found, bad = hosts.named(listed)
    for entry in bad:
        log.warning("%s: %r is not of the form host=provider or host:port=provider; ignored", hosts.NAMED, entry)
    return found
