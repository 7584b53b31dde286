"""The wire contract: records ⇄ span attributes, each name written once, in pairs.

Names follow the OpenTelemetry GenAI semantic conventions (repository open-telemetry/semantic-conventions-genai,
schema gen-ai-dev/1.42.0-dev, status Development).  What the conventions do not name and money needs stands under
our own prefix `llm_cost.`.  `encode` and `decode` are inverse on every record whose values are in range; what is
out of range is left out by `decode` and named in `Decoded.problems`, because unknown is not zero.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from operator import attrgetter
from typing import Any, Final, NamedTuple, get_args

from .record import MAX_COUNT, Call, Error, ErrorClass, Outcome, Request, Response, Tags, Usage

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
STATUS_CODE: Final = "http.response.status_code"
ERROR_CLASS: Final = "llm_cost.error.class"
OUTCOME: Final = "llm_cost.stream.outcome"
REQUEST_ID: Final = "llm_cost.request.id"
RESEND_COUNT: Final = "http.request.resend_count"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
ASIDES: Final = "llm_cost.asides"
TAG_PREFIX: Final = "llm_cost.tag."
TOKEN_TYPE: Final = "gen_ai.token.type"

ATTEMPT_EVENT: Final = "gen_ai.client.attempt"
ATTEMPT_NUMBER: Final = "llm_cost.attempt.number"
ATTEMPT_WAIT: Final = "llm_cost.attempt.wait"

SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
CONTENT_EVENT: Final = "gen_ai.client.inference.operation.details"
PROMPT_FINGERPRINT: Final = "llm_cost.prompt.fingerprint"
PROMPT_EMBEDDING: Final = "llm_cost.prompt.embedding"
PROMPT_EMBEDDING_MODEL: Final = "llm_cost.prompt.embedding_model"

# what the collector adds to the spans that it forwards; for eyes, the exact bill is in the store
COST_AMOUNT: Final = "gen_ai.usage.cost.amount"
COST_CURRENCY: Final = "gen_ai.usage.cost.currency"
COST_SOURCE: Final = "gen_ai.usage.cost.source"
PRICE_STATUS: Final = "llm_cost.price.status"
PRICE_REASON: Final = "llm_cost.price.reason"
COUNTED: Final = "llm_cost.counted"
COUNTED_REASON: Final = "llm_cost.counted.reason"
PROJECT: Final = "llm_cost.project"
FORWARDED_BY: Final = "llm_cost.forwarded_by"

METRIC_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_TOKENS: Final = "gen_ai.client.token.usage"
METRIC_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
METRIC_PER_CHUNK: Final = "gen_ai.client.operation.time_per_output_chunk"

Value = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]


class _BadValue(ValueError):
    """A value that an attribute cannot hold; the text says what was expected, never the value."""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _BadValue("expected text")


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all([isinstance(v, str) for v in value]):  # noqa: C419  # quicker
        return tuple(value)
    raise _BadValue("expected a list of texts")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _BadValue("expected true or false")


def _number(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return value
    raise _BadValue("expected a finite number")


def _integer(value: Any) -> int:
    """JavaScript SDKs may send a whole number as a double, so 12.0 is an integer too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return value
    raise _BadValue("expected an integer")


def _count(value: Any) -> int:
    whole = value if type(value) is int else _integer(value)
    if 0 <= whole <= MAX_COUNT:
        return whole
    raise _BadValue(f"expected a count from 0 to {MAX_COUNT}")


def _error_class(value: Any) -> str:
    return value if value in get_args(ErrorClass) else "unknown"


def _outcome(value: Any) -> str:
    if value in get_args(Outcome):
        return str(value)
    raise _BadValue("expected one of " + ", ".join(get_args(Outcome)))


