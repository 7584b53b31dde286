"""What others call the things that we have names for.

GenAI spans come from many hands: older OpenTelemetry conventions, OpenLLMetry, OpenInference.  One table gives each
foreign name its name in ours, one gives each foreign provider its name in the conventions; a span then is read as
if it had been written today.  Our own name, where a span has it, wins over any foreign one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_llm_cost.attributes import (
    FINISH_REASONS,
    OPERATION,
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    USAGE_NAMES,
)

_SPAN_KINDS = {
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
_OPERATIONS: Final = {"execute_task": "invoke_workflow", "llm_request": "chat", "vector_db_retrieve": "retrieval"}
"""OpenLLMetry's own names of operations, under the conventions' attribute."""
_REQUEST_TYPES = {"completion": "text_completion", "embedding": "embeddings"}


def _same(value: Any) -> Any:
    return value


def _span_kind(value: Any) -> Any:
    return _SPAN_KINDS.get(value.upper(), value.lower()) if isinstance(value, str) else value


def _request_type(value: Any) -> Any:
    return _REQUEST_TYPES.get(value, value) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


ANTHROPIC_SDK: Final = "com.anthropic.sdk.python"
"""The scope of the spans that the Anthropic SDK makes of itself; those of its cloud clients have a word more."""


def _some(value: Any) -> Any:
    """Zero of a kind says no more than silence."""
    return value or None


Translation = tuple[str, Callable[[Any], Any]]

FOREIGN: Final[dict[str, Translation]] = {
    # OpenTelemetry's earlier conventions
    "gen_ai.system": (PROVIDER, _same),
    "gen_ai.usage.prompt_tokens": (USAGE_NAMES["input_tokens"], _same),
    "gen_ai.usage.completion_tokens": (USAGE_NAMES["output_tokens"], _same),
    "gen_ai.openai.request.service_tier": ("openai.request.service_tier", _same),
    "gen_ai.openai.response.service_tier": ("openai.response.service_tier", _same),
    "gen_ai.openai.response.system_fingerprint": ("openai.response.system_fingerprint", _same),
    "gen_ai.openai.request.seed": ("gen_ai.request.seed", _same),
    # OpenLLMetry
    "gen_ai.usage.cache_read_input_tokens": (USAGE_NAMES["cache_read_input_tokens"], _same),
    "gen_ai.usage.cache_creation_input_tokens": (USAGE_NAMES["cache_write_input_tokens"], _same),
    "gen_ai.usage.reasoning_tokens": (USAGE_NAMES["reasoning_output_tokens"], _same),
    "llm.usage.prompt_tokens": (USAGE_NAMES["input_tokens"], _same),
    "llm.usage.completion_tokens": (USAGE_NAMES["output_tokens"], _same),
    "llm.usage.cache_read_input_tokens": (USAGE_NAMES["cache_read_input_tokens"], _same),
    "llm.usage.cache_creation_input_tokens": (USAGE_NAMES["cache_write_input_tokens"], _same),
    "llm.usage.reasoning_tokens": (USAGE_NAMES["reasoning_output_tokens"], _same),
    "llm.request.type": (OPERATION, _request_type),
    "llm.is_streaming": ("gen_ai.request.stream", _same),
    "llm.response.finish_reason": (FINISH_REASONS, _listed),
    # the Anthropic SDK's own spans
    "anthropic.request.service_tier": ("llm_cost.request.service_tier", _same),
    "anthropic.response.service_tier": ("llm_cost.response.service_tier", _same),
    "anthropic.message.stop_reason": (FINISH_REASONS, _listed),
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
    "llm.finish_reason": (FINISH_REASONS, _listed),
    "llm.token_count.prompt": (USAGE_NAMES["input_tokens"], _same),
    "llm.token_count.completion": (USAGE_NAMES["output_tokens"], _same),
    "llm.token_count.prompt_details.cache_read": (USAGE_NAMES["cache_read_input_tokens"], _same),
    "llm.token_count.prompt_details.cache_write": (USAGE_NAMES["cache_write_input_tokens"], _same),
    "llm.token_count.prompt_details.audio": (USAGE_NAMES["audio_input_tokens"], _same),
    "llm.token_count.completion_details.reasoning": (USAGE_NAMES["reasoning_output_tokens"], _same),
    "llm.token_count.completion_details.audio": (USAGE_NAMES["audio_output_tokens"], _same),
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
    "google_generativeai": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "grok": "x_ai",
}
"""A provider's other names, in lower case → its name in the conventions."""


_COMPACTIONS: Final = (
    (USAGE_NAMES["input_tokens"], "anthropic.usage.compaction.input_tokens"),
    (USAGE_NAMES["output_tokens"], "anthropic.usage.compaction.output_tokens"),
)
"""The SDK's totals leave out what a compaction used; it is billed with the call."""


def _add(attributes: dict[str, Any], total: str, more: Any) -> None:
    if isinstance(attributes.get(total), int) and isinstance(more, int):
        attributes[total] += more


def normalise(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes under our names; the given dictionary is used up."""
    if not FOREIGN.keys().isdisjoint(attributes):
        for total, compaction in _COMPACTIONS:
            if compaction in attributes:
                _add(attributes, total, attributes[compaction])
        for name, (ours, read) in FOREIGN.items():
            if name in attributes and (value := read(attributes.pop(name))) is not None:
                attributes.setdefault(ours, value)
    operation = attributes.get(OPERATION)
    if isinstance(operation, str):
        attributes[OPERATION] = _OPERATIONS.get(operation, operation)
    provider = attributes.get(PROVIDER)
    if isinstance(provider, str):
        lower = provider.strip().lower()
        attributes[PROVIDER] = PROVIDERS.get(lower, lower)
    return attributes
