"""The frozen records that everything else passes along.

A provider reads its SDK into a `Request` and one or more `Response`s; `fold` turns the partial responses of
a stream into the same `Response` that the whole answer would have given; `attributes` writes them on a span
and reads them back; pricing turns `Usage` into money.  Nothing here does I/O and nothing here counts.

Two conventions hold in every record.  `None` means "nobody said", never zero.  Token totals are inclusive
and details are subsets of them, as in the OpenTelemetry GenAI conventions: `input_tokens` includes what was
read from or written to a cache, `output_tokens` includes reasoning.

The records are named tuples: as unchangeable as a frozen dataclass and, at two dozen fields, five times as fast to
make.  They are always built by name.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

ErrorClass = Literal[
    "rate_limit",
    "quota",
    "overloaded",
    "timeout",
    "connection",
    "auth",
    "bad_request",
    "not_found",
    "content_filter",
    "cancelled",
    "server",
    "unknown",
]
Outcome = Literal["completed", "cancelled", "broken", "abandoned"]

MAX_COUNT: Final = 1_000_000_000
"""No single call has used a thousandth of this many tokens; a larger number is a fault, not a bill."""


class Usage(NamedTuple):
    """What the provider says it will bill: tokens and requests, each `None` where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_write_5m_input_tokens: int | None = None
    cache_write_30m_input_tokens: int | None = None
    cache_write_1h_input_tokens: int | None = None
    cache_write_12h_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    text_input_tokens: int | None = None
    image_input_tokens: int | None = None
    audio_input_tokens: int | None = None
    text_output_tokens: int | None = None
    image_output_tokens: int | None = None
    audio_output_tokens: int | None = None
    text_cache_read_input_tokens: int | None = None
    image_cache_read_input_tokens: int | None = None
    audio_cache_read_input_tokens: int | None = None
    compaction_input_tokens: int | None = None
    compaction_output_tokens: int | None = None
    web_search_requests: int | None = None
    code_execution_requests: int | None = None
    file_search_requests: int | None = None
    grounding_requests: int | None = None
    tool_use_input_tokens: int | None = None
    """Input that a built-in tool of the provider fed to the model; it has no price of its own."""
    estimated: bool | None = None
    estimated_counts: tuple[str, ...] | None = None
    """Which of the counts above are estimates of ours, because the provider's never came."""


class Request(NamedTuple):
    """What was asked, of whom."""

    operation: str | None = None
    provider: str | None = None
    model: str | None = None
    server_address: str | None = None
    server_port: int | None = None
    api_type: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    seed: int | None = None
    choice_count: int | None = None
    stream: bool | None = None
    encoding_formats: tuple[str, ...] | None = None
    reasoning_level: str | None = None
    previous_response_id: str | None = None
    output_type: str | None = None
    conversation_id: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    service_tier: str | None = None
    batch: bool | None = None
    prompt_fingerprint: str | None = None
    """What equal prompts have in common, without the prompt: see `fingerprint`."""


class Error(NamedTuple):
    """Why a call, an attempt or a generation failed.

    `type` is the provider's own code where it gave one, else the exception's name; the message is left out on
    purpose, because providers echo prompts and keys in it.
    """

    type: str
    error_class: ErrorClass = "unknown"
    status_code: int | None = None


class Response(NamedTuple):
    """What came back, whole or in part.  `finish_reasons` pairs a choice's index with its reason."""

    id: str | None = None
    model: str | None = None
    finish_reasons: tuple[tuple[int, str], ...] | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    request_id: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    stated_cost: str | None = None
    """The provider's own figure for this call in USD, as it wrote it (OpenRouter, xAI, Perplexity)."""
    usage: Usage | None = None
    asides: tuple[tuple[str, Usage], ...] | None = None
    """(model, usage) of what other models did for this answer, outside of its own usage and at their own price."""
    error: Error | None = None


class Attempt(NamedTuple):
    """One failed try of a call that the SDK made; `wait` is the time in seconds until the next one began."""

    number: int
    error: Error
    wait: float | None = None


class Tags(NamedTuple):
    """Whom a call is for.  `extra` holds the caller's own tags as sorted (name, value) pairs."""

    project: str | None = None
    feature: str | None = None
    user: str | None = None
    session: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


class Call(NamedTuple):
    """One logical call, closed: what its span says."""

    request: Request = Request()
    response: Response = Response()
    tags: Tags = Tags()
    error: Error | None = None
    outcome: Outcome | None = None
    resend_count: int | None = None
    time_to_first_chunk: float | None = None
    """Seconds from the request to the first chunk of a stream."""


NOTHING: Final = Response()
"""The answer before any part of it is known."""


def fold(earlier: Response, later: Response) -> Response:
    """Two partial responses as one: where the later speaks, it wins.

    Providers report cumulative counts, so nothing is ever added.  The operation is associative and `NOTHING` is its
    neutral element; that is what makes a folded stream equal to its whole response.
    """
    if earlier is NOTHING:
        return later
    # by way of a list: CPython fails a tuple that grows while somebody lists all objects (`gc.get_objects()`)
    return Response._make([*map(_later, earlier, later)])._replace(
        usage=_fold_usage(earlier.usage, later.usage),
        finish_reasons=_fold_reasons(earlier.finish_reasons, later.finish_reasons),
    )


def _later(earlier: Any, later: Any) -> Any:
    return earlier if later is None else later


def _fold_usage(earlier: Usage | None, later: Usage | None) -> Usage | None:
    if earlier is None or later is None:
        return later if earlier is None else earlier
    return Usage._make([*map(_later, earlier, later)])


def _fold_reasons(
    earlier: tuple[tuple[int, str], ...] | None, later: tuple[tuple[int, str], ...] | None
) -> tuple[tuple[int, str], ...] | None:
    if earlier is None or later is None:
        return later if earlier is None else earlier
    return tuple(sorted({**dict(earlier), **dict(later)}.items()))
