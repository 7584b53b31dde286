"""The Anthropic SDK's own span of a call, and ours in its place.

From 1.14 on the SDK starts a span for each of its API calls as soon as OpenTelemetry has a provider, whatever else
watches it.  Two spans of one call are two bills, so while a call of ours is under way the SDK is told that it has none;
the trace context that it would have sent with each try is sent all the same, and is ours, see `attempts`.  What is no
call of ours keeps the SDK's span.  See docs/decisions/0006.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace

from otel_llm_cost.call import CURRENT_CALL, OpenCall
from otel_llm_cost.quiet import quietly

TARGETS: Final = (("anthropic._base_client", "start_api_call_span"),)
"""(module, name) of what `stand_in` wraps where it is there: in 1.14 and every version since, and in none before."""

_CONVERSATION: Final = "gen_ai.conversation.id"
_START_ATTRIBUTES: Final = 3
"""Where among the arguments the SDK passes what its client was told to start every span with."""


def stand_in(wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """wrapt wrapper of `start_api_call_span`: None, by which the SDK goes without a span, where ours stands."""
    ours = False
    with quietly("stand in for the SDK's span"):
        ours = _stands(args, propagates=kwargs.get("propagation", True))
    return None if ours else wrapped(*args, **kwargs)


def _stands(args: tuple[Any, ...], *, propagates: bool) -> bool:
    """Not outside of a call of ours, nor where nobody receives our spans: the SDK may have a provider of its own."""
    call = otel_context.get_value(CURRENT_CALL)
    if not isinstance(call, OpenCall) or call.closed:
        return False
    span = trace.get_current_span()
    if not span.get_span_context().is_valid:
        return False
    call.propagates = propagates
    given = args[_START_ATTRIBUTES] if len(args) > _START_ATTRIBUTES else None
    conversation = given.get(_CONVERSATION) if isinstance(given, dict) else None
    if isinstance(conversation, str):
        span.set_attribute(_CONVERSATION, conversation)
    return True
