"""Requests as they are: our own and other instrumentations', of one span or several, in one scope and in several."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm_cost.attributes import encode
from otel_llm_cost.record import Call, Error, Request, Response, Tags, Usage
from otel_llm_cost_exporter.dialects import OURS
from tests.exporter.otlp import chat, pairs, request, span
from tests.exporter.test_dialects import ANTHROPIC_SAYS, CHAT_SAYS, GOOGLE_SAYS, LANGFUSE, LOGFIRE

from .hostile import SECRET

_OURS: Final = Call(
    request=Request(operation="chat", provider="anthropic", model="claude-opus-4-5", stream=True, temperature=0.5),
    response=Response(
        id="msg_1",
        model="claude-opus-4-5-20251101",
        finish_reasons=((0, "end_turn"),),
        usage=Usage(input_tokens=2000, output_tokens=30, cache_read_input_tokens=1500, estimated=False),
        asides=(("claude-haiku-4-5", Usage(input_tokens=5, output_tokens=2)),),
        stated_cost="0.01",
    ),
    tags=Tags(project="p", feature="f", user="u", session="s", extra=(("team", "a"),)),
    time_to_first_chunk=0.4,
    resend_count=1,
)
_MESSAGES: Final = json.dumps([{"role": "user", "parts": [{"type": "text", "content": SECRET}]}])
_OPENINFERENCE: Final = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 9,
    "llm.invocation_parameters": json.dumps({"model": "gpt-4o", "service_tier": "flex", "stream": True}),
    "output.mime_type": "application/json",
    "output.value": json.dumps(
        {"object": "chat.completion", "id": "chatcmpl-1", "model": "gpt-4o", "usage": CHAT_SAYS}
    ),
}
_OLD: Final = {
    "gen_ai.system": "Anthropic",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-3-5-haiku-latest",
    "gen_ai.usage.prompt_tokens": 20,
    "gen_ai.usage.completion_tokens": 30,
    "gen_ai.usage.cache_read_input_tokens": 10,
    "gen_ai.is_streaming": True,
}
_EXCEPTION: Final = Span.Event(
    name="exception",
    attributes=pairs({"exception.type": "openai.RateLimitError", "exception.message": f"429 {SECRET}"}),
)
_LOGFIRE: Final = LOGFIRE | {"gen_ai.usage.raw": json.dumps(ANTHROPIC_SAYS), "gen_ai.usage.input_tokens": 9}
_LANGFUSE: Final = LANGFUSE | {"langfuse.observation.usage_details": json.dumps(GOOGLE_SAYS)}

_TOLD: Final[Sequence[tuple[str, dict[str, Any], dict[str, Any]]]] = (
    (OURS, dict(encode(_OURS)) | {"gen_ai.input.messages": _MESSAGES}, {}),
    (OURS, dict(encode(_OURS._replace(error=Error(type="E", error_class="timeout", status_code=504)))), {}),
    ("", chat(), {"kind": 3, "flags": 257, "trace_state": "a=b"}),
    ("", chat(**{"server.address": "x.openai.azure.com", "server.port": 443, "user.id": "u"}), {}),
    ("logfire.openai", _LOGFIRE, {}),
    ("logfire.anthropic", _LOGFIRE | {"logfire.span_type": "log", "duration": 1.5}, {}),
    ("langfuse-sdk", _LANGFUSE, {"name": "OpenAI-generation"}),
    ("openinference.instrumentation.openai", _OPENINFERENCE, {"name": "ChatCompletionStream"}),
    ("openlit.instrumentation.google_ai_studio", chat(**{"gen_ai.usage.reasoning_tokens": 3}), {"name": "chat g"}),
    ("opentelemetry.instrumentation.anthropic", _OLD, {"status": {"code": 2}, "events": [_EXCEPTION]}),
    ("opentelemetry.instrumentation.google_generativeai", chat(**{"llm.usage.total_tokens": 9000}), {}),
    ("com.anthropic.sdk.python", chat(**{"anthropic.usage.compaction.input_tokens": 10}), {}),
    ("http", {"http.request.method": "GET", "url.full": "http://x"}, {"name": "GET"}),
)


def requests() -> list[ExportTraceServiceRequest]:
    """Each of one span or of several, in one scope or in several; their ids are to be made anew by who sends them."""
    singles = [request(_span(*told), scope=told[0]) for told in _TOLD]
    several = [request(*(_span(*told) for _ in range(4)), scope=told[0]) for told in _TOLD[:3]]
    merged = ExportTraceServiceRequest()
    for one in singles:
        merged.resource_spans.add().CopyFrom(one.resource_spans[0])
    tree = request(*_tree(), resource={"service.name": "t", "llm_cost.project": "p", "deployment.environment": "d"})
    tree.resource_spans[0].schema_url = "https://opentelemetry.io/schemas/1.30.0"
    return [*singles, *several, merged, tree]


def _span(scope: str, attributes: dict[str, Any], fields: dict[str, Any]) -> Span:
    del scope
    return span(attributes, **fields)


def _tree() -> list[Span]:
    """An agent above a workflow above a call, with a link."""
    made: list[Span] = []
    for told in ({"gen_ai.operation.name": "invoke_agent"}, {"gen_ai.operation.name": "invoke_workflow"}, chat()):
        above = {"parent_span_id": made[-1].span_id, "trace_id": made[-1].trace_id} if made else {}
        made.append(span(told, start_time_unix_nano=time.time_ns() - 10**10, **above))
    made[-1].links.add(trace_id=made[0].trace_id, span_id=made[0].span_id, attributes=pairs({"a": [1, 2]}))
    return made
