"""An OTLP export request → the LLM calls in it.

A call is a span that names a GenAI operation, provider, model or usage, in our words or another dialect's.  Spans of
agents, tools and workflows are calls only if they carry usage.  Nothing in a span can make this fail: a value that
cannot be believed becomes a line in `problems`, a time that cannot be true gives way to the time of receipt, and only
a span that cannot be identified is rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from otel_llm_cost.attributes import (
    OPERATION,
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    TAG_PREFIX,
    USAGE_NAMES,
    Placed,
    decode_placed,
    placed,
)
from otel_llm_cost.attributes import Decoded as DecodedCall
from otel_llm_cost.attributes import decode as decode_call
from otel_llm_cost.hosts import seller
from otel_llm_cost.record import Call, Error

from .dialects import OURS, SIGNS, TOOK, explain, normalise, tells_by_name
from .entry import ANONYMOUS, Sender
from .export_request import ExportRequest, HasIds, Span, parse, read, read_event, read_placed

MOST_SPANS: Final = 50_000
"""Spans of one request; senders batch 512 unless told otherwise."""
_MOST_ANCESTORS: Final = 32
_NO_SPAN: Final = bytes(8)
_USAGE: Final = frozenset(USAGE_NAMES.values()) | {"gen_ai.usage.cache_creation.input_tokens"}
OUR_SIGNS: Final = _USAGE | {OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL}
_SAYS_WHAT: Final = OUR_SIGNS - {PROVIDER}
"""Some SDKs name the provider on the spans of all their requests, calls or not."""
OFTEN_ELSEWHERE: Final = frozenset({"openai", "anthropic"})
"""Vendors whose SDKs are pointed at hosts of others by a base URL."""
_LONGEST_HOST: Final = 255
_NO_HOSTS: Final[Mapping[str, str]] = MappingProxyType({})
_NOTHING_ELSE: Final[Mapping[str, Any]] = MappingProxyType({})
NOT_CALLS: Final = frozenset(
    {
        "create_agent",
        "evaluate",
        "execute_tool",
        "guardrail",
        "invoke_agent",
        "invoke_workflow",
        "plan",
        "prompt",
        "retrieval",
    }
)
_RESOURCE_TAGS: Final = frozenset({"llm_cost.project", "llm_cost.feature", "user.id", "session.id"})
_EARLIEST_NS: Final = 946_684_800 * 10**9
"""2000-01-01: no language model was called before."""
_AHEAD_NS: Final = 86_400 * 10**9
"""A sender's clock may be this far ahead of ours."""
_LONGEST_NS: Final = 366 * 86_400 * 10**9


class Arrived(NamedTuple):
    """One call as it arrived: the span around it and what the span says.  Times are in ns since 1970 (UTC).

    A named tuple for the reason of `otel_llm_cost.record`'s, and built by name as they are.
    """

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    start_ns: int
    duration_ns: int
    received_ns: int
    scope_name: str = ""
    scope_version: str = ""
    service_name: str = ""
    environment: str = ""
    tenant: str = ""
    """The project that its sender's API key is bound to: one call has one bill among the calls of one tenant."""
    call: Call = Call()
    problems: tuple[str, ...] = ()
    bad_usage: bool = False
    ancestors: tuple[bytes, ...] = ()
    """Span ids of the parent, its parent and so on, as far as the request tells; spans that are no calls count too."""

    @property
    def key(self) -> bytes:
        """Trace id and span id: what a span is known by to its tenant."""
        return self.trace + self.span_id

    @property
    def trace(self) -> bytes:
        """The trace as its tenant knows it: others may use the same ids, by chance or not."""
        return self.tenant.encode() + self.trace_id if self.tenant else self.trace_id

    @property
    def ids(self) -> str:
        """The same for a person to look up."""
        return f"trace id {self.trace_id.hex()}, span id {self.span_id.hex()}"


class Decoded(NamedTuple):
    """The calls of a request, and how many spans were rejected for having no usable id."""

    calls: list[Arrived]
    rejected: int