# attribute name, record field, reader
_REQUEST = (
    (OPERATION, "operation", _text),
    (PROVIDER, "provider", _text),
    (REQUEST_MODEL, "model", _text),
    (SERVER_ADDRESS, "server_address", _text),
    (SERVER_PORT, "server_port", _integer),
    ("openai.api.type", "api_type", _text),
    ("gen_ai.request.max_tokens", "max_tokens", _integer),
    ("gen_ai.request.temperature", "temperature", _number),
    ("gen_ai.request.top_p", "top_p", _number),
    ("gen_ai.request.top_k", "top_k", _number),
    ("gen_ai.request.frequency_penalty", "frequency_penalty", _number),
    ("gen_ai.request.presence_penalty", "presence_penalty", _number),
    ("gen_ai.request.stop_sequences", "stop_sequences", _texts),
    ("gen_ai.request.seed", "seed", _integer),
    ("gen_ai.request.choice.count", "choice_count", _integer),
    ("gen_ai.request.stream", "stream", _flag),
    ("gen_ai.request.encoding_formats", "encoding_formats", _texts),
    ("gen_ai.request.reasoning.level", "reasoning_level", _text),
    ("gen_ai.request.previous_response.id", "previous_response_id", _text),
    ("gen_ai.output.type", "output_type", _text),
    ("gen_ai.conversation.id", "conversation_id", _text),
    ("gen_ai.prompt.name", "prompt_name", _text),
    ("gen_ai.prompt.version", "prompt_version", _text),
    ("llm_cost.request.service_tier", "service_tier", _text),
    ("llm_cost.batch", "batch", _flag),
    (PROMPT_FINGERPRINT, "prompt_fingerprint", _text),
)

_RESPONSE = (
    ("gen_ai.response.id", "id", _text),
    (RESPONSE_MODEL, "model", _text),
    ("llm_cost.response.service_tier", "service_tier", _text),
    ("openai.response.system_fingerprint", "system_fingerprint", _text),
    (REQUEST_ID, "request_id", _text),
    ("llm_cost.speed", "speed", _text),
    ("llm_cost.inference_geo", "inference_geo", _text),
    ("llm_cost.stated_cost", "stated_cost", _text),
)

_USAGE = (
    ("gen_ai.usage.input_tokens", "input_tokens", _count),
    ("gen_ai.usage.output_tokens", "output_tokens", _count),
    ("gen_ai.usage.cache_read.input_tokens", "cache_read_input_tokens", _count),
    ("gen_ai.usage.cache_write.input_tokens", "cache_write_input_tokens", _count),
    ("llm_cost.usage.cache_write.5m.input_tokens", "cache_write_5m_input_tokens", _count),
    ("llm_cost.usage.cache_write.30m.input_tokens", "cache_write_30m_input_tokens", _count),
    ("llm_cost.usage.cache_write.1h.input_tokens", "cache_write_1h_input_tokens", _count),
    ("llm_cost.usage.cache_write.12h.input_tokens", "cache_write_12h_input_tokens", _count),
    ("gen_ai.usage.reasoning.output_tokens", "reasoning_output_tokens", _count),
    ("gen_ai.usage.text.input_tokens", "text_input_tokens", _count),
    ("gen_ai.usage.image.input_tokens", "image_input_tokens", _count),
    ("gen_ai.usage.audio.input_tokens", "audio_input_tokens", _count),
    ("gen_ai.usage.text.output_tokens", "text_output_tokens", _count),
    ("gen_ai.usage.image.output_tokens", "image_output_tokens", _count),
    ("gen_ai.usage.audio.output_tokens", "audio_output_tokens", _count),
    ("gen_ai.usage.text.cache_read.input_tokens", "text_cache_read_input_tokens", _count),
    ("gen_ai.usage.image.cache_read.input_tokens", "image_cache_read_input_tokens", _count),
    ("gen_ai.usage.audio.cache_read.input_tokens", "audio_cache_read_input_tokens", _count),
    ("llm_cost.usage.compaction.input_tokens", "compaction_input_tokens", _count),
    ("llm_cost.usage.compaction.output_tokens", "compaction_output_tokens", _count),
    ("llm_cost.usage.web_search.requests", "web_search_requests", _count),
    ("llm_cost.usage.code_execution.requests", "code_execution_requests", _count),
    ("llm_cost.usage.file_search.requests", "file_search_requests", _count),
    ("llm_cost.usage.grounding.requests", "grounding_requests", _count),
    ("llm_cost.usage.tool_use.input_tokens", "tool_use_input_tokens", _count),
    ("llm_cost.usage.estimated", "estimated", _flag),
    ("llm_cost.usage.estimated_counts", "estimated_counts", _texts),
)

_TAGS = (
    (PROJECT, "project", _text),
    ("llm_cost.feature", "feature", _text),
    ("user.id", "user", _text),
    ("session.id", "session", _text),
)

_CALL = (
    (OUTCOME, "outcome", _outcome),
    (RESEND_COUNT, "resend_count", _count),
    (TIME_TO_FIRST_CHUNK, "time_to_first_chunk", _number),
)

_ERROR = (
    (ERROR_TYPE, "type", _text),
    (ERROR_CLASS, "error_class", _error_class),
    (STATUS_CODE, "status_code", _integer),
)

_OPENAI_TIERS = ("openai.request.service_tier", "openai.response.service_tier")

