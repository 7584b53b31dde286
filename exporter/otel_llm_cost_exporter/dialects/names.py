"""Two tables: each foreign name → its name in ours, each name of a provider → its name in the conventions.

Older OpenTelemetry conventions, OpenLLMetry, OpenInference, the Anthropic SDK, OpenLIT, Pydantic's and Langfuse's names
are here as far as they mean the same as ours; what is counted differently or said in JSON is its family's affair.  Our
own name, where a span has it, wins over any foreign one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final

from otel_llm_cost.attributes import (
    FINISH_REASONS,
    OPERATION,
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    TIME_TO_FIRST_CHUNK,
    USAGE_NAMES,
)

INPUT: Final = USAGE_NAMES["input_tokens"]
OUTPUT: Final = USAGE_NAMES["output_tokens"]
CACHE_READ: Final = USAGE_NAMES["cache_read_input_tokens"]
CACHE_WRITE: Final = USAGE_NAMES["cache_write_input_tokens"]
OLD_CACHE_WRITE: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING: Final = USAGE_NAMES["reasoning_output_tokens"]
ESTIMATED: Final = USAGE_NAMES["estimated"]
ESTIMATED_COUNTS: Final = USAGE_NAMES["estimated_counts"]
STREAM: Final = "gen_ai.request.stream"
RESPONSE_ID: Final = "gen_ai.response.id"
REQUEST_TIER: Final = "llm_cost.request.service_tier"
RESPONSE_TIER: Final = "llm_cost.response.service_tier"
STATED_COST: Final = "llm_cost.stated_cost"

SPAN_KINDS: Final = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
    "CHAIN": "invoke_workflow",
    "RETRIEVER": "retrieval",
    "RERANKER": "rerank",
    "GUARDRAIL": "guardrail",
    "EVALUATOR": "evaluate",
    "PROMPT": "prompt",
}
"""OpenInference's kinds of span; Langfuse's types of observation are these in lower case, but for calls."""
OPERATIONS: Final = {"execute_task": "invoke_workflow", "llm_request": "chat", "vector_db_retrieve": "retrieval"}
"""OpenLLMetry's own names of operations, under the conventions' attribute."""
REQUEST_TYPES: Final = {"completion": "text_completion", "embedding": "embeddings"}
_LONGEST_LIST: Final = 10_000
"""Characters of a list that came as text."""


def _same(value: Any) -> Any:
    return value


def _span_kind(value: Any) -> Any:
    return SPAN_KINDS.get(value.upper(), value.lower()) if isinstance(value, str) else value


def _request_type(value: Any) -> Any:
    return REQUEST_TYPES.get(value, value) if isinstance(value, str) else value


def listed(value: Any) -> Any:
    """A list from one text, or from a list that was written as JSON."""
    if not isinstance(value, str):
        return value
    if value.startswith("[") and len(value) <= _LONGEST_LIST:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    return [value]


def _some(value: Any) -> Any:
    """Zero of a kind says no more than silence."""
    return value or None


def _money(value: Any) -> Any:
    """Someone else's sum in USD, as text; they write zero where they have no price."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if value not in (0, "", "0", "0.0") else None


