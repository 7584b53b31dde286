"""One call, from opening to closing: it owns the span, folds what is observed and records the metrics once.

An open call is mutable and private to this package; what leaves it is a frozen `Call`.  Whatever goes wrong in here
stays in here: every entry is behind `quietly()`, so the caller's program sees the SDK's result or the SDK's exception
and nothing of ours.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.metrics import Histogram, Meter
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer

from . import attributes as names
from . import reaper
from .capture import NOTHING_ASKED, Asked, Capture
from .content import Message, Said, assembled
from .provider import Provider, Result
from .quiet import quietly
from .record import NOTHING, Attempt, Call, Error, Outcome, Request, Response, Tags, Usage, fold
from .seen import KEPT, Seen, completed_by_estimate

CURRENT_CALL: Final = otel_context.create_key("otel_llm_cost_call")
_DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_CHUNK_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
_NO_TAGS = Tags()
_FINGERPRINT = Capture()
_GENERATES = frozenset({"chat", "generate_content", "text_completion"})
"""Operations that are billed by the text that goes in and comes out."""
_MOST_TOLD = 100_000
_MOST_CONTENT = 4 << 20
"""Bytes of a stream that are kept when its content is captured."""


class Telemetry:
    """Where calls are reported: one tracer, the four histograms of the GenAI conventions, a logger for content."""

    def __init__(
        self,
        tracer: Tracer,
        meter: Meter,
        logger: Logger | None = None,
        capture: Capture = _FINGERPRINT,
        flush: Callable[[], object] = lambda: None,
    ) -> None:
        """`flush` has the spans so far exported, and waits for it."""
        self.tracer = tracer
        self.flush = flush
        self._told: dict[tuple[str | None, str], None] = {}
        self.logger = logger
        self.capture = capture
        self.duration = _histogram(meter, names.METRIC_DURATION, "s", "Duration of a GenAI call", _DURATION_BUCKETS)
        self.tokens = _histogram(meter, names.METRIC_TOKENS, "{token}", "Tokens used by a GenAI call", _TOKEN_BUCKETS)
        self.first_chunk = _histogram(
            meter, names.METRIC_FIRST_CHUNK, "s", "Time from the request to the first chunk", _DURATION_BUCKETS
        )
        self.per_chunk = _histogram(
            meter, names.METRIC_PER_CHUNK, "s", "Mean time per chunk after the first", _CHUNK_BUCKETS
        )

    def record_usage(self, usage: Usage, labels: dict[str, Any]) -> None:
        """The tokens that were said to be used."""
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is not None:
                self.tokens.record(tokens, {**labels, names.TOKEN_TYPE: kind})

    def first_time(self, provider: str | None, response_id: str | None) -> bool:
        """Whether the tokens of a response that can be read again and again are measured now for the first time."""
        if response_id is None:
            return True
        key = provider, response_id
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > _MOST_TOLD:
            del self._told[next(iter(self._told))]
        return True

    def report(self, result: Result, tags: Tags, asked_in: SpanContext) -> None:
        """A call of which only the result is known, as a span and its tokens as a metric; nobody says how long it took.

        It was made at another time than it is read, so it is a trace of its own, with a link to where it is read.
        """
        request, response = result.request, result.response
        made_at = int((result.made_at or time.time()) * 1e9)
        start = names.encode_request(request) | names.encode_tags(tags)
        links = [Link(asked_in)] if asked_in.is_valid else None
        root = otel_context.Context()
        span = self.tracer.start_span(_name(request), root, SpanKind.CLIENT, start, links, start_time=made_at)
        span.set_attributes(names.encode_closing(Call(request=request, response=response, error=response.error)))
        if response.error is not None:
            span.set_status(Status(StatusCode.ERROR, response.error.type))
        if response.usage is not None and self.first_time(request.provider, response.id):
            self.record_usage(response.usage, _labels(request, response))
        span.end(made_at)


def _name(request: Request) -> str:
    return f"{request.operation} {request.model}" if request.model else str(request.operation)


def _labels(request: Request, response: Response) -> dict[str, Any]:
    labels: dict[str, Any] = {names.OPERATION: request.operation, names.PROVIDER: request.provider}
    if request.model:
        labels[names.REQUEST_MODEL] = request.model
    if response.model:
        labels[names.RESPONSE_MODEL] = response.model
    return labels


def _histogram(meter: Meter, name: str, unit: str, description: str, buckets: tuple[float, ...]) -> Histogram:
    return meter.create_histogram(
        name, unit=unit, description=description, explicit_bucket_boundaries_advisory=list(buckets)
    )


class OpenCall:
    """A call under way.  `close` may be reached from several sides at once; the first one wins."""

    __slots__ = (
        "__weakref__",
        "_answer",
        "_around",
        "_asked",
        "_first_chunk_at",
        "_pending",
        "_process",
        "_sent",
        "_span",
        "_started",
        "_telemetry",
        "_unclaimed",
        "chunks",
        "http",
        "in_background",
        "path",
        "propagates",
        "request",
        "request_id",
        "response",
        "seen",
        "sent",
        "trying",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        request: Request,
        path: str | None,
        tags: Tags = _NO_TAGS,
        asked: Asked = NOTHING_ASKED,
    ) -> None:
        """`path` is how the HTTP client's tries of this call are known; None where others tell of them."""
        self.request = request
        self.response = NOTHING
        self.request_id: str | None = None
        self.path = path
        self.chunks = 0
        self.http: Any = None
        """The HTTP response of the latest try, kept only while the SDK's request is under way."""
        self.seen: Seen = _UNSEEN
        self.trying = False
        self.in_background = False
        """Whether the answer is made in the background: it is billed when it is fetched."""
        self.propagates = False
        """Whether each try is to carry the trace context, as the SDK would have had it without us."""
        self.sent: object = None
        """What the SDK was given to send, by identity."""
        self._answer: list[Message] = []
        self._asked = asked
        self._telemetry = telemetry
        self._unclaimed = [None]
        self._process = os.getpid()
        self._sent = 0
        self._pending: tuple[Attempt, float, int] | None = None
        self._first_chunk_at = 0.0
        start = names.encode_request(request)
        if tags != _NO_TAGS:
            start |= names.encode_tags(tags)
        if asked.fingerprint is not None:
            start[names.PROMPT_FINGERPRINT] = asked.fingerprint
        self._around = _around(otel_context.get_current())
        self._span: Span = telemetry.tracer.start_span(
            _name(request), self._around, kind=SpanKind.CLIENT, attributes=start
        )
        self._started = time.perf_counter()

    @property
    def closed(self) -> bool:
        """True once the end has been claimed."""
        return not self._unclaimed

    def context(self) -> otel_context.Context:
        """The context under which the SDK sends: this call's span is current, and the HTTP client finds the call."""
        return otel_context.set_value(CURRENT_CALL, self, trace.set_span_in_context(self._span))

    # -- what is observed

    def observe(self, part: Response) -> None:
        """Fold one more part of the answer in."""
        self.response = fold(self.response, part)

    def answered(self, provider: Provider, body: Any) -> None:
        """Observe a whole answer."""
        self.observe(provider.response(body, self.request))
        if self._telemetry.capture.content:
            self._answer = provider.answer(body)

    def streams(self, read: Callable[[list[Any]], Iterable[Said]]) -> None:
        """The answer comes in pieces, which `read` can make sense of."""
        self.seen = Seen(read, _MOST_CONTENT if self._telemetry.capture.content else KEPT)

    def first_chunk(self) -> None:
        """The first chunk of the stream is here; `chunks` counts it and all that follow."""
        self._first_chunk_at = time.perf_counter()

    def sending(self) -> None:
        """The SDK makes a try; the wait since the last failed one is now known."""
        self._sent += 1
        self._flush_attempt(time.perf_counter())

    def try_failed(self, error: Error) -> None:
        """The try under way came to nothing."""
        self._pending = (Attempt(number=self._sent, error=error), time.perf_counter(), time.time_ns())

    def _flush_attempt(self, next_began: float | None) -> None:
        if self._pending is None:
            return
        attempt, ended, at = self._pending
        self._pending = None
        event: dict[str, Any] = {names.ATTEMPT_NUMBER: attempt.number, **names.encode_error(attempt.error)}
        if next_began is not None:
            event[names.ATTEMPT_WAIT] = next_began - ended
        self._span.add_event(names.ATTEMPT_EVENT, event, at)

    # -- the end

    def close(self, outcome: Outcome | None = None, error: Error | None = None) -> None:
        """End the span and record the metrics, once.  A stream passes its outcome, a whole call none."""
        if getattr(_inside, "close", False) or self._telemetry.capture.embed is not None:
            # a destructor struck while another call was being closed; or an embedding is to be computed, which is no
            # work for the caller's thread
            self.close_later(outcome, error)
        elif self._claim():
            self._finish(outcome, error, time.perf_counter(), time.time_ns())

    def close_later(self, outcome: Outcome | None = None, error: Error | None = None) -> None:
        """As `close`, in another thread; for destructors and collected generators, see `reaper`."""
        if self._claim():
            ended, at = time.perf_counter(), time.time_ns()
            reaper.leave(lambda: self._finish(outcome, error, ended, at))

    def _claim(self) -> bool:
        """Whether the end is ours to make.  A forked child leaves its parent's calls to the parent."""
        if self._process != os.getpid():
            return False
        try:
            self._unclaimed.pop()  # atomic, and unlike a lock the same in every threading library
        except IndexError:
            return False
        return True

    def _finish(self, outcome: Outcome | None, error: Error | None, ended: float, at: int) -> None:
        _inside.close = True
        try:
            with quietly("report a call"):
                self._flush_attempt(None)
                if outcome is not None and self.chunks and self._is_cut(outcome):
                    with quietly("estimate a cut stream"):
                        self._estimate()
                call = self._closed(outcome, error or self.response.error)
                self._span.set_attributes(names.encode_closing(call, self.request_id))
                if call.error is not None:
                    self._span.set_status(Status(StatusCode.ERROR, call.error.type))
                self._measure(call, ended)
                self._tell(call, at)
            with quietly("end a span"):
                self._span.end(at)
        finally:
            _inside.close = False
            self.seen = _UNSEEN

    def _is_cut(self, outcome: Outcome) -> bool:
        """Whether the provider had more to say of what it bills; what it makes in the background it says later."""
        if self.in_background or self.request.operation not in _GENERATES:
            return False
        return outcome != "completed" or self.response.usage is None

    def _estimate(self) -> None:
        self.observe(self.seen.last_words())
        said = self.response.usage
        output = self.seen.output_tokens() if said is None or said.output_tokens is None else 0
        self.response = completed_by_estimate(self.response, self._asked.all_input_tokens(), output)

    def _tell(self, call: Call, at: int) -> None:
        """Report what was said, as far as the user asked for it."""
        capture = self._telemetry.capture
        if capture.embed is not None:
            with quietly("embed a prompt"):
                self._span.set_attributes(capture.embedding(self._asked.text))
        if not capture.content:
            return
        reasons = call.response.finish_reasons
        answer = self._answer or assembled(self.seen.said(), reasons[0][1] if reasons else call.outcome)
        content = {**(self._asked.content or {}), **capture.answered(answer)}
        if capture.on_span:
            self._span.set_attributes(content)
        if capture.on_event and self._telemetry.logger is not None:
            self._telemetry.logger.emit(_content_event(call, content, self._span, at))

    def _closed(self, outcome: Outcome | None, error: Error | None) -> Call:
        first = self._first_chunk_at - self._started if self.chunks else None
        return Call(
            request=self.request,
            response=self.response,
            error=error,
            outcome=outcome,
            resend_count=self._sent - 1 if self._sent > 1 else None,
            time_to_first_chunk=first,
        )

    def _measure(self, call: Call, ended: float) -> None:
        to, usage, labels = self._telemetry, call.response.usage, _labels(call.request, call.response)
        fetched = call.request.operation == "fetch_response"
        if usage is not None and (not fetched or to.first_time(call.request.provider, call.response.id)):
            to.record_usage(usage, labels)
        if self.chunks:
            to.first_chunk.record(self._first_chunk_at - self._started, labels)
        if self.chunks > 1:
            to.per_chunk.record((ended - self._first_chunk_at) / (self.chunks - 1), labels)
        if call.error is not None:
            labels = {**labels, names.ERROR_TYPE: call.error.type}
        to.duration.record(ended - self._started, labels)


def _around(here: otel_context.Context) -> otel_context.Context:
    """Where a call belongs in its trace.

    One made from within another (a hook, a middleware) stands beside that one: of a parent and a child that both say
    what was used, a collector takes the child for the same call told again.
    """
    outer = here.get(CURRENT_CALL)
    return outer._around if isinstance(outer, OpenCall) and not outer.closed else here


def _content_event(call: Call, content: dict[str, str], span: Span, at: int) -> LogRecord:
    return LogRecord(
        timestamp=at,
        observed_timestamp=at,
        context=trace.set_span_in_context(span),
        severity_number=SeverityNumber.INFO,
        event_name=names.CONTENT_EVENT,
        attributes={**names.encode_request(call.request), **names.encode_closing(call), **content},
    )


_UNSEEN: Final = Seen(lambda _pieces: [], 0)
"""Of a call that does not stream."""
_inside = threading.local()