USAGE_NAMES: Final = {field: name for name, field, _ in _USAGE}
"""Usage field → attribute name."""

_Table = tuple[tuple[str, str, Any], ...]


def _pair(table: _Table) -> tuple[tuple[str, ...], Any]:
    return tuple(name for name, _, _ in table), attrgetter(*(field for _, field, _ in table))


_ENCODERS = {
    kind: _pair(table)
    for kind, table in ((Request, _REQUEST), (Response, _RESPONSE), (Usage, _USAGE), (Tags, _TAGS), (Call, _CALL))
}


def _plain(record: Request | Response | Usage | Tags | Call) -> dict[str, Value]:
    names, values = _ENCODERS[type(record)]
    return {name: value for name, value in zip(names, values(record), strict=True) if value is not None}


def encode_request(request: Request) -> dict[str, Value]:
    """What a span carries from its start (samplers see these)."""
    out = _plain(request)
    if request.api_type and request.service_tier:
        out[_OPENAI_TIERS[0]] = request.service_tier
    return out


def encode_tags(tags: Tags) -> dict[str, Value]:
    """The tags as attributes; a free tag `name` becomes `llm_cost.tag.name`."""
    out = _plain(tags)
    for name, value in tags.extra:
        out[TAG_PREFIX + name] = value
    return out


def encode_error(error: Error) -> dict[str, Value]:
    """The three names of a failure, for a span or for the event of one attempt."""
    out: dict[str, Value] = {ERROR_TYPE: error.type, ERROR_CLASS: error.error_class}
    if error.status_code is not None:
        out[STATUS_CODE] = error.status_code
    return out


def encode_closing(call: Call, request_id: str | None = None) -> dict[str, Value]:
    """What a span gains when its call ends: response, usage, error, outcome.

    `request_id` is the HTTP answer's, where the response does not say it itself.
    """
    response = call.response
    out = _plain(call) | _plain(response)
    if request_id is not None:
        out.setdefault(REQUEST_ID, request_id)
    if response.finish_reasons is not None:
        out[FINISH_REASONS] = [reason for _, reason in response.finish_reasons]
    if response.usage is not None:
        out |= _plain(response.usage)
    if response.asides is not None:
        out[ASIDES] = encode_asides(response.asides)
    if response.service_tier and call.request.api_type:
        out[_OPENAI_TIERS[1]] = response.service_tier
    if call.error is not None:
        out |= encode_error(call.error)
    return out


def encode(call: Call) -> dict[str, Value]:
    """A whole call as the attributes of its span."""
    return encode_request(call.request) | encode_tags(call.tags) | encode_closing(call)


class Decoded(NamedTuple):
    """A call read back, with one line for every attribute that could not be believed."""

    call: Call
    problems: tuple[str, ...] = ()
    bad_usage: bool = False
    """True when one of the problems touches usage: such a call must not be priced."""


def decode(attributes: Mapping[str, Any]) -> Decoded:
    """Span attributes → call.  Unknown names are passed over; values out of range become problems, never zeros."""
    said = _NOTHING_SAID.copy()
    extra: dict[str, str] = {}
    problems: list[str] = []
    bad_usage = False
    for name, value in attributes.items():
        found = _READERS.get(name)
        try:
            if found is not None:
                place, _, reader = found
                said[place] = reader(value)
            elif name.startswith(TAG_PREFIX):
                extra[name[len(TAG_PREFIX) :]] = _text(value)
        except _BadValue as bad:
            problems.append(f"{name}: {bad}")
            bad_usage = bad_usage or (found is not None and found[0] in _BILLED)
    return Decoded(_closed(said, extra), tuple(problems), bad_usage)


Placed = tuple[int, Any]
"""An attribute that was read on its own: the place of its value in a call."""


def placed(name: str, value: Any) -> Placed:
    """One attribute, for `decode_placed`.  What many spans say alike can so be read once."""
    found = _READERS.get(name)
    try:
        if found is not None:
            return found[0], found[2](value)
        if name.startswith(TAG_PREFIX):
            return _FREE_TAG, (name[len(TAG_PREFIX) :], _text(value))
    except _BadValue:
        return _PROBLEM, None
    return _UNKNOWN, None


def decode_placed(attributes: Iterable[Placed]) -> Call | None:
    """As `decode`, of attributes that are read already; None where one of them is a problem, which it would name."""
    said = _NOTHING_SAID.copy()
    extra: dict[str, str] = {}
    for place, value in attributes:
        if place >= 0:
            said[place] = value
        elif place == _FREE_TAG:
            extra[value[0]] = value[1]
        elif place == _PROBLEM:
            return None
    return _closed(said, extra)


