"""What is asked, and of whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from otel_llm_cost import hosts
from otel_llm_cost.provider import Wire
from otel_llm_cost.read import count, number, text, texts, within
from otel_llm_cost.record import Request

_ENDPOINT: Final = re.compile(r"(?:^|/)v1/(messages|messages/count_tokens|complete)/?$")
_OPERATIONS: Final = {
    "messages": "chat",
    "messages/count_tokens": "count_tokens",
    "complete": "text_completion",
}
_PLAIN: Final = 3
"""Keys of a request that names a model, its messages and max_tokens, which are required, and nothing else."""

# Which platform bills.  Foundry, the Claude Platform on AWS and the one on Google Cloud serve Anthropic's own API with
# its ids and its prices, and the SDK's own spans name them `anthropic`; Bedrock and Vertex AI have prices of their own.
_CLIENTS: Final = (
    ("AnthropicBedrock", "aws.bedrock"),
    ("AnthropicVertex", "gcp.vertex_ai"),
    ("AnthropicAWS", "anthropic"),
    ("AnthropicFoundry", "anthropic"),
    ("AnthropicGoogleCloud", "anthropic"),
)
# only what differs from `hosts` because it is Anthropic's SDK that speaks to it
_HOSTS: Final = (
    (r"(.+\.)?anthropic\.com", "anthropic"),
    (r".+\.services\.ai\.azure\.com", "anthropic"),
    (r"aws-external-anthropic\..+\.api\.aws", "anthropic"),
    (r"claude\.googleapis\.com", "anthropic"),
)


def request(wire: Wire, provider: str | None = None) -> Request | None:
    """A POST to messages, count_tokens or the legacy complete; everything else is not a call.

    The clients of Bedrock and Vertex AI rewrite the path later than it is seen here.
    """
    found = _ENDPOINT.search(wire.path) if wire.method == "POST" else None
    if found is None:
        return None
    body = wire.body
    longest = count(body, "max_tokens")
    said = Request(
        operation=_OPERATIONS[found[1]],
        provider=provider or vendor(wire),
        model=text(body, "model"),
        server_address=wire.host or None,  # one cloud client learns its host only when it sends
        server_port=wire.port,
        max_tokens=count(body, "max_tokens_to_sample") if longest is None else longest,
        stream=True if body.get("stream") is True else None,
    )
    return said._replace(**_parameters(body)) if len(body) > _PLAIN else said


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says beyond what it must say."""
    output = within(body, "output_config")
    form = within(output, "format") or within(body, "output_format")
    return {
        "temperature": number(body, "temperature"),
        "top_p": number(body, "top_p"),
        "top_k": number(body, "top_k"),
        "stop_sequences": texts(body, "stop_sequences"),
        "reasoning_level": text(output, "effort"),
        "output_type": "json" if text(form, "type") == "json_schema" else None,
        "service_tier": text(body, "service_tier"),
    }


def vendor(wire: Wire) -> str:
    """Who bills: told by the client's class, else by the host; an unknown host is named itself."""
    return _vendor(wire.client, wire.host.lower(), wire.port)


@lru_cache(maxsize=256)
def _vendor(client: str, host: str, port: int | None) -> str:
    of_class = next((name for kind, name in _CLIENTS if kind in client), None)
    of_host = next((name for pattern, name in _HOSTS if re.fullmatch(pattern, host)), None)
    return of_class or of_host or hosts.vendor(host, port)


def stream_usage_option(wire: Wire) -> tuple[str, Any] | None:  # noqa: ARG001
    """Streams report their usage unasked."""
    return None


def rejects_stream_usage(exception: BaseException) -> bool:  # noqa: ARG001
    """Nothing was asked for."""
    return False
