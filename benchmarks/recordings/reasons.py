"""Why some recordings cannot come out exact, reviewed one by one; what is not explained here fails the run."""

from __future__ import annotations

from typing import Final

from benchmarks.recordings.score import Miss

_UNASKED = (
    "the server sent its usage event although the caller had not asked for one; our request asks, so the event is "
    "held to be the answer to ours and kept from the caller"
)
_BACKGROUND = (
    "a response made in the background has no usage when it is created; the first retrieval that shows it finished "
    "is where it is counted, once"
)
_STARTED_AT = (
    "the background response is retrieved as a stream, from an event on, after its creation had told the usage; the "
    "collector bills a response id once"
)
_NOT_THE_LAST = "the chunk said that the answer was finished, and more came; the caller had left by then"

_REASONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("outcome and result as bare", "test_cancel_recorded_provider_stream[huggingface].yaml#1", _UNASKED),
    ("no usage where unbilled", "test_background_mode_reasoning_vcr.yaml#1", _BACKGROUND),
    ("no usage where unbilled", "test_background_mode_vcr.yaml#2", _BACKGROUND),
    ("no usage where unbilled", "test_background_mode_streaming_starting_after_vcr.yaml#1", _STARTED_AT),
    ("no placeholder as truth", "should_call_server_side_MCP_server,_stream.json#0", _NOT_THE_LAST),
    ("outcome and result as bare", "chat_completion_streamed_tokens.yaml#0", _UNASKED),
)
"""Check, the end of a recording's name, reason."""


def reason(miss: Miss) -> str | None:
    """The reviewed reason of a miss, if there is one."""
    return next((why for check, end, why in _REASONS if check == miss.check and miss.id.endswith(end)), None)