class _Origin(NamedTuple):
    """What all spans of one resource and scope share."""

    service_name: str
    environment: str
    tags: dict[str, Any]
    placed_tags: tuple[Placed, ...]
    scope_name: str
    scope_version: str
    received_ns: int
    hosts: Mapping[str, str]
    sender: Sender


def decode(
    request: ExportTraceServiceRequest,
    received_ns: int,
    hosts: Mapping[str, str] = _NO_HOSTS,
    sender: Sender = ANONYMOUS,
) -> Decoded:
    """As `decode_body`, of a request that has been parsed; never raises."""
    return decode_body(request.SerializeToString(), received_ns, hosts, sender)


def decode_body(
    body: bytes,
    received_ns: int,
    hosts: Mapping[str, str] = _NO_HOSTS,
    sender: Sender = ANONYMOUS,
) -> Decoded:
    """Every call of a serialized request that is known to parse, in the order of its spans.

    `hosts`: who is behind a host that nobody knows, as `otel_llm_cost.hosts.named` reads it.
    """
    calls: list[Arrived] = []
    rejected = 0
    request = parse(body)
    parents = _parents(request)
    for origin, spans in _origins(request, received_ns, hosts, sender):
        for span in spans:
            if not has_ids(span):
                rejected += 1
            elif (call := _decode_span(span, origin, parents)) is not None:
                calls.append(call)
    return Decoded(calls, rejected)


_Parents = dict[bytes, bytes]
"""Trace id and span id → the span id of the parent, for every span of a request that has one."""


def _parents(request: ExportRequest) -> _Parents:
    return {
        span.trace_id + span.span_id: parent
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
        if len(parent := span.parent_span_id) == 8 and parent != _NO_SPAN
    }


def _ancestors(span: Span, parents: _Parents) -> tuple[bytes, ...]:
    """Bounded, because spans may name each other as parents; one that stands above itself has none."""
    found: list[bytes] = []
    above = parents.get(span.trace_id + span.span_id) if parents else None
    while above is not None and len(found) < _MOST_ANCESTORS:
        if above == span.span_id:
            return ()
        found.append(above)
        above = parents.get(span.trace_id + above)
    return tuple(found)


def _origins(
    request: ExportRequest, received_ns: int, hosts: Mapping[str, str], sender: Sender
) -> Iterator[tuple[_Origin, Iterable[Span]]]:
    for of_resource in request.resource_spans:
        resource = read(of_resource.resource.attributes)
        tags = {
            name: value for name, value in resource.items() if name in _RESOURCE_TAGS or name.startswith(TAG_PREFIX)
        }
        environment = resource.get("deployment.environment.name", resource.get("deployment.environment"))
        for of_scope in of_resource.scope_spans:
            origin = _Origin(
                service_name=_text(resource.get("service.name")),
                environment=_text(environment),
                tags=tags,
                placed_tags=tuple(placed(name, value) for name, value in tags.items()),
                scope_name=of_scope.scope.name,
                scope_version=of_scope.scope.version,
                received_ns=received_ns,
                hosts=hosts,
                sender=sender,
            )
            yield origin, of_scope.spans


def has_ids(span: HasIds) -> bool:
    trace_id, span_id = span.trace_id, span.span_id
    return len(trace_id) == 16 and len(span_id) == 8 and any(trace_id) and any(span_id)


def _decode_span(span: Span, origin: _Origin, parents: _Parents) -> Arrived | None:
    failed = span.status.code == Status.STATUS_CODE_ERROR
    told = _told_by_ours(span, origin) if origin.scope_name == OURS else None
    told = told or _told_by_any(span, origin, failed)
    if told is None:
        return None
    decoded, attributes = told
    start_ns, duration_ns, doubts = _times(span, origin.received_ns)
    if TOOK in attributes:
        start_ns, duration_ns = _before(start_ns, attributes[TOOK])
    parent = span.parent_span_id
    return Arrived(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=parent if len(parent) == 8 else _NO_SPAN,
        start_ns=start_ns,
        duration_ns=duration_ns,
        received_ns=origin.received_ns,
        scope_name=origin.scope_name,
        scope_version=origin.scope_version,
        service_name=origin.service_name,
        environment=origin.environment,
        tenant=origin.sender.tenant,
        call=_of_its_sender(_with_status(_by_its_host(decoded.call, origin), failed), origin.sender),
        problems=decoded.problems + doubts,
        bad_usage=decoded.bad_usage,
        ancestors=_ancestors(span, parents),
    )


