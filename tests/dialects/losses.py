"""What a peer's spans do not hold of a call, and why: no reader can know it.

`times` is the number of cases in which it is so; a peer that has learnt better makes the run fail, and loses its line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Loss:
    """A fact that is not in the spans of so many cases of a vendor."""

    vendor: str
    fact: str
    times: int
    why: str

    def __str__(self) -> str:
        return f"{self.vendor}, {self.fact} ({self.times} x): {self.why}"


_NO_TIER = "the span does not name the tier that served"
_NO_TTL = "the span has no cache writes by their time to live: an hour's is priced as five minutes'"
_NO_SEARCHES = "the span does not count the searches that Anthropic made"
_NO_MODALITY = "the span does not tell audio and images from text"
_NO_REASONING = "the span does not tell reasoning from the rest of the output, which it is part of"
_NO_CACHE = "the span does not say what was read from the cache: it is priced as plain input"
_NO_STREAM = "the span does not say that it was a stream"
_NO_FINISH = "the span does not say why the answer ended"
_NO_ID = "the span has no id of the answer"
_NO_ASKED = "the span names only the model that answered"
_NO_ANSWERER = "the span names only the model that was asked for"
_NO_TOOLS = "the span leaves out the input that tools brought in"
_NO_USAGE = "the span has no usage at all"
_NOT_SEEN = "there is no span of this call"
_ANY_GOOGLE = "the span does not tell which of Google's services it was"
_ASKED = "the span of a stream gives the model that was asked for as the one that answered"
_OWN_STREAM = "the framework streams what its caller asks for whole, and tells the caller's view"
_PLACEHOLDER = (
    "the span adds the first event's placeholder to the output: marked as an estimate where it says it streams"
)
_FIRST_INPUT = "the span has the input of a stream's first event, before the searches brought in more"
_REST = "the span has what thoughts and tools used in its total alone: taken for thoughts, marked as an estimate"
_OWN_COUNT = "the span has counts though nobody told any: the peer's own, by a tokenizer, marked as an estimate"
_TWICE = "of a refused call nothing was used: its two spans are two rows without cost"
_FOLLOWS = "it follows from what is missing in these cases"

LOSSES: Final[dict[str, tuple[Loss, ...]]] = {
    "genai (with the SDK's own)": (
        Loss("anthropic", "cost", 2, _FOLLOWS),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
    ),
    "genai": (
        Loss("anthropic", "cache_write_1h_tokens", 3, _NO_TTL),
        Loss("anthropic", "cost", 5, _FOLLOWS),
        Loss("anthropic", "service_tier", 17, _NO_TIER),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
    ),
    "openai_v2 latest": (
        Loss("openai", "cache_read_tokens", 6, _NO_CACHE),
        Loss("openai", "calls", 5, _NOT_SEEN),
        Loss("openai", "cost", 6, _FOLLOWS),
        Loss("openai", "finish", 4, _NO_FINISH),
        Loss("openai", "reasoning_tokens", 2, _NO_REASONING),
        Loss("openai", "stream", 4, _NO_STREAM),
    ),
    "openai_v2": (
        Loss("openai", "cache_read_tokens", 6, _NO_CACHE),
        Loss("openai", "calls", 5, _NOT_SEEN),
        Loss("openai", "cost", 6, _FOLLOWS),
        Loss("openai", "finish", 4, _NO_FINISH),
        Loss("openai", "reasoning_tokens", 2, _NO_REASONING),
        Loss("openai", "stream", 4, _NO_STREAM),
    ),
    "google_genai": (
        Loss("gcp.gemini", "cost", 3, _FOLLOWS),
        Loss("gcp.gemini", "input_tokens", 2, _NO_TOOLS),
        Loss("gcp.gemini", "response_model", 1, _NO_ANSWERER),
    ),
    "openai_v2 (2.1, old names)": (
        Loss("openai", "cache_read_tokens", 6, _NO_CACHE),
        Loss("openai", "calls", 6, _NOT_SEEN),
        Loss("openai", "cost", 6, _FOLLOWS),
        Loss("openai", "finish", 4, _NO_FINISH),
        Loss("openai", "reasoning_tokens", 2, _NO_REASONING),
        Loss("openai", "service_tier", 5, _NO_TIER),
        Loss("openai", "stream", 4, _NO_STREAM),
    ),
    "google_genai latest": (
        Loss("gcp.gemini", "cost", 3, _FOLLOWS),
        Loss("gcp.gemini", "input_tokens", 2, _NO_TOOLS),
        Loss("gcp.gemini", "response_model", 1, _NO_ANSWERER),
    ),
    "openllmetry": (
        Loss("anthropic", "cache_write_1h_tokens", 3, _NO_TTL),
        Loss("anthropic", "cost", 11, _FOLLOWS),
        Loss("anthropic", "input_tokens", 1, _FIRST_INPUT),
        Loss("anthropic", "output_tokens", 8, _PLACEHOLDER),
        Loss("anthropic", "reasoning_tokens", 2, _NO_REASONING),
        Loss("anthropic", "service_tier", 17, _NO_TIER),
        Loss("anthropic", "stream", 1, _NO_STREAM),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
        Loss("gcp.gemini", "audio_input_tokens", 1, _NO_MODALITY),
        Loss("gcp.gemini", "calls", 1, _NOT_SEEN),
        Loss("gcp.gemini", "cost", 4, _FOLLOWS),
        Loss("gcp.gemini", "image_input_tokens", 1, _NO_MODALITY),
        Loss("gcp.gemini", "input_tokens", 2, _REST),
        Loss("gcp.gemini", "output_tokens", 2, _REST),
        Loss("gcp.gemini", "provider", 12, _ANY_GOOGLE),
        Loss("gcp.gemini", "reasoning_tokens", 2, _REST),
        Loss("gcp.gemini", "stream", 3, _NO_STREAM),
        Loss("openai", "reasoning_tokens", 1, _NO_REASONING),
        Loss("openai", "service_tier", 6, _NO_TIER),
    ),
    "openllmetry (with the SDK's own)": (
        Loss("anthropic", "calls", 1, _TWICE),
        Loss("anthropic", "cost", 2, _FOLLOWS),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
    ),
    "openinference (with the SDK's own)": (
        Loss("anthropic", "cost", 2, _FOLLOWS),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
    ),
    "openinference": (
        Loss("gcp.gemini", "cost", 1, _NO_USAGE),
        Loss("gcp.gemini", "input_tokens", 1, _NO_USAGE),
        Loss("gcp.gemini", "provider", 13, _ANY_GOOGLE),
        Loss("gcp.gemini", "request_model", 12, _NO_ASKED),
    ),
    "openlit (with the SDK's own)": (
        Loss("anthropic", "cache_write_1h_tokens", 3, _NO_TTL),
        Loss("anthropic", "cost", 5, _FOLLOWS),
        Loss("anthropic", "input_tokens", 1, _FIRST_INPUT),
        Loss("anthropic", "reasoning_tokens", 2, _NO_REASONING),
        Loss("anthropic", "service_tier", 17, _NO_TIER),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
    ),
    "openlit": (
        Loss("anthropic", "cache_write_1h_tokens", 3, _NO_TTL),
        Loss("anthropic", "cost", 5, _FOLLOWS),
        Loss("anthropic", "input_tokens", 1, _FIRST_INPUT),
        Loss("anthropic", "reasoning_tokens", 2, _NO_REASONING),
        Loss("anthropic", "service_tier", 17, _NO_TIER),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
        Loss("gcp.gemini", "audio_input_tokens", 1, _NO_MODALITY),
        Loss("gcp.gemini", "calls", 1, _NOT_SEEN),
        Loss("gcp.gemini", "cost", 4, _FOLLOWS),
        Loss("gcp.gemini", "image_input_tokens", 1, _NO_MODALITY),
        Loss("gcp.gemini", "input_tokens", 2, _NO_TOOLS),
        Loss("openai", "cost", 1, _OWN_COUNT),
        Loss("openai", "input_tokens", 1, _OWN_COUNT),
        Loss("openai", "output_tokens", 1, _OWN_COUNT),
        Loss("openai", "reasoning_tokens", 2, _NO_REASONING),
    ),
    "logfire (with the SDK's own)": (
        Loss("anthropic", "finish", 8, _NO_FINISH),
        Loss("anthropic", "response_id", 8, _NO_ID),
        Loss("anthropic", "response_model", 8, _ASKED),
    ),
    "logfire": (
        Loss("anthropic", "finish", 8, _NO_FINISH),
        Loss("anthropic", "response_id", 8, _NO_ID),
        Loss("anthropic", "response_model", 8, _ASKED),
        Loss("openai", "cost", 2, _FOLLOWS),
        Loss("openai", "finish", 9, _NO_FINISH),
        Loss("openai", "response_id", 6, _NO_ID),
        Loss("openai", "response_model", 6, _ASKED),
        Loss("openai", "service_tier", 15, _NO_TIER),
    ),
    "logfire v1": (
        Loss("anthropic", "finish", 8, _NO_FINISH),
        Loss("anthropic", "response_id", 8, _NO_ID),
        Loss("anthropic", "response_model", 8, _ASKED),
        Loss("openai", "cost", 2, _FOLLOWS),
        Loss("openai", "finish", 9, _NO_FINISH),
        Loss("openai", "response_id", 6, _NO_ID),
        Loss("openai", "response_model", 6, _ASKED),
        Loss("openai", "service_tier", 15, _NO_TIER),
    ),
    "langfuse": (
        Loss("openai", "finish", 11, _NO_FINISH),
        Loss("openai", "request_model", 16, _NO_ASKED),
        Loss("openai", "response_id", 15, _NO_ID),
        Loss("openai", "service_tier", 1, _NO_TIER),
    ),
    "anthropic": (
        Loss("anthropic", "cost", 2, _FOLLOWS),
        Loss("anthropic", "web_search_requests", 2, _NO_SEARCHES),
    ),
    "pydantic_ai": (
        Loss("anthropic", "service_tier", 6, _NO_TIER),
        Loss("anthropic", "stream", 4, _OWN_STREAM),
        Loss("gcp.gemini", "provider", 4, _ANY_GOOGLE),
        Loss("openai", "cost", 1, _FOLLOWS),
        Loss("openai", "service_tier", 7, _NO_TIER),
    ),
}