def _worded(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


Translation = tuple[str, Callable[[Any], Any]]

FOREIGN: Final[dict[str, Translation]] = {
    # OpenTelemetry's earlier conventions
    "gen_ai.system": (PROVIDER, _same),
    "gen_ai.usage.prompt_tokens": (INPUT, _same),
    "gen_ai.usage.completion_tokens": (OUTPUT, _same),
    "gen_ai.openai.request.service_tier": ("openai.request.service_tier", _same),
    "gen_ai.openai.response.service_tier": ("openai.response.service_tier", _same),
    "gen_ai.openai.response.system_fingerprint": ("openai.response.system_fingerprint", _same),
    "gen_ai.openai.request.seed": ("gen_ai.request.seed", _same),
    # OpenLLMetry
    "gen_ai.usage.cache_read_input_tokens": (CACHE_READ, _same),
    "gen_ai.usage.cache_creation_input_tokens": (CACHE_WRITE, _same),
    "gen_ai.usage.reasoning_tokens": (REASONING, _same),
    "gen_ai.is_streaming": (STREAM, _same),
    "llm.usage.prompt_tokens": (INPUT, _same),
    "llm.usage.completion_tokens": (OUTPUT, _same),
    "llm.usage.cache_read_input_tokens": (CACHE_READ, _same),
    "llm.usage.cache_creation_input_tokens": (CACHE_WRITE, _same),
    "llm.usage.reasoning_tokens": (REASONING, _same),
    "llm.request.type": (OPERATION, _request_type),
    "llm.is_streaming": (STREAM, _same),
    "llm.response.finish_reason": (FINISH_REASONS, listed),
    # the Anthropic SDK's own spans
    "anthropic.request.service_tier": (REQUEST_TIER, _same),
    "anthropic.response.service_tier": (RESPONSE_TIER, _same),
    "anthropic.message.stop_reason": (FINISH_REASONS, listed),
    "anthropic.request.id": ("llm_cost.request.id", _same),
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": (USAGE_NAMES["cache_write_5m_input_tokens"], _some),
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": (USAGE_NAMES["cache_write_1h_input_tokens"], _some),
    "anthropic.usage.compaction.input_tokens": (USAGE_NAMES["compaction_input_tokens"], _same),
    "anthropic.usage.compaction.output_tokens": (USAGE_NAMES["compaction_output_tokens"], _same),
    # OpenInference
    "openinference.span.kind": (OPERATION, _span_kind),
    "llm.provider": (PROVIDER, _same),
    "llm.system": (PROVIDER, _same),
    "llm.request.model_name": (REQUEST_MODEL, _same),
    "llm.response.model_name": (RESPONSE_MODEL, _same),
    "llm.model_name": (RESPONSE_MODEL, _same),
    "embedding.model_name": (RESPONSE_MODEL, _same),
    "llm.finish_reason": (FINISH_REASONS, listed),
    "llm.token_count.prompt": (INPUT, _same),
    "llm.token_count.completion": (OUTPUT, _same),
    "llm.token_count.prompt_details.cache_read": (CACHE_READ, _same),
    "llm.token_count.prompt_details.cache_write": (CACHE_WRITE, _same),
    "llm.token_count.prompt_details.audio": (USAGE_NAMES["audio_input_tokens"], _same),
    "llm.token_count.completion_details.reasoning": (REASONING, _same),
    "llm.token_count.completion_details.audio": (USAGE_NAMES["audio_output_tokens"], _same),
    "llm.cost.total": (STATED_COST, _money),
    # OpenLIT and Pydantic's instrumentations
    "gen_ai.usage.cost": (STATED_COST, _money),
    "operation.cost": (STATED_COST, _money),
    "gen_ai.usage.details.reasoning_tokens": (REASONING, _same),
    "gen_ai.usage.details.thoughts_tokens": (REASONING, _same),
    "gen_ai.usage.details.thinking_tokens": (REASONING, _same),
    "gen_ai.usage.details.audio_prompt_tokens": (USAGE_NAMES["audio_input_tokens"], _same),
    "gen_ai.usage.details.image_prompt_tokens": (USAGE_NAMES["image_input_tokens"], _same),
    "gen_ai.usage.details.ephemeral_5m_input_tokens": (USAGE_NAMES["cache_write_5m_input_tokens"], _some),
    "gen_ai.usage.details.ephemeral_1h_input_tokens": (USAGE_NAMES["cache_write_1h_input_tokens"], _some),
    "gen_ai.usage.details.web_search_requests": (USAGE_NAMES["web_search_requests"], _some),
    "gen_ai.client.operation.time_to_first_chunk": (TIME_TO_FIRST_CHUNK, _same),
    # Langfuse
    "langfuse.observation.prompt.name": ("gen_ai.prompt.name", _same),
    "langfuse.observation.prompt.version": ("gen_ai.prompt.version", _worded),
}
"""Foreign name → our name and how to read the value; where two mean the same, the first here wins."""

PROVIDERS: Final = {
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "gcp.gen_ai": "gcp.gen_ai",
    "google": "gcp.gen_ai",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "google_generativeai": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "grok": "x_ai",
}
"""A provider's other names, in lower case → its name in the conventions."""