_Told = tuple[DecodedCall, Mapping[str, Any]]
"""What the attributes of a span say as a call, and what else they say of the span."""


def _told_by_ours(span: Span, origin: _Origin) -> _Told | None:
    """The quick way, for our own spans if there is nothing wrong with them: what they say needs no translation."""
    call = decode_placed(chain(origin.placed_tags, read_placed(span.attributes)))
    if call is None:
        return None
    request, response = call.request, call.response
    names = (request.operation, request.model, response.model) != (None, None, None)
    is_call = response.usage is not None or (names and request.operation not in NOT_CALLS)
    return (DecodedCall(call), _NOTHING_ELSE) if is_call else None


def _told_by_any(span: Span, origin: _Origin, failed: bool) -> _Told | None:
    told = read(span.attributes)
    if OUR_SIGNS.isdisjoint(told) and SIGNS.isdisjoint(told) and not tells_by_name(origin.scope_name):
        return None
    attributes = normalise(told, origin.scope_name, span.name)
    if attributes is None or not _is_call(attributes):
        return None
    if failed and origin.scope_name != OURS:
        explain(attributes, (said for name, said in map(read_event, span.events) if name == "exception"))
    decoded = decode_call(origin.tags | attributes if origin.tags else attributes)
    return decoded, attributes


def _is_call(attributes: dict[str, Any]) -> bool:
    if not _USAGE.isdisjoint(attributes):
        return True
    operation = attributes.get(OPERATION)
    not_a_call = isinstance(operation, str) and operation in NOT_CALLS
    return not not_a_call and not _SAYS_WHAT.isdisjoint(attributes)


def _by_its_host(call: Call, origin: _Origin) -> Call:
    """Others name the vendor of the SDK, whoever the SDK was pointed at; whose price it is, the host decides.

    Ours knows the host when it names the vendor.
    """
    request = call.request
    if origin.scope_name == OURS or request.provider not in OFTEN_ELSEWHERE or not request.server_address:
        return call
    host = seller(request.server_address[:_LONGEST_HOST], request.server_port, origin.hosts)
    return call if host == request.provider else call._replace(request=request._replace(provider=host))


def _of_its_sender(call: Call, sender: Sender) -> Call:
    """Whose calls these are, the sender's key decides; what the payload names counts where the key allows it."""
    named = call.tags.project
    project = sender.project_of(named)
    return call if project == named else call._replace(tags=call.tags._replace(project=project))


def _with_status(call: Call, failed: bool) -> Call:
    """A span may say that it failed without saying why."""
    if failed and call.error is None:
        return call._replace(error=Error(type="_OTHER"))
    return call


def _times(span: Span, received_ns: int) -> tuple[int, int, tuple[str, ...]]:
    """Start and duration in ns, and a line for each that had to be replaced."""
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    if not _EARLIEST_NS <= start <= received_ns + _AHEAD_NS:
        return received_ns, 0, ("start_time_unix_nano: out of range, time of receipt taken",)
    if not start <= end <= start + _LONGEST_NS:
        return start, 0, ("end_time_unix_nano: out of range, duration left at 0",)
    return start, end - start, ()


def _before(end_ns: int, seconds: Any) -> tuple[int, int]:
    """Start and duration in ns of what was told at its end."""
    believable = isinstance(seconds, (int, float)) and 0 <= seconds * 10**9 <= min(_LONGEST_NS, end_ns)
    took = int(seconds * 10**9) if believable else 0
    return end_ns - took, took


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