def _closed(said: list[Any], extra: Mapping[str, str]) -> Call:
    """The fields of all records, one after the other, as the call that they are parts of; and the free tags."""
    if extra:
        said[_EXTRA_PLACE] = tuple(sorted(extra.items()))
    for tier, of_openai in _TIER_PLACES:
        if said[tier] is None:
            said[tier] = said[of_openai]
    for fields, nothing, make, place in _INNER:
        part = said[fields]
        if part != nothing:
            said[place] = make(part)
    if said[_ERROR_PLACE] is not None and said[_ERROR_PLACE].type is None:
        said[_ERROR_PLACE] = None  # a class of failures is none yet
    return Call._make(said[_FIELDS[Call]])


def encode_asides(asides: Iterable[tuple[str, Usage]]) -> list[str]:
    """What other models did for an answer, each a text of JSON: its model and the attributes of its usage."""
    return [json.dumps({"model": model, **_plain(usage)}) for model, usage in asides]


def decode_asides(texts: Iterable[str]) -> tuple[tuple[str, Usage], ...]:
    """The same read back.  Raises ValueError at what is none."""
    return tuple(map(_aside, texts))


def _aside(text: str) -> tuple[str, Usage]:
    """One of `llm_cost.asides`: JSON of a model and the attributes of its usage."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _BadValue("expected JSON objects")
    counts: dict[str, Any] = {field: read(said[name]) for name, field, read in _USAGE if name in said}
    return _text(said.get("model")), Usage(**counts)


def _reasons(value: Any) -> tuple[tuple[int, str], ...]:
    return tuple(enumerate(_texts(value)))


def _asides(value: Any) -> tuple[tuple[str, Usage], ...]:
    return decode_asides(_texts(value))


# While attributes are read, the fields of all records lie one after the other in one list, a place for each.
_RECORDS: Final[tuple[Any, ...]] = (Usage, Request, Response, Tags, Error, Call)
_ENDS = tuple(accumulate(len(kind._fields) for kind in _RECORDS))
_FIELDS = {kind: slice(end - len(kind._fields), end) for kind, end in zip(_RECORDS, _ENDS, strict=True)}
_NOTHING_SAID: Final[list[Any]] = [
    *(kind._field_defaults.get(name) for kind in _RECORDS for name in kind._fields),
    *(None for _ in _OPENAI_TIERS),
]
_UNKNOWN, _FREE_TAG, _PROBLEM = -1, -2, -3
"""Places of what has none in the list."""


def _place(kind: Any, field: str) -> int:
    return int(_FIELDS[kind].start + kind._fields.index(field))


_INNER: Final = tuple(
    (_FIELDS[kind], _NOTHING_SAID[_FIELDS[kind]], partial(tuple.__new__, kind), _place(outer, field))
    for kind, outer, field in (
        (Usage, Response, "usage"),
        (Request, Call, "request"),
        (Response, Call, "response"),
        (Tags, Call, "tags"),
        (Error, Call, "error"),
    )
)
"""What is a field of another record: its places, what they hold if nothing is said, its maker, its place there."""
_ERROR_PLACE: Final = _place(Call, "error")
_EXTRA_PLACE: Final = _place(Tags, "extra")

_READERS: Final[dict[str, tuple[int, str, Callable[[Any], Any]]]] = {
    name: (_place(kind, field), field, reader)
    for kind, table in (
        (Request, _REQUEST),
        (Response, (*_RESPONSE, (FINISH_REASONS, "finish_reasons", _reasons), (ASIDES, "asides", _asides))),
        (Usage, _USAGE),
        (Tags, _TAGS),
        (Call, _CALL),
        (Error, _ERROR),
    )
    for name, field, reader in table
}
"""Attribute name → place, field and reader."""
_READERS["gen_ai.usage.cache_creation.input_tokens"] = _READERS["gen_ai.usage.cache_write.input_tokens"]
# OpenAI's own names of what stands under a name for all vendors, which goes before them
_TIER_PLACES: Final = tuple(
    (_place(kind, "service_tier"), _ENDS[-1] + index) for index, kind in enumerate((Request, Response))
)
for _name, (_, _own) in zip(_OPENAI_TIERS, _TIER_PLACES, strict=True):
    _READERS[_name] = (_own, "service_tier", _text)
_BILLED: Final = frozenset({*range(_FIELDS[Usage].stop)[_FIELDS[Usage]], _READERS[ASIDES][0]})
"""Places of what a bill is made of."""
